-- How each model is watched where that differs from the defaults, and what its monitors found.

CREATE TABLE "monitors" (
  "model" TEXT NOT NULL,
  "settings" JSONB NOT NULL,
  "updated_by" TEXT NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("model")
);

CREATE TABLE "monitor_findings" (
  "id" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "version" TEXT,
  "monitor" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "segment" TEXT NOT NULL,
  "window_start" TIMESTAMPTZ(3) NOT NULL,
  "window_end" TIMESTAMPTZ(3) NOT NULL,
  "state" TEXT NOT NULL,
  "severity" TEXT NOT NULL,
  "value" DOUBLE PRECISION,
  "threshold" DOUBLE PRECISION,
  "summary" TEXT NOT NULL,
  "evidence" JSONB NOT NULL,
  "found_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("id")
);
CREATE INDEX "monitor_findings_model_window_end_idx" ON "monitor_findings" ("model", "window_end" DESC);
CREATE INDEX "monitor_findings_model_monitor_subject_idx" ON "monitor_findings" ("model", "monitor", "subject", "segment", "window_end" DESC);
CREATE INDEX "monitor_findings_found_at_idx" ON "monitor_findings" ("found_at");
