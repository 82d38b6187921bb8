-- Searches for hyperparameters: what each follows, and the table of its trials.

CREATE TABLE "sweeps" (
  "id" TEXT PRIMARY KEY,
  "job_id" TEXT NOT NULL UNIQUE,
  "model" TEXT NOT NULL,
  "state" TEXT NOT NULL CHECK ("state" IN ('running', 'paused', 'completed', 'stopped', 'failed', 'cancelled')),
  "settings" JSONB NOT NULL,
  "plan" JSONB NOT NULL,
  "rows" INTEGER NOT NULL,
  "schema_digest" TEXT NOT NULL,
  "warm_start" JSONB NOT NULL DEFAULT '{"sweep_id": null, "configurations": []}',
  "trials" INTEGER NOT NULL,
  "timeout_seconds" INTEGER,
  "revision" INTEGER NOT NULL DEFAULT 0,
  "best_trial" INTEGER,
  "reason" TEXT,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3)
);
CREATE INDEX "sweeps_created_at_idx" ON "sweeps" ("created_at" DESC, "id" DESC);
-- A new sweep looks for the last one of its model and schema.
CREATE INDEX "sweeps_schema_idx" ON "sweeps" ("model", "schema_digest", "created_at" DESC);

CREATE TABLE "sweep_trials" (
  "sweep_id" TEXT NOT NULL REFERENCES "sweeps" ("id") ON DELETE CASCADE,
  "index" INTEGER NOT NULL,
  "configuration" JSONB NOT NULL,
  "source" TEXT NOT NULL CHECK ("source" IN ('sampler', 'warm_start')),
  "state" TEXT NOT NULL DEFAULT 'running' CHECK ("state" IN ('running', 'completed', 'pruned', 'failed', 'stopped')),
  "reports" JSONB NOT NULL DEFAULT '[]',
  "losses" JSONB NOT NULL DEFAULT '[]',
  "violation" DOUBLE PRECISION,
  "metrics" JSONB NOT NULL DEFAULT '{}',
  "reason" TEXT,
  "cache_key" TEXT NOT NULL,
  "cached_from" TEXT,
  "attempts" INTEGER NOT NULL DEFAULT 1,
  "crashes" INTEGER NOT NULL DEFAULT 0,
  "seconds" DOUBLE PRECISION,
  "peak_memory_mb" INTEGER,
  "worker" TEXT,
  "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  PRIMARY KEY ("sweep_id", "index")
);
-- A trial that was measured before is not measured again.
CREATE INDEX "sweep_trials_cache_key_idx" ON "sweep_trials" ("cache_key") WHERE "state" = 'completed';
