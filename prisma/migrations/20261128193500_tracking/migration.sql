-- One training, or one trial of a sweep: with what it was made and what came of it.
CREATE TABLE "runs" (
  "id" TEXT PRIMARY KEY,
  "kind" TEXT NOT NULL CHECK ("kind" IN ('training', 'trial')),
  -- Of a trial the run that it belongs to.
  "parent_id" TEXT,
  "model" TEXT NOT NULL,
  "status" TEXT NOT NULL DEFAULT 'running' CHECK ("status" IN ('running', 'completed', 'failed', 'cancelled', 'pruned')),
  "params" JSONB NOT NULL DEFAULT '{}',
  -- Numbers by name.
  "metrics" JSONB NOT NULL DEFAULT '{}',
  -- [{path, sha256, bytes}], below the folder of the version.
  "artifacts" JSONB NOT NULL DEFAULT '[]',
  "environment" JSONB NOT NULL DEFAULT '{}',
  "code_version" TEXT,
  "dataset_id" TEXT,
  "dataset_digest" TEXT,
  "version" TEXT,
  "wall_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,
  "cpu_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,
  "peak_memory_bytes" DOUBLE PRECISION NOT NULL DEFAULT 0,
  "error" JSONB,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
  "finished_at" TIMESTAMPTZ(3)
);
CREATE INDEX "runs_created_at_id_idx" ON "runs" ("created_at" DESC, "id" DESC);
CREATE INDEX "runs_model_created_at_idx" ON "runs" ("model", "created_at" DESC, "id" DESC);
CREATE INDEX "runs_parent_id_idx" ON "runs" ("parent_id");

-- What was measured on the way; a step that is told twice is one row.
CREATE TABLE "run_metrics" (
  "run_id" TEXT NOT NULL REFERENCES "runs" ("id") ON DELETE CASCADE,
  "name" TEXT NOT NULL,
  "step" INTEGER NOT NULL,
  "value" DOUBLE PRECISION NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY ("run_id", "name", "step")
);

-- What each attempt of each step has cost, also one that was killed; the run has their sums, and the largest memory.
CREATE TABLE "run_costs" (
  "run_id" TEXT NOT NULL REFERENCES "runs" ("id") ON DELETE CASCADE,
  "step" TEXT NOT NULL,
  "attempt" TEXT NOT NULL,
  "wall_seconds" DOUBLE PRECISION NOT NULL,
  "cpu_seconds" DOUBLE PRECISION NOT NULL,
  "peak_memory_bytes" DOUBLE PRECISION NOT NULL,
  PRIMARY KEY ("run_id", "step", "attempt")
);

CREATE FUNCTION sum_run_costs() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  -- The row of the run is locked first, so that of two steps that end at once the second sees the first.
  PERFORM 1 FROM runs WHERE id = NEW.run_id FOR UPDATE;
  UPDATE runs SET (wall_seconds, cpu_seconds, peak_memory_bytes) =
    (SELECT sum(c.wall_seconds), sum(c.cpu_seconds), max(c.peak_memory_bytes) FROM run_costs c WHERE c.run_id = NEW.run_id)
  WHERE id = NEW.run_id;
  RETURN NULL;
END $$;
CREATE TRIGGER "run_costs_sum" AFTER INSERT OR UPDATE ON "run_costs" FOR EACH ROW EXECUTE FUNCTION sum_run_costs();

-- However a job ends, in good order, by a failure, or terminated from outside, its run has the same end.
CREATE FUNCTION end_run() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  UPDATE runs SET status = NEW.status, error = NEW.error, finished_at = NEW.finished_at
  WHERE id = NEW.id AND status = 'running';
  RETURN NULL;
END $$;
CREATE TRIGGER "jobs_end_run" AFTER UPDATE OF "status" ON "jobs" FOR EACH ROW
  WHEN (NEW.type = 'train' AND NEW.status IN ('completed', 'failed', 'cancelled')) EXECUTE FUNCTION end_run();
