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

-- The trials of a sweep are runs below that of its job, as they begin and as they end.
CREATE FUNCTION record_trial() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  run TEXT := NEW.sweep_id || '.' || NEW.index;
BEGIN
  INSERT INTO runs (id, kind, parent_id, model, status, params, metrics, code_version, dataset_id, dataset_digest,
    wall_seconds, peak_memory_bytes, error, created_at, finished_at)
  SELECT run, 'trial', s.job_id, s.model, CASE NEW.state WHEN 'stopped' THEN 'cancelled' ELSE NEW.state END, NEW.configuration,
    CASE WHEN jsonb_array_length(NEW.losses) > 0 THEN jsonb_build_object('loss', NEW.losses -> 0) ELSE '{}' END || NEW.metrics,
    s.plan ->> 'codeVersion', s.plan ->> 'datasetId', s.plan ->> 'datasetDigest', coalesce(NEW.seconds, 0),
    coalesce(NEW.peak_memory_mb, 0) * 1048576.0,
    CASE WHEN NEW.reason IS NOT NULL THEN jsonb_build_object('code', 'trial_' || NEW.state, 'detail', NEW.reason) END,
    NEW.started_at, NEW.finished_at
  FROM sweeps s WHERE s.id = NEW.sweep_id
  ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, metrics = EXCLUDED.metrics, wall_seconds = EXCLUDED.wall_seconds,
    peak_memory_bytes = EXCLUDED.peak_memory_bytes, error = EXCLUDED.error, finished_at = EXCLUDED.finished_at;
  INSERT INTO run_metrics (run_id, name, step, value)
  SELECT DISTINCT ON (step) run, 'loss', step, loss
  FROM (SELECT round((report ->> 'resource')::float8)::int AS step, (report ->> 'loss')::float8 AS loss
    FROM jsonb_array_elements(NEW.reports) report WHERE report ->> 'loss' IS NOT NULL) r
  ON CONFLICT (run_id, name, step) DO UPDATE SET value = EXCLUDED.value WHERE run_metrics.value <> EXCLUDED.value;
  RETURN NULL;
END $$;
CREATE TRIGGER "sweep_trials_record" AFTER INSERT OR UPDATE ON "sweep_trials" FOR EACH ROW EXECUTE FUNCTION record_trial();

-- What MLflow has to be told of: runs, versions with their aliases. A change raises the revision; whoever mirrors it writes down which
-- revision was sent, so that nothing is lost while MLflow is away, and nothing waits for it.
CREATE TABLE "mlflow_mirrors" (
  -- `run` or `version`.
  "kind" TEXT NOT NULL,
  -- The run's id, or `model/version`.
  "subject" TEXT NOT NULL,
  "revision" BIGINT NOT NULL DEFAULT 1,
  "sent" BIGINT NOT NULL DEFAULT 0,
  -- Of a run its id in MLflow, of a version its number there.
  "external_id" TEXT,
  "attempts" INTEGER NOT NULL DEFAULT 0,
  "error" TEXT,
  -- Of a run: figures up to here have been sent.
  "points_until" TIMESTAMPTZ(3),
  "next_attempt_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY ("kind", "subject")
);
CREATE INDEX "mlflow_mirrors_due_idx" ON "mlflow_mirrors" ("next_attempt_at") WHERE "sent" < "revision";

CREATE FUNCTION raise_mirror(of_kind TEXT, of_subject TEXT) RETURNS VOID LANGUAGE sql AS $$
  INSERT INTO mlflow_mirrors (kind, subject) VALUES (of_kind, of_subject)
  ON CONFLICT (kind, subject) DO UPDATE SET revision = mlflow_mirrors.revision + 1, changed_at = clock_timestamp();
$$;
CREATE FUNCTION mirror_run() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_mirror('run', NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER "runs_mirror" AFTER INSERT OR UPDATE ON "runs" FOR EACH ROW EXECUTE FUNCTION mirror_run();
CREATE FUNCTION mirror_curve() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_mirror('run', run_id) FROM (SELECT DISTINCT run_id FROM changed ORDER BY run_id) c;
  RETURN NULL;
END $$;
CREATE TRIGGER "run_metrics_mirror" AFTER INSERT ON "run_metrics" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mirror_curve();
CREATE FUNCTION mirror_version() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM raise_mirror('version', OLD.model || '/' || OLD.version);
  ELSE
    PERFORM raise_mirror('version', NEW.model || '/' || NEW.version);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "model_versions_mirror" AFTER INSERT OR UPDATE OR DELETE ON "model_versions" FOR EACH ROW EXECUTE FUNCTION mirror_version();
CREATE FUNCTION mirror_alias() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN PERFORM raise_mirror('version', OLD.model || '/' || OLD.version); END IF;
  IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.version <> OLD.version) THEN
    PERFORM raise_mirror('version', NEW.model || '/' || NEW.version);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "model_aliases_mirror" AFTER INSERT OR UPDATE OR DELETE ON "model_aliases" FOR EACH ROW EXECUTE FUNCTION mirror_alias();
