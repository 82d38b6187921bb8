-- The same bytes as before, without a detour over JSONB, and STABLE as what it calls, so that PostgreSQL puts it into the query instead of calling it:
-- a million rows are checked several times faster.
CREATE OR REPLACE FUNCTION audit_hash("row" audit_log) RETURNS BYTEA LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256("row".previous || convert_to(json_build_array("row".seq, extract(epoch FROM "row".at), "row".kind, "row".action, "row".subject, "row".role,
    "row".address, "row".model, "row".target, "row".status, "row".correlation_id, "row".detail)::text, 'UTF8'))
$$;
