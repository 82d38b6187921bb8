-- Experiments whose allocation learns, layers of experiments, and drills.

-- With what chance the arm of a prediction was drawn, and from which batch and context: what estimates divide by.
ALTER TABLE "predictions" ADD COLUMN "propensity" DOUBLE PRECISION, ADD COLUMN "stratum" TEXT;

ALTER TABLE "experiments" ADD COLUMN "layer" TEXT, ADD COLUMN "allocation" JSONB;
UPDATE "experiments" SET "layer" = "model";
ALTER TABLE "experiments" ALTER COLUMN "layer" SET NOT NULL;
DROP INDEX "experiments_running_idx";
CREATE INDEX "experiments_running_idx" ON "experiments" ("layer") WHERE "state" = 'running';

-- What drills found: rollouts of versions that are known to be bad, and rollouts of nothing on the real log.
CREATE TABLE "drills" (
  "id" TEXT PRIMARY KEY,
  "kind" TEXT NOT NULL CHECK ("kind" IN ('rollout', 'aa_replay')),
  "model" TEXT NOT NULL,
  "state" TEXT NOT NULL CHECK ("state" IN ('running', 'passed', 'failed', 'cancelled')),
  "settings" JSONB NOT NULL,
  "trials" JSONB NOT NULL DEFAULT '[]',
  "result" JSONB,
  "reason" TEXT,
  "job_id" TEXT NOT NULL UNIQUE,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3)
);
CREATE INDEX "drills_created_at_idx" ON "drills" ("created_at" DESC, "id" DESC);
-- Two drills at once would put their versions into the same sandbox.
CREATE UNIQUE INDEX "drills_one_rollout_idx" ON "drills" ("kind") WHERE "state" = 'running' AND "kind" = 'rollout';
