-- Who is told of what: rules, silences, alerts with their history, and the outbox of the messages about them.

CREATE TABLE "alert_rules" (
  "name" TEXT NOT NULL,
  "definition" JSONB NOT NULL,
  "updated_by" TEXT NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("name")
);

CREATE TABLE "alert_silences" (
  "id" TEXT NOT NULL,
  "matcher" JSONB NOT NULL,
  "reason" TEXT NOT NULL,
  "starts_at" TIMESTAMPTZ(3) NOT NULL,
  "ends_at" TIMESTAMPTZ(3) NOT NULL,
  "created_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("id")
);
CREATE INDEX "alert_silences_ends_at_idx" ON "alert_silences" ("ends_at");

CREATE TABLE "alerts" (
  "id" TEXT NOT NULL,
  "rule" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "version" TEXT,
  "monitor" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "segment" TEXT NOT NULL,
  "severity" TEXT NOT NULL,
  "status" TEXT NOT NULL,
  "summary" TEXT NOT NULL,
  "value" DOUBLE PRECISION,
  "threshold" DOUBLE PRECISION,
  "evidence" JSONB NOT NULL,
  "owner" TEXT,
  "receivers" JSONB NOT NULL,
  "opened_window" TIMESTAMPTZ(3) NOT NULL,
  "last_window" TIMESTAMPTZ(3) NOT NULL,
  "false_alarm" BOOLEAN NOT NULL DEFAULT FALSE,
  "opened_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "acknowledged_at" TIMESTAMPTZ(3),
  "acknowledged_by" TEXT,
  "resolved_at" TIMESTAMPTZ(3),
  "resolved_by" TEXT,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "alerts_one_open" ON "alerts" ("rule", "model", "monitor", "subject", "segment") WHERE "status" <> 'resolved';
CREATE INDEX "alerts_opened_at_id_idx" ON "alerts" ("opened_at" DESC, "id" DESC);
CREATE INDEX "alerts_model_opened_at_idx" ON "alerts" ("model", "opened_at" DESC);
CREATE INDEX "alerts_rule_model_monitor_subject_idx" ON "alerts" ("rule", "model", "monitor", "subject", "segment", "last_window" DESC);

-- What happened to an alert and who did it. The key tells a repeated write from a second change.
CREATE TABLE "alert_events" (
  "id" BIGSERIAL NOT NULL,
  "alert_id" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "event" TEXT NOT NULL,
  "by" TEXT NOT NULL,
  "note" TEXT,
  "detail" JSONB,
  "telling" TEXT NOT NULL,
  "message_id" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "alert_events_alert_id_key_key" ON "alert_events" ("alert_id", "key");
CREATE INDEX "alert_events_waiting_idx" ON "alert_events" ("id") WHERE "telling" = 'waiting';

-- Of what the service watches itself: one judgement of a rule, of one thing, in one window.
CREATE TABLE "alert_observations" (
  "rule" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "window_end" TIMESTAMPTZ(3) NOT NULL,
  "state" TEXT NOT NULL,
  "value" DOUBLE PRECISION,
  "threshold" DOUBLE PRECISION,
  "summary" TEXT NOT NULL,
  PRIMARY KEY ("rule", "model", "subject", "window_end")
);
CREATE INDEX "alert_observations_window_end_idx" ON "alert_observations" ("window_end");

-- How far the findings were looked at.
CREATE TABLE "alert_cursors" (
  "name" TEXT NOT NULL,
  "seen_until" TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY ("name")
);

-- The outbox: written in the transaction of the change, sent afterwards by whoever claims it.
CREATE TABLE "alert_deliveries" (
  "id" TEXT NOT NULL DEFAULT 'adl-' || replace(gen_random_uuid()::text, '-', ''),
  "receiver" TEXT NOT NULL,
  "message_id" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "body" TEXT NOT NULL,
  "state" TEXT NOT NULL DEFAULT 'pending',
  "attempts" INTEGER NOT NULL DEFAULT 0,
  "next_attempt_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "alert_deliveries_receiver_message_id_key" ON "alert_deliveries" ("receiver", "message_id");
CREATE INDEX "alert_deliveries_message_id_idx" ON "alert_deliveries" ("message_id");
CREATE INDEX "alert_deliveries_due_idx" ON "alert_deliveries" ("receiver", "next_attempt_at") WHERE "state" = 'pending';

CREATE TABLE "alert_attempts" (
  "id" BIGSERIAL NOT NULL,
  "delivery_id" TEXT NOT NULL REFERENCES "alert_deliveries" ("id") ON DELETE CASCADE,
  "status_code" INTEGER,
  "latency_ms" INTEGER NOT NULL,
  "error" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("id")
);
CREATE INDEX "alert_attempts_delivery_id_id_idx" ON "alert_attempts" ("delivery_id", "id");
