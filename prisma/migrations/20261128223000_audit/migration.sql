-- What was done, by whom: rows that each have the hash of the one before, so that none can be changed, removed or moved unseen.
CREATE TABLE "audit_log" (
  -- Without gaps, in the order of the commits.
  "seq" BIGINT PRIMARY KEY,
  "at" TIMESTAMPTZ(6) NOT NULL,
  "kind" TEXT NOT NULL CHECK ("kind" IN ('call', 'denied', 'change', 'decision', 'key_use')),
  "action" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "role" TEXT,
  "address" TEXT,
  "model" TEXT,
  "target" TEXT,
  "status" INTEGER,
  "correlation_id" TEXT,
  "detail" JSONB NOT NULL,
  "previous" BYTEA NOT NULL,
  "hash" BYTEA NOT NULL
);
CREATE INDEX "audit_log_at_idx" ON "audit_log" ("at");
CREATE INDEX "audit_log_subject_seq_idx" ON "audit_log" ("subject", "seq" DESC);

-- The last row, locked by whoever adds one. It tells as well when rows at the end are gone.
CREATE TABLE "audit_head" (
  "id" BOOLEAN PRIMARY KEY DEFAULT true CHECK ("id"),
  "seq" BIGINT NOT NULL,
  "hash" BYTEA NOT NULL
);
INSERT INTO "audit_head" ("seq", "hash") VALUES (0, decode(repeat('00', 32), 'hex'));

-- Entries wait here until their transaction commits: only then they get their place in the chain, so that no transaction holds the chain while it
-- works. To everybody else this table is always empty.
CREATE TABLE "audit_inbox" (
  "id" BIGSERIAL PRIMARY KEY,
  "kind" TEXT NOT NULL,
  "action" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "role" TEXT,
  "address" TEXT,
  "model" TEXT,
  "target" TEXT,
  "status" INTEGER,
  "correlation_id" TEXT,
  "detail" JSONB NOT NULL DEFAULT '{}'
);

-- What the hash of a row is taken over, besides the hash before: every other column.
CREATE FUNCTION audit_hash("row" audit_log) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256("row".previous || convert_to(jsonb_build_array("row".seq, extract(epoch FROM "row".at), "row".kind, "row".action, "row".subject, "row".role,
    "row".address, "row".model, "row".target, "row".status, "row".correlation_id, "row".detail)::text, 'UTF8'))
$$;

CREATE FUNCTION seal_audit() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  head audit_head;
  sealed audit_log;
BEGIN
  SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
  sealed.seq := head.seq + 1;
  -- While the head is locked, so that times and places go the same way.
  sealed.at := clock_timestamp();
  sealed.kind := NEW.kind;
  sealed.action := NEW.action;
  sealed.subject := NEW.subject;
  sealed.role := NEW.role;
  sealed.address := NEW.address;
  sealed.model := NEW.model;
  sealed.target := NEW.target;
  sealed.status := NEW.status;
  sealed.correlation_id := NEW.correlation_id;
  sealed.detail := NEW.detail;
  sealed.previous := head.hash;
  sealed.hash := audit_hash(sealed);
  INSERT INTO audit_log SELECT sealed.*;
  UPDATE audit_head SET seq = sealed.seq, hash = sealed.hash;
  DELETE FROM audit_inbox WHERE id = NEW.id;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "audit_inbox_seal" AFTER INSERT ON "audit_inbox"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seal_audit();

-- Nobody adds rows but the function above, and nobody changes or removes any.
CREATE FUNCTION refuse_unsealed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN RAISE EXCEPTION 'rows of % are written by the audit log itself', TG_TABLE_NAME; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "audit_log_sealed_only" BEFORE INSERT ON "audit_log" FOR EACH STATEMENT EXECUTE FUNCTION refuse_unsealed();
CREATE TRIGGER "audit_log_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_log"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_head_sealed_only" BEFORE UPDATE ON "audit_head" FOR EACH STATEMENT EXECUTE FUNCTION refuse_unsealed();
CREATE TRIGGER "audit_head_stays" BEFORE INSERT OR DELETE OR TRUNCATE ON "audit_head"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_inbox_sealed_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_inbox"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_unsealed();
-- The rights, too, for databases whose user is no superuser.
DO $$
BEGIN
  EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC, %I', current_user);
END $$;

-- Writes down the change of a row in the transaction of the change.
-- Arguments: the noun; the columns, separated by commas, that name the row, that tell who did it (the first that is set), and that are shown.
CREATE FUNCTION audit_row() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  content JSONB := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
  who TEXT := nullif(current_setting('mlops.subject', true), '');
  name TEXT;
BEGIN
  IF TG_OP <> 'DELETE' THEN
    FOREACH name IN ARRAY string_to_array(TG_ARGV[2], ',') LOOP
      EXIT WHEN who IS NOT NULL;
      who := content ->> name;
    END LOOP;
  END IF;
  INSERT INTO audit_inbox (kind, action, subject, model, target, correlation_id, detail)
  SELECT CASE WHEN TG_ARGV[0] = 'traffic' THEN 'decision' ELSE 'change' END,
    TG_ARGV[0] || '.' || CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
    coalesce(who, 'system'), content ->> 'model',
    (SELECT string_agg(content ->> part, ' ' ORDER BY place) FROM unnest(string_to_array(TG_ARGV[1], ',')) WITH ORDINALITY AS parts(part, place)),
    content ->> 'correlation_id',
    coalesce((SELECT jsonb_object_agg(part, content -> part) FROM unnest(string_to_array(TG_ARGV[3], ',')) AS parts(part)), '{}');
  RETURN NULL;
END $$;

