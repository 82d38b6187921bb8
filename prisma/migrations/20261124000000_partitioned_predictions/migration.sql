-- The log of predictions gets a partition a day: old days are dropped in an instant, and each index stays small.

ALTER TABLE "predictions" RENAME TO "predictions_unpartitioned";
ALTER INDEX "predictions_pkey" RENAME TO "predictions_unpartitioned_pkey";
ALTER INDEX "predictions_model_created_at_idx" RENAME TO "predictions_unpartitioned_model_created_at_idx";

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
  CONSTRAINT "predictions_pkey" PRIMARY KEY ("id", "created_at")
) PARTITION BY RANGE ("created_at");
CREATE INDEX "predictions_model_created_at_idx" ON "predictions" ("model", "created_at" DESC);

-- Safe to call for the same day from several processes at once.
CREATE FUNCTION prepare_prediction_partition(day DATE) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  partition TEXT := 'predictions_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass(quote_ident(partition)) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(7233002);
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF predictions FOR VALUES FROM (%L) TO (%L)',
    partition, to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
END $$;

-- Drops the days before this one, with the outcomes received before it.
CREATE FUNCTION drop_prediction_partitions(before DATE) RETURNS SETOF TEXT LANGUAGE plpgsql AS $$
DECLARE
  partition TEXT;
BEGIN
  PERFORM pg_advisory_xact_lock(7233002);
  FOR partition IN
    SELECT child.relname FROM pg_inherits
    JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = 'predictions'::regclass AND child.relname ~ '^predictions_\d{8}$'
      AND to_date(right(child.relname, 8), 'YYYYMMDD') < before
    ORDER BY child.relname
  LOOP
    EXECUTE format('DROP TABLE %I', partition);
    RETURN NEXT partition;
  END LOOP;
  DELETE FROM prediction_outcomes WHERE received_at < (to_char(before, 'YYYY-MM-DD') || ' 00:00:00+00')::timestamptz;
END $$;

SELECT prepare_prediction_partition(day::date)
FROM (SELECT DISTINCT date_trunc('day', created_at AT TIME ZONE 'UTC') AS day FROM predictions_unpartitioned) days;
INSERT INTO "predictions" SELECT id, model, version, entity_id, features, predictions, latency_us, cached, correlation_id, created_at
FROM "predictions_unpartitioned";
DROP TABLE "predictions_unpartitioned";
