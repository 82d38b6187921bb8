-- Retraining because of an alert or by hand: what was done and what came of it, step by step.

CREATE TABLE "repairs" (
  "id" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "alert_id" TEXT,
  "trigger" TEXT NOT NULL,
  "requested_by" TEXT NOT NULL,
  "settings" JSONB NOT NULL,
  "since" TIMESTAMPTZ(3),
  "former_version" TEXT NOT NULL,
  "new_version" TEXT,
  "reason" TEXT,
  "job_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "repairs_job_id_key" ON "repairs" ("job_id");
CREATE UNIQUE INDEX "repairs_one_running" ON "repairs" ("model") WHERE "state" = 'running';
CREATE INDEX "repairs_created_at_id_idx" ON "repairs" ("created_at" DESC, "id" DESC);
CREATE INDEX "repairs_model_created_at_idx" ON "repairs" ("model", "created_at" DESC);

CREATE TABLE "repair_steps" (
  "repair_id" TEXT NOT NULL REFERENCES "repairs" ("id") ON DELETE CASCADE,
  "step" TEXT NOT NULL,
  "summary" TEXT NOT NULL,
  "detail" JSONB NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("repair_id", "step")
);