CREATE TRIGGER "jobs_audit" AFTER INSERT ON "jobs" FOR EACH ROW EXECUTE FUNCTION audit_row('job', 'id', 'requested_by', 'type');
CREATE TRIGGER "jobs_audit_end" AFTER UPDATE OF "status" ON "jobs" FOR EACH ROW
  WHEN (NEW."status" IS DISTINCT FROM OLD."status" AND NEW."status" IN ('completed', 'failed', 'cancelled'))
  EXECUTE FUNCTION audit_row('job', 'id', '', 'type,status');
CREATE TRIGGER "jobs_audit_removal" AFTER DELETE ON "jobs" FOR EACH ROW EXECUTE FUNCTION audit_row('job', 'id', '', 'type,status');
CREATE TRIGGER "datasets_audit" AFTER INSERT OR UPDATE OF "digest" OR DELETE ON "datasets" FOR EACH ROW EXECUTE FUNCTION audit_row('dataset', 'id', '', 'digest');
CREATE TRIGGER "data_schemas_audit" AFTER INSERT OR UPDATE ON "data_schemas" FOR EACH ROW
  EXECUTE FUNCTION audit_row('data_schema', 'data_type,version', 'accepted_by', 'digest');
CREATE TRIGGER "source_watermarks_audit" AFTER DELETE ON "source_watermarks" FOR EACH ROW EXECUTE FUNCTION audit_row('watermark', 'id', '', 'id');
CREATE TRIGGER "version_events_audit" AFTER INSERT ON "version_events" FOR EACH ROW
  EXECUTE FUNCTION audit_row('version_state', 'version', 'subject', 'from_state,to_state,deployment_id');
CREATE TRIGGER "version_notes_audit" AFTER INSERT ON "version_notes" FOR EACH ROW EXECUTE FUNCTION audit_row('version_note', 'version', 'subject', 'id');
CREATE TRIGGER "version_approvals_audit" AFTER INSERT ON "version_approvals" FOR EACH ROW
  EXECUTE FUNCTION audit_row('version_approval', 'version', 'subject', 'decision,role');
CREATE TRIGGER "model_aliases_audit" AFTER INSERT OR UPDATE OR DELETE ON "model_aliases" FOR EACH ROW
  EXECUTE FUNCTION audit_row('alias', 'alias', '', 'version');
CREATE TRIGGER "traffic_ledger_audit" AFTER INSERT ON "traffic_ledger" FOR EACH ROW
  EXECUTE FUNCTION audit_row('traffic', 'deployment_id', '', 'version,candidate_version,phase,share');
CREATE TRIGGER "deployment_commands_audit" AFTER INSERT ON "deployment_commands" FOR EACH ROW
  EXECUTE FUNCTION audit_row('rollout_command', 'deployment_id', 'by', 'action,refused');
CREATE TRIGGER "traffic_freezes_audit" AFTER INSERT OR UPDATE OR DELETE ON "traffic_freezes" FOR EACH ROW
  EXECUTE FUNCTION audit_row('freeze', 'name', 'created_by', 'window');
CREATE TRIGGER "experiments_audit" AFTER INSERT OR UPDATE OF "state" ON "experiments" FOR EACH ROW
  EXECUTE FUNCTION audit_row('experiment', 'id', '', 'state');
CREATE TRIGGER "feature_views_audit" AFTER INSERT ON "feature_views" FOR EACH ROW
  EXECUTE FUNCTION audit_row('feature_view', 'view,version', 'created_by', 'digest');
CREATE TRIGGER "webhooks_audit" AFTER INSERT OR DELETE ON "webhooks" FOR EACH ROW EXECUTE FUNCTION audit_row('webhook', 'id', 'subject', 'events');
CREATE TRIGGER "erasures_audit" AFTER INSERT OR UPDATE OF "state" ON "erasures" FOR EACH ROW
  EXECUTE FUNCTION audit_row('erasure', 'id', 'requested_by', 'state');
CREATE TRIGGER "service_tokens_audit" AFTER INSERT ON "service_tokens" FOR EACH ROW
  EXECUTE FUNCTION audit_row('token', 'id', 'created_by', 'name,prefix,role,models,expires_at,is_internal');
CREATE TRIGGER "service_tokens_audit_end" AFTER UPDATE OF "revoked_at", "role", "models", "expires_at", "hash" ON "service_tokens" FOR EACH ROW
  EXECUTE FUNCTION audit_row('token', 'id', 'revoked_by', 'name,role,models,expires_at,revoked_at');

-- Of a verdict also the digest of all that it followed from: evidence that is changed later does not fit it any more.
CREATE FUNCTION audit_window() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  content JSONB := to_jsonb(NEW);
BEGIN
  INSERT INTO audit_inbox (kind, action, subject, target, detail)
  VALUES ('decision', TG_ARGV[0] || '.judged', 'system', content ->> (TG_ARGV[0] || '_id'), jsonb_build_object('window', NEW."window",
    'verdict', NEW.verdict -> 'verdict',
    'digest', encode(sha256(convert_to(NEW.evidence::text || NEW.rule::text || NEW.verdict::text, 'UTF8')), 'hex')));
  RETURN NULL;
END $$;
CREATE TRIGGER "deployment_evidence_audit" AFTER INSERT OR UPDATE ON "deployment_evidence" FOR EACH ROW EXECUTE FUNCTION audit_window('deployment');
CREATE TRIGGER "experiment_evidence_audit" AFTER INSERT OR UPDATE ON "experiment_evidence" FOR EACH ROW EXECUTE FUNCTION audit_window('experiment');
CREATE TRIGGER "monitors_audit" AFTER INSERT OR UPDATE ON "monitors" FOR EACH ROW EXECUTE FUNCTION audit_row('monitor', 'model', 'updated_by', 'updated_at');
