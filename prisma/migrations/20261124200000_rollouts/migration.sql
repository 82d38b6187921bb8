-- Rollouts by steps: who answers what share, what each step showed, and a ledger of all that ever took traffic.

-- The version under trial stands beside the present one, in the same row: there can never be two truths about the split.
ALTER TABLE "routes"
  ADD COLUMN "candidate_version" TEXT,
  ADD COLUMN "phase" TEXT,
  ADD COLUMN "share" DOUBLE PRECISION NOT NULL DEFAULT 0,
  ADD COLUMN "rollout_id" TEXT,
  ADD CONSTRAINT "routes_phase_check" CHECK (
    ("phase" IS NULL AND "candidate_version" IS NULL AND "rollout_id" IS NULL AND "share" = 0)
    OR ("phase" = 'shadow' AND "candidate_version" IS NOT NULL AND "rollout_id" IS NOT NULL AND "share" = 0)
    OR ("phase" = 'canary' AND "candidate_version" IS NOT NULL AND "rollout_id" IS NOT NULL AND "share" > 0 AND "share" <= 50));

ALTER TABLE "deployments" ADD COLUMN "settings" JSONB NOT NULL DEFAULT '{}', ADD COLUMN "slow_us" INTEGER;

ALTER TABLE "predictions"
  ADD COLUMN "arm" TEXT,
  ADD COLUMN "trial_id" TEXT,
  ADD COLUMN "error" TEXT,
  ADD COLUMN "shadow_of" TEXT;
CREATE INDEX "predictions_trial_idx" ON "predictions" ("trial_id", "created_at") WHERE "trial_id" IS NOT NULL;

ALTER TABLE "prediction_outcomes" ADD COLUMN "metrics" JSONB NOT NULL DEFAULT '{}';

-- What each window of a rollout showed, the rule that judged it and the verdict. Written once.
CREATE TABLE "deployment_evidence" (
  "deployment_id" TEXT NOT NULL REFERENCES "deployments" ("id") ON DELETE CASCADE,
  "window" INTEGER NOT NULL,
  "evidence" JSONB NOT NULL,
  "rule" JSONB NOT NULL,
  "verdict" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "deployment_evidence_pkey" PRIMARY KEY ("deployment_id", "window")
);

-- Who served what from when on. Rows are only ever added, by whatever changes a route.
CREATE TABLE "traffic_ledger" (
  "id" BIGSERIAL PRIMARY KEY,
  "model" TEXT NOT NULL,
  "version" TEXT,
  "candidate_version" TEXT,
  "phase" TEXT,
  "share" DOUBLE PRECISION NOT NULL DEFAULT 0,
  "deployment_id" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX "traffic_ledger_model_at_idx" ON "traffic_ledger" ("model", "at" DESC, "id" DESC);

CREATE FUNCTION record_traffic() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO traffic_ledger (model, deployment_id) VALUES (OLD.model, OLD.deployment_id);
  ELSIF TG_OP = 'INSERT' OR (OLD.version, OLD.candidate_version, OLD.phase, OLD.share) IS DISTINCT FROM
      (NEW.version, NEW.candidate_version, NEW.phase, NEW.share) THEN
    INSERT INTO traffic_ledger (model, version, candidate_version, phase, share, deployment_id)
    VALUES (NEW.model, NEW.version, NEW.candidate_version, NEW.phase, NEW.share, coalesce(NEW.rollout_id, NEW.deployment_id));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "routes_record_traffic" AFTER INSERT OR UPDATE OR DELETE ON "routes" FOR EACH ROW EXECUTE FUNCTION record_traffic();

CREATE FUNCTION refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER "traffic_ledger_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "traffic_ledger"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO "traffic_ledger" ("model", "version", "deployment_id", "at")
SELECT model, version, deployment_id, updated_at FROM "routes" ORDER BY updated_at;

-- Experiments: several versions of a model at once, each for its share of a slice of the entities.
CREATE TABLE "experiments" (
  "id" TEXT PRIMARY KEY,
  "model" TEXT NOT NULL,
  "state" TEXT NOT NULL CHECK ("state" IN ('running', 'concluded', 'stopped', 'failed')),
  "arms" JSONB NOT NULL,
  "control" TEXT NOT NULL,
  "settings" JSONB NOT NULL,
  "plan" JSONB NOT NULL,
  "first_bucket" INTEGER NOT NULL CHECK ("first_bucket" >= 0),
  "end_bucket" INTEGER NOT NULL CHECK ("end_bucket" > "first_bucket" AND "end_bucket" <= 10000),
  "verdict" JSONB,
  "reason" TEXT,
  "job_id" TEXT NOT NULL UNIQUE,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3)
);
CREATE INDEX "experiments_model_created_at_idx" ON "experiments" ("model", "created_at" DESC);
CREATE INDEX "experiments_running_idx" ON "experiments" ("model") WHERE "state" = 'running';

CREATE TABLE "experiment_evidence" (
  "experiment_id" TEXT NOT NULL REFERENCES "experiments" ("id") ON DELETE CASCADE,
  "window" INTEGER NOT NULL,
  "evidence" JSONB NOT NULL,
  "rule" JSONB NOT NULL,
  "verdict" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "experiment_evidence_pkey" PRIMARY KEY ("experiment_id", "window")
);
