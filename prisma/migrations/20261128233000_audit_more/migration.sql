-- What came after the audit log: rules, silences and changes of alerts, and repairs.
CREATE TRIGGER "alert_rules_audit" AFTER INSERT OR UPDATE OR DELETE ON "alert_rules" FOR EACH ROW
  EXECUTE FUNCTION audit_row('alert_rule', 'name', 'updated_by', 'updated_at');
CREATE TRIGGER "alert_silences_audit" AFTER INSERT OR UPDATE OR DELETE ON "alert_silences" FOR EACH ROW
  EXECUTE FUNCTION audit_row('silence', 'id', 'created_by', 'starts_at,ends_at');
CREATE TRIGGER "repairs_audit" AFTER INSERT ON "repairs" FOR EACH ROW
  EXECUTE FUNCTION audit_row('repair', 'id', 'requested_by', 'state,alert_id,former_version,job_id');
CREATE TRIGGER "repairs_audit_change" AFTER UPDATE OF "state", "new_version" ON "repairs" FOR EACH ROW
  WHEN (NEW."state" IS DISTINCT FROM OLD."state" OR NEW."new_version" IS DISTINCT FROM OLD."new_version")
  EXECUTE FUNCTION audit_row('repair', 'id', '', 'state,new_version,job_id');

-- Of an alert each change has a row of its own already, which knows who made it; the model stands in the alert. Notes are texts of
-- persons and stay there.
CREATE FUNCTION audit_alert() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_inbox (kind, action, subject, model, target, detail)
  SELECT 'change', 'alert.' || NEW.event, NEW."by", model, id, jsonb_build_object('rule', rule, 'severity', severity)
  FROM alerts WHERE id = NEW.alert_id;
  RETURN NULL;
END $$;
CREATE TRIGGER "alert_events_audit" AFTER INSERT ON "alert_events" FOR EACH ROW EXECUTE FUNCTION audit_alert();
