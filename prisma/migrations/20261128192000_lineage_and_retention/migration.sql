-- A dataset that a job under way reads is held, so that retention leaves it; what a version learnt from is held by its lineage.
CREATE TABLE "dataset_holds" (
  "dataset_id" TEXT NOT NULL,
  "job_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "dataset_holds_pkey" PRIMARY KEY ("dataset_id", "job_id")
);
CREATE INDEX "dataset_holds_job_id_idx" ON "dataset_holds" ("job_id");

-- Erasures of persons. The workflow carries the id of the row; the name of the person leaves it when all is done.
CREATE TABLE "erasures" (
  "id" TEXT NOT NULL,
  "subject" TEXT,
  "state" TEXT NOT NULL,
  "report" JSONB NOT NULL DEFAULT '{}',
  "requested_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "finished_at" TIMESTAMPTZ(3),
  CONSTRAINT "erasures_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "erasures_created_at_id_idx" ON "erasures" ("created_at" DESC, "id" DESC);
-- A second call for the same person is the same erasure.
CREATE UNIQUE INDEX "erasures_subject" ON "erasures" ("subject") WHERE "subject" IS NOT NULL;
