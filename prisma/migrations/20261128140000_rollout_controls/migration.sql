-- Times in which no rollout takes a step up, and who wanted what of a rollout.

CREATE TABLE "traffic_freezes" (
  "name" TEXT PRIMARY KEY,
  "model" TEXT,
  "reason" TEXT NOT NULL,
  "window" JSONB NOT NULL,
  "created_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Rows are only ever added. The key tells a repeated write from a second command.
CREATE TABLE "deployment_commands" (
  "deployment_id" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "action" TEXT NOT NULL,
  "by" TEXT NOT NULL,
  "note" TEXT,
  "detail" JSONB,
  "refused" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "deployment_commands_pkey" PRIMARY KEY ("deployment_id", "key")
);
CREATE TRIGGER "deployment_commands_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "deployment_commands"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
