-- CreateTable
CREATE TABLE "data_schemas" (
    "data_type" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "columns" JSONB NOT NULL,
    "changes" JSONB NOT NULL,
    "job_id" TEXT NOT NULL,
    "dataset_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "accepted_at" TIMESTAMPTZ(3),
    "accepted_by" TEXT,

    CONSTRAINT "data_schemas_pkey" PRIMARY KEY ("data_type","version")
);

-- CreateTable
CREATE TABLE "validation_reports" (
    "id" TEXT NOT NULL,
    "dataset_id" TEXT NOT NULL,
    "data_type" TEXT NOT NULL,
    "passed" BOOLEAN NOT NULL,
    "report" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "validation_reports_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "data_schemas_data_type_digest_key" ON "data_schemas"("data_type", "digest");

-- CreateIndex
CREATE INDEX "validation_reports_dataset_id_created_at_idx" ON "validation_reports"("dataset_id", "created_at" DESC);
