-- Tokens of programs. What is kept is a hash: nobody can read a token back.
CREATE TABLE "service_tokens" (
  "id" TEXT PRIMARY KEY,
  "name" TEXT NOT NULL,
  -- How the token begins, so that its owner can tell which one it is.
  "prefix" TEXT NOT NULL,
  "hash" BYTEA NOT NULL UNIQUE,
  "role" TEXT NOT NULL CHECK ("role" IN ('viewer', 'predictor', 'engineer', 'operator', 'admin')),
  -- Names of models; null for all.
  "models" JSONB,
  -- Made by a worker for its own calls to the API; short-lived and not listed.
  "is_internal" BOOLEAN NOT NULL DEFAULT false,
  "created_by" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3),
  "revoked_at" TIMESTAMPTZ(3),
  "revoked_by" TEXT,
  "last_used_at" TIMESTAMPTZ(3)
);
CREATE INDEX "service_tokens_created_at_id_idx" ON "service_tokens" ("created_at" DESC, "id" DESC);
-- Who did something is told by the name, so two that are in use never share one.
CREATE UNIQUE INDEX "service_tokens_name" ON "service_tokens" ("name") WHERE "revoked_at" IS NULL AND NOT "is_internal";

CREATE FUNCTION tell_tokens() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('mlops_tokens', '');
  RETURN NULL;
END $$;
CREATE TRIGGER "service_tokens_tell" AFTER INSERT OR DELETE OR UPDATE OF "revoked_at", "expires_at", "role", "models" ON "service_tokens"
  FOR EACH STATEMENT EXECUTE FUNCTION tell_tokens();
