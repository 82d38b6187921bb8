-- The life of a version: its state, who changed it, notes, tags and approvals, and webhooks that tell of every change.

ALTER TABLE "model_versions"
  ADD COLUMN "state" TEXT NOT NULL DEFAULT 'registered',
  ADD COLUMN "tags" JSONB NOT NULL DEFAULT '{}',
  ADD CONSTRAINT "model_versions_state_check" CHECK (
    "state" IN ('registered', 'candidate', 'shadow', 'canary', 'production', 'retired', 'archived'));
ALTER TABLE "jobs" ADD COLUMN "requested_by" TEXT;

-- Every change of a state is a row here, and a row here is the only way to change a state.
CREATE TABLE "version_events" (
  "id" BIGSERIAL PRIMARY KEY,
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "from_state" TEXT,
  "to_state" TEXT NOT NULL CHECK (
    "to_state" IN ('registered', 'candidate', 'shadow', 'canary', 'production', 'retired', 'archived', 'deleted')),
  "subject" TEXT NOT NULL,
  "reason" TEXT,
  "deployment_id" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX "version_events_model_version_id_idx" ON "version_events" ("model", "version", "id" DESC);

-- What was registered before states existed: its state follows from the routes and from who has served.
UPDATE "model_versions" v SET "state" = CASE
  WHEN EXISTS (SELECT 1 FROM routes r WHERE r.model = v.model AND r.version = v.version) THEN 'production'
  WHEN EXISTS (SELECT 1 FROM routes r WHERE r.model = v.model AND r.candidate_version = v.version)
    THEN (SELECT r.phase FROM routes r WHERE r.model = v.model)
  WHEN EXISTS (SELECT 1 FROM traffic_ledger t WHERE t.model = v.model AND t.version = v.version)
    OR EXISTS (SELECT 1 FROM deployments d WHERE d.model = v.model AND d.version = v.version AND d.state = 'promoted')
    THEN 'retired'
  ELSE 'registered' END;
-- A version on trial that has served before goes back to "retired" and not to "candidate" when the trial ends: that is told from this table.
INSERT INTO "version_events" ("model", "version", "to_state", "subject", "reason")
SELECT v.model, v.version, 'retired', 'system', 'It had served before states were written down.'
FROM "model_versions" v
WHERE v.state IN ('shadow', 'canary') AND EXISTS (
  SELECT 1 FROM traffic_ledger t WHERE t.model = v.model AND t.version = v.version);
INSERT INTO "version_events" ("model", "version", "from_state", "to_state", "subject", "reason")
SELECT v.model, v.version, (SELECT e.to_state FROM version_events e WHERE e.model = v.model AND e.version = v.version),
  v.state, 'system', 'Its state when states began to be written down.'
FROM "model_versions" v ORDER BY v.created_at, v.model, v.version;

CREATE FUNCTION apply_version_event() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  present TEXT;
BEGIN
  IF NEW.to_state = 'deleted' THEN RETURN NEW; END IF;
  SELECT state INTO present FROM model_versions WHERE model = NEW.model AND version = NEW.version FOR NO KEY UPDATE;
  IF present IS NULL THEN RAISE EXCEPTION 'there is no version % of %', NEW.version, NEW.model; END IF;
  IF NOT EXISTS (SELECT 1 FROM version_events WHERE model = NEW.model AND version = NEW.version) THEN
    NEW.from_state := NULL;
    RETURN NEW;
  END IF;
  IF present = 'archived' AND NEW.to_state IN ('shadow', 'canary', 'production') THEN
    RAISE EXCEPTION '% % is archived and takes no traffic', NEW.model, NEW.version;
  END IF;
  NEW.from_state := present;
  UPDATE model_versions SET state = NEW.to_state WHERE model = NEW.model AND version = NEW.version;
  RETURN NEW;
END $$;
CREATE TRIGGER "version_events_apply" BEFORE INSERT ON "version_events" FOR EACH ROW EXECUTE FUNCTION apply_version_event();
CREATE TRIGGER "version_events_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "version_events"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION record_version() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO version_events (model, version, to_state, subject, reason)
    SELECT NEW.model, NEW.version, NEW.state,
      coalesce((SELECT requested_by FROM jobs WHERE id = NEW.job_id), 'system'), 'Registered by the job ' || NEW.job_id || '.';
  -- Depth 1 is a statement of a program; the only other one is the trigger above.
  ELSIF NEW.state IS DISTINCT FROM OLD.state AND pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'the state of a version is changed by a row in version_events only';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "model_versions_record" AFTER INSERT OR UPDATE OF "state" ON "model_versions"
  FOR EACH ROW EXECUTE FUNCTION record_version();

-- Whoever changes a route (a rollout, its end, a rollback, recovery) changes the states of its versions in the same moment.
CREATE FUNCTION settle_version_states() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  of_model TEXT;
  present TEXT;
  trial TEXT;
  trial_phase TEXT;
  -- The rollout that has changed the route, and the one whose trial this was or is.
  changed_by TEXT;
  tried_by TEXT;
BEGIN
  IF TG_OP = 'DELETE' THEN
    of_model := OLD.model;
    changed_by := OLD.deployment_id;
    tried_by := coalesce(OLD.rollout_id, OLD.deployment_id);
  ELSE
    IF TG_OP = 'UPDATE' AND (OLD.version, OLD.candidate_version, OLD.phase) IS NOT DISTINCT FROM
        (NEW.version, NEW.candidate_version, NEW.phase) THEN
      RETURN NULL;
    END IF;
    of_model := NEW.model;
    present := NEW.version;
    trial := NEW.candidate_version;
    trial_phase := NEW.phase;
    changed_by := NEW.deployment_id;
    tried_by := NEW.rollout_id;
    IF tried_by IS NULL AND TG_OP = 'UPDATE' THEN
      tried_by := CASE WHEN OLD.deployment_id = NEW.deployment_id THEN OLD.rollout_id ELSE NEW.deployment_id END;
    END IF;
  END IF;
  INSERT INTO version_events (model, version, to_state, subject, reason, deployment_id)
  SELECT v.model, v.version, wanted.state, coalesce(j.requested_by, 'system'),
    CASE
      WHEN wanted.state = 'production' THEN coalesce(d.reason, 'It has the traffic by the rollout ' || d.id || '.')
      WHEN wanted.state IN ('shadow', 'canary') THEN 'It is on trial: ' || wanted.state || '.'
      WHEN d.strategy = 'rollback' THEN d.reason
      WHEN d.version = v.version OR present IS NULL THEN coalesce(d.reason, 'Its rollout is over.')
      ELSE present || ' has the traffic now.'
    END,
    wanted.deployment_id
  FROM model_versions v
  CROSS JOIN LATERAL (
    SELECT
      CASE
        WHEN v.version = present THEN 'production'
        WHEN v.version = trial THEN trial_phase
        WHEN EXISTS (SELECT 1 FROM version_events e
          WHERE e.model = v.model AND e.version = v.version AND e.to_state IN ('production', 'retired')) THEN 'retired'
        ELSE 'candidate'
      END AS state,
      CASE WHEN v.version = present OR (v.version IS DISTINCT FROM trial AND v.state = 'production')
        THEN changed_by ELSE coalesce(tried_by, changed_by) END AS deployment_id
  ) wanted
  LEFT JOIN deployments d ON d.id = wanted.deployment_id
  LEFT JOIN jobs j ON j.id = d.job_id
  WHERE v.model = of_model AND v.state <> wanted.state
    AND (v.version IN (present, trial) OR v.state IN ('shadow', 'canary', 'production'))
  -- First who leaves, then who comes.
  ORDER BY wanted.state IN ('shadow', 'canary', 'production'), v.version;
  RETURN NULL;
END $$;
CREATE TRIGGER "routes_settle_version_states" AFTER INSERT OR UPDATE OR DELETE ON "routes"
  FOR EACH ROW EXECUTE FUNCTION settle_version_states();

-- Of a rollout and an archiving at the same moment one comes first and the other sees it: both lock the row of the version.
CREATE FUNCTION refuse_archived_version() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  present TEXT;
BEGIN
  IF NEW.finished_at IS NOT NULL THEN RETURN NEW; END IF;
  SELECT state INTO present FROM model_versions WHERE model = NEW.model AND version = NEW.version FOR SHARE;
  IF present = 'archived' THEN RAISE EXCEPTION '% % is archived and takes no traffic', NEW.model, NEW.version; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "deployments_refuse_archived" BEFORE INSERT ON "deployments"
  FOR EACH ROW EXECUTE FUNCTION refuse_archived_version();

CREATE FUNCTION record_version_deletion() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO version_events (model, version, from_state, to_state, subject, reason)
  VALUES (OLD.model, OLD.version, OLD.state, 'deleted', coalesce(nullif(current_setting('mlops.subject', true), ''), 'system'),
    nullif(current_setting('mlops.reason', true), ''));
  RETURN NULL;
END $$;
CREATE TRIGGER "model_versions_record_deletion" AFTER DELETE ON "model_versions"
  FOR EACH ROW EXECUTE FUNCTION record_version_deletion();

-- What people say about a version. Rows are only ever added.
CREATE TABLE "version_notes" (
  "id" BIGSERIAL PRIMARY KEY,
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "text" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX "version_notes_model_version_id_idx" ON "version_notes" ("model", "version", "id" DESC);
CREATE TRIGGER "version_notes_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "version_notes"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who agreed and who did not. The latest of a subject stands.
CREATE TABLE "version_approvals" (
  "id" BIGSERIAL PRIMARY KEY,
  "model" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "decision" TEXT NOT NULL CHECK ("decision" IN ('approve', 'reject')),
  "subject" TEXT NOT NULL,
  "role" TEXT NOT NULL,
  "note" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX "version_approvals_model_version_id_idx" ON "version_approvals" ("model", "version", "id" DESC);
CREATE TRIGGER "version_approvals_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "version_approvals"
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who is told of changes. The secret lies apart, so that nothing that lists webhooks can show it.
CREATE TABLE "webhooks" (
  "id" TEXT PRIMARY KEY,
  "url" TEXT NOT NULL,
  -- Names of events; empty for all.
  "events" JSONB NOT NULL DEFAULT '[]',
  "model" TEXT,
  "description" TEXT,
  "subject" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "webhook_secrets" (
  "webhook_id" TEXT PRIMARY KEY REFERENCES "webhooks" ("id") ON DELETE CASCADE,
  "secret" TEXT NOT NULL
);

-- The outbox: written in the transaction of the change, sent afterwards by whoever claims it.
CREATE TABLE "webhook_deliveries" (
  "id" TEXT PRIMARY KEY DEFAULT 'dlv-' || replace(gen_random_uuid()::text, '-', ''),
  "webhook_id" TEXT NOT NULL REFERENCES "webhooks" ("id") ON DELETE CASCADE,
  -- The id of the message: the same for all webhooks and each time that it is sent.
  "message_id" TEXT NOT NULL,
  "event" TEXT NOT NULL,
  -- The very bytes that are signed and sent.
  "body" TEXT NOT NULL,
  "state" TEXT NOT NULL DEFAULT 'pending' CHECK ("state" IN ('pending', 'delivered', 'dead')),
  -- Since it was made, or was asked for again.
  "attempts" INTEGER NOT NULL DEFAULT 0,
  "next_attempt_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
  "finished_at" TIMESTAMPTZ(3),
  UNIQUE ("webhook_id", "message_id")
);
CREATE INDEX "webhook_deliveries_due_idx" ON "webhook_deliveries" ("webhook_id", "next_attempt_at") WHERE "state" = 'pending';
CREATE INDEX "webhook_deliveries_webhook_id_created_at_idx" ON "webhook_deliveries" ("webhook_id", "created_at" DESC, "id" DESC);

CREATE TABLE "webhook_attempts" (
  "id" BIGSERIAL PRIMARY KEY,
  "delivery_id" TEXT NOT NULL REFERENCES "webhook_deliveries" ("id") ON DELETE CASCADE,
  "status_code" INTEGER,
  "latency_ms" INTEGER NOT NULL,
  "error" TEXT,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "webhook_attempts_delivery_id_idx" ON "webhook_attempts" ("delivery_id", "id");

CREATE FUNCTION tell_webhooks() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  event TEXT := 'version.' || NEW.to_state;
BEGIN
  INSERT INTO webhook_deliveries (webhook_id, message_id, event, body)
  SELECT w.id, 'evt-' || NEW.id, event, jsonb_build_object(
    'id', 'evt-' || NEW.id, 'sequence', NEW.id, 'type', event,
    'timestamp', to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'data', jsonb_build_object('model', NEW.model, 'version', NEW.version, 'from', NEW.from_state, 'to', NEW.to_state,
      'by', NEW.subject, 'reason', NEW.reason, 'deployment_id', NEW.deployment_id))::text
  FROM webhooks w
  WHERE (w.model IS NULL OR w.model = NEW.model) AND (w.events = '[]' OR w.events ? event);
  IF FOUND THEN PERFORM pg_notify('mlops_webhooks', ''); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "version_events_tell_webhooks" AFTER INSERT ON "version_events" FOR EACH ROW EXECUTE FUNCTION tell_webhooks();
