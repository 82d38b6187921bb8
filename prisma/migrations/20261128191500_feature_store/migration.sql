-- Feature views: each change of a definition is a version, and none is ever changed.
CREATE TABLE "feature_views" (
  "view" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  "digest" TEXT NOT NULL,
  "definition" JSONB NOT NULL,
  "declared_in" TEXT NOT NULL,
  "created_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "feature_views_pkey" PRIMARY KEY ("view", "version")
);

-- Each filling of the online store; the newest completed one of a version is its watermark.
CREATE TABLE "feature_materializations" (
  "id" TEXT NOT NULL,
  "view" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "mode" TEXT NOT NULL,
  "start_us" BIGINT,
  "end_us" BIGINT NOT NULL,
  "inputs" JSONB NOT NULL,
  "entities" INTEGER,
  "checksum" TEXT,
  "statistics" JSONB,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  CONSTRAINT "feature_materializations_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "feature_materializations_view_created_at_idx" ON "feature_materializations" ("view", "created_at" DESC);
-- One at a time: two would write each other's rows.
CREATE UNIQUE INDEX "feature_materializations_running" ON "feature_materializations" ("view") WHERE "state" = 'running';

-- The online store: what counts for each entity, as of `as_of_us`.
CREATE TABLE "feature_values" (
  "view" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  "entity_id" TEXT NOT NULL,
  "event_us" BIGINT NOT NULL,
  "as_of_us" BIGINT NOT NULL,
  "content" TEXT NOT NULL,
  CONSTRAINT "feature_values_pkey" PRIMARY KEY ("entity_id", "view", "version")
);
CREATE INDEX "feature_values_view_version_as_of_us_idx" ON "feature_values" ("view", "version", "as_of_us");
