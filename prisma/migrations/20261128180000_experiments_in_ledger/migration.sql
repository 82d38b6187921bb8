-- The ledger also tells which experiments divided the traffic: their entities are answered by the versions of their arms.
ALTER TABLE "traffic_ledger" ADD COLUMN "experiments" JSONB NOT NULL DEFAULT '[]';

CREATE FUNCTION running_experiments(of_model TEXT) RETURNS JSONB LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('experiment_id', e.id, 'traffic', (e.end_bucket - e.first_bucket) / 100.0,
    'arms', (SELECT jsonb_agg(jsonb_build_object('arm', a->>'arm', 'version', a->>'version', 'weight', (a->>'weight')::float8,
       'retired', (a->>'retired')::boolean)) FROM jsonb_array_elements(e.arms) a)) ORDER BY e.id), '[]')
  FROM experiments e WHERE e.model = of_model AND e.state = 'running'
$$;

CREATE OR REPLACE FUNCTION record_traffic() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO traffic_ledger (model, deployment_id, experiments) VALUES (OLD.model, OLD.deployment_id, running_experiments(OLD.model));
  ELSIF TG_OP = 'INSERT' OR (OLD.version, OLD.candidate_version, OLD.phase, OLD.share) IS DISTINCT FROM
      (NEW.version, NEW.candidate_version, NEW.phase, NEW.share) THEN
    INSERT INTO traffic_ledger (model, version, candidate_version, phase, share, deployment_id, experiments)
    VALUES (NEW.model, NEW.version, NEW.candidate_version, NEW.phase, NEW.share, coalesce(NEW.rollout_id, NEW.deployment_id),
      running_experiments(NEW.model));
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION record_experiment_traffic() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  now_running JSONB := running_experiments(NEW.model);
BEGIN
  INSERT INTO traffic_ledger (model, version, candidate_version, phase, share, deployment_id, experiments)
  SELECT r.model, r.version, r.candidate_version, r.phase, r.share, coalesce(r.rollout_id, r.deployment_id), now_running
  FROM routes r WHERE r.model = NEW.model AND now_running IS DISTINCT FROM
    (SELECT t.experiments FROM traffic_ledger t WHERE t.model = NEW.model ORDER BY t.id DESC LIMIT 1);
  RETURN NULL;
END $$;
CREATE TRIGGER "experiments_record_traffic" AFTER INSERT OR UPDATE OF "state", "arms" ON "experiments"
  FOR EACH ROW EXECUTE FUNCTION record_experiment_traffic();

-- The sandbox of the drills is nobody's model: only who asks for it by name is told of it.
CREATE OR REPLACE FUNCTION tell_webhooks() RETURNS TRIGGER LANGUAGE plpgsql AS $$
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
  WHERE ((w.model IS NULL AND NEW.model <> 'rollout_drill') OR w.model = NEW.model) AND (w.events = '[]' OR w.events ? event);
  IF FOUND THEN PERFORM pg_notify('mlops_webhooks', ''); END IF;
  RETURN NULL;
END $$;
