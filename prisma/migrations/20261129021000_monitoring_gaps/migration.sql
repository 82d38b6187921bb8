-- The order of arrival goes on in another cluster of PostgreSQL, whose transactions have smaller numbers, and old rows are found by their age.

-- What is added to the number of a transaction; `settle_arrivals` writes it anew. Stable, so that it is part of the plans that use it.
CREATE FUNCTION arrival_offset() RETURNS BIGINT LANGUAGE sql STABLE AS 'SELECT 0::bigint';

ALTER TABLE "predictions" ALTER COLUMN "arrival" SET DEFAULT pg_current_xact_id()::text::bigint + arrival_offset();

CREATE OR REPLACE FUNCTION note_outcome_arrival() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  NEW.arrival := pg_current_xact_id()::text::bigint + arrival_offset();
  IF TG_OP = 'UPDATE' THEN NEW.revision := OLD.revision + 1; END IF;
  RETURN NEW;
END $$;

-- Rows that come from now on arrive behind all that is there and behind all that was summed up. Where they do so anyway, nothing changes.
CREATE FUNCTION settle_arrivals() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  own BIGINT := pg_current_xact_id()::text::bigint;
  latest BIGINT;
BEGIN
  SELECT greatest(
    (SELECT max(arrival) FROM rollup_cursors),
    (SELECT max(arrival) FROM predictions),
    (SELECT max(arrival) FROM prediction_outcomes)
  ) INTO latest;
  IF latest > own + arrival_offset() THEN
    EXECUTE format('CREATE OR REPLACE FUNCTION arrival_offset() RETURNS BIGINT LANGUAGE sql STABLE AS %L', format('SELECT %s::bigint', latest - own));
  END IF;
  RETURN arrival_offset();
END $$;

-- A database that was restored by an earlier release may be behind already.
SELECT settle_arrivals();

CREATE INDEX "runs_finished_at_idx" ON "runs" ("finished_at");
CREATE INDEX "jobs_finished_at_idx" ON "jobs" ("finished_at");
CREATE INDEX "alerts_resolved_at_idx" ON "alerts" ("resolved_at");
CREATE INDEX "performance_rollups_span_start_idx" ON "performance_rollups" ("span", "start");
