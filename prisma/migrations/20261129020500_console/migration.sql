-- What jobs, their steps and their workflows have logged, the newest lines of each, for whoever looks at a job.

CREATE TABLE "job_log_lines" (
  "position" BIGSERIAL NOT NULL,
  "id" TEXT NOT NULL,
  "job_id" TEXT NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "level" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "step" TEXT,
  "attempt" INTEGER,
  "message" TEXT NOT NULL,
  "detail" JSONB NOT NULL,
  PRIMARY KEY ("position")
);
CREATE UNIQUE INDEX "job_log_lines_id_key" ON "job_log_lines" ("id");
CREATE INDEX "job_log_lines_job_id_position_idx" ON "job_log_lines" ("job_id", "position" DESC);
CREATE INDEX "job_log_lines_at_idx" ON "job_log_lines" ("at");
