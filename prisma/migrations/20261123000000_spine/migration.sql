-- The spine: jobs, idempotency, datasets, the registry, routing, deployments, the prediction log and outcomes.

CREATE TABLE "jobs" (
  "id" TEXT NOT NULL,
  "type" TEXT NOT NULL,
  "model" TEXT,
  "status" TEXT NOT NULL,
  "progress" DOUBLE PRECISION NOT NULL DEFAULT 0,
  "stage" TEXT NOT NULL DEFAULT 'queued',
  "request" JSONB NOT NULL,
  "result" JSONB,
  "error" JSONB,
  "correlation_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "started_at" TIMESTAMPTZ(3),
  "finished_at" TIMESTAMPTZ(3),
  CONSTRAINT "jobs_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "jobs_status_check" CHECK ("status" IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  CONSTRAINT "jobs_progress_check" CHECK ("progress" BETWEEN 0 AND 1)
);
CREATE INDEX "jobs_created_at_id_idx" ON "jobs" ("created_at" DESC, "id");
CREATE INDEX "jobs_status_idx" ON "jobs" ("status");

CREATE TABLE "idempotency_keys" (
  "key" TEXT NOT NULL,
  "request_hash" TEXT NOT NULL,
  "job_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("key")
);

CREATE TABLE "datasets" (
  "id" TEXT NOT NULL,
  "data_type" TEXT NOT NULL,
  "job_id" TEXT NOT NULL,
  "rows" INTEGER NOT NULL,
  "quarantined_rows" INTEGER NOT NULL,
  "digest" TEXT NOT NULL,
  "manifest" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "datasets_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "datasets_job_id_key" ON "datasets" ("job_id");
CREATE INDEX "datasets_data_type_created_at_idx" ON "datasets" ("data_type", "created_at" DESC);

CREATE TABLE "source_credentials" (
  "id" TEXT NOT NULL,
  "url" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "source_credentials_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "model_versions" (
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "job_id" TEXT NOT NULL,
  "digest" TEXT NOT NULL,
  "promotable" BOOLEAN NOT NULL,
  "verdict" JSONB NOT NULL,
  "parameters" JSONB NOT NULL,
  "metrics" JSONB NOT NULL,
  "signature" JSONB NOT NULL,
  "lineage" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "model_versions_pkey" PRIMARY KEY ("model", "version")
);
CREATE UNIQUE INDEX "model_versions_job_id_key" ON "model_versions" ("job_id");

CREATE TABLE "model_aliases" (
  "model" TEXT NOT NULL,
  "alias" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "model_aliases_pkey" PRIMARY KEY ("model", "alias"),
  CONSTRAINT "model_aliases_version_fkey" FOREIGN KEY ("model", "version") REFERENCES "model_versions" ("model", "version")
);

CREATE TABLE "routes" (
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "previous_version" TEXT,
  "deployment_id" TEXT NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "routes_pkey" PRIMARY KEY ("model"),
  CONSTRAINT "routes_version_fkey" FOREIGN KEY ("model", "version") REFERENCES "model_versions" ("model", "version")
);

CREATE TABLE "deployments" (
  "id" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "previous_version" TEXT,
  "strategy" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "steps" JSONB NOT NULL DEFAULT '[]',
  "reason" TEXT,
  "job_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  CONSTRAINT "deployments_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "deployments_state_check" CHECK ("state" IN ('pending', 'running', 'holding', 'paused', 'promoted', 'rolled_back', 'aborted', 'failed'))
);
CREATE UNIQUE INDEX "deployments_job_id_key" ON "deployments" ("job_id");
CREATE INDEX "deployments_model_created_at_idx" ON "deployments" ("model", "created_at" DESC);
-- One rollout a model at a time, whoever starts it and however many processes try.
CREATE UNIQUE INDEX "deployments_one_active" ON "deployments" ("model") WHERE "state" IN ('pending', 'running', 'holding', 'paused');

CREATE TABLE "predictions" (
  "id" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "entity_id" TEXT,
  "features" JSONB NOT NULL,
  "predictions" JSONB NOT NULL,
  "latency_us" INTEGER NOT NULL,
  "cached" BOOLEAN NOT NULL DEFAULT false,
  "correlation_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "predictions_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "predictions_model_created_at_idx" ON "predictions" ("model", "created_at" DESC);

CREATE TABLE "prediction_outcomes" (
  "prediction_id" TEXT NOT NULL,
  "observed_at" TIMESTAMPTZ(3) NOT NULL,
  "outcome" JSONB NOT NULL,
  "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "prediction_outcomes_pkey" PRIMARY KEY ("prediction_id", "observed_at")
);
