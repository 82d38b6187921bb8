-- Sums of the log of predictions and of its outcomes by hour and day, and what they need to take each row once.

-- The transaction that wrote a row. Rows of transactions below the oldest one under way are all there, so a reader that stops there misses
-- none and takes none twice. Rows of earlier releases have 0 and come first.
ALTER TABLE "predictions" ADD COLUMN "arrival" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "predictions" ALTER COLUMN "arrival" SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX "predictions_arrival_idx" ON "predictions" ("arrival");

ALTER TABLE "prediction_outcomes" ADD COLUMN "arrival" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "prediction_outcomes" ADD COLUMN "revision" INTEGER NOT NULL DEFAULT 1;
CREATE INDEX "prediction_outcomes_arrival_idx" ON "prediction_outcomes" ("arrival");

-- A report that is sent again with another outcome is a new arrival.
CREATE FUNCTION note_outcome_arrival() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  NEW.arrival := pg_current_xact_id()::text::bigint;
  IF TG_OP = 'UPDATE' THEN NEW.revision := OLD.revision + 1; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "prediction_outcomes_arrival" BEFORE INSERT OR UPDATE ON "prediction_outcomes"
  FOR EACH ROW EXECUTE FUNCTION note_outcome_arrival();

CREATE TABLE "performance_rollups" (
  "model" TEXT NOT NULL,
  "span" TEXT NOT NULL,
  "start" TIMESTAMPTZ(3) NOT NULL,
  "version" TEXT NOT NULL,
  "arm" TEXT NOT NULL,
  "segment" TEXT NOT NULL,
  "answers" JSONB NOT NULL DEFAULT '{}',
  "outcomes" JSONB NOT NULL DEFAULT '{}',
  PRIMARY KEY ("model", "span", "start", "version", "arm", "segment")
);

CREATE TABLE "rollup_cursors" (
  "log" TEXT NOT NULL,
  "arrival" BIGINT NOT NULL,
  "moved_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("log")
);
INSERT INTO "rollup_cursors" ("log", "arrival") VALUES ('predictions', 0), ('outcomes', 0);

CREATE TABLE "rollup_corrections" (
  "model" TEXT NOT NULL,
  "hour" TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY ("model", "hour")
);

CREATE TABLE "stream_states" (
  "model" TEXT NOT NULL,
  "state" JSONB NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("model")
);
