-- Sources that are read in increments, uploads, and events that were sent one by one.

CREATE TABLE "source_watermarks" (
  "id" TEXT PRIMARY KEY,
  "data_type" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "cursor_column" TEXT NOT NULL,
  "value" TEXT NOT NULL,
  "seen" TEXT[] NOT NULL DEFAULT '{}',
  "version" INTEGER NOT NULL,
  "dataset_id" TEXT NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "source_watermarks_updated_at_id_idx" ON "source_watermarks" ("updated_at" DESC, "id");

CREATE TABLE "source_pulls" (
  "id" TEXT PRIMARY KEY,
  "job_id" TEXT NOT NULL,
  "watermark_id" TEXT NOT NULL,
  "base_version" INTEGER NOT NULL,
  "data_type" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "cursor_column" TEXT NOT NULL,
  "value" TEXT NOT NULL,
  "seen" TEXT[] NOT NULL DEFAULT '{}'
);
CREATE INDEX "source_pulls_job_id_idx" ON "source_pulls" ("job_id");

CREATE TABLE "uploads" (
  "id" TEXT PRIMARY KEY,
  "format" TEXT NOT NULL,
  "compression" TEXT NOT NULL,
  "bytes" BIGINT NOT NULL,
  "digest" TEXT NOT NULL,
  "created_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3) NOT NULL
);
CREATE INDEX "uploads_expires_at_idx" ON "uploads" ("expires_at");
