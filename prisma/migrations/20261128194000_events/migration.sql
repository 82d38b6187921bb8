-- Events that were sent one by one; each id once.

CREATE TABLE "events" (
  "data_type" TEXT NOT NULL,
  "event_id" TEXT NOT NULL,
  "number" BIGSERIAL NOT NULL,
  "received_at" TIMESTAMPTZ(3) NOT NULL,
  "payload" TEXT NOT NULL,
  PRIMARY KEY ("data_type", "event_id")
);
CREATE INDEX "events_received_at_idx" ON "events" USING BRIN ("received_at");
