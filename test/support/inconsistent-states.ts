/** Versions whose state is not what the routes say, or not what their history ends with. There are never any. */
export const INCONSISTENT_STATES = `
  SELECT v.model, v.version, v.state FROM model_versions v LEFT JOIN routes r USING (model)
  WHERE (v.state = 'production') IS DISTINCT FROM coalesce(r.version = v.version, false)
    OR (v.state IN ('shadow', 'canary')) IS DISTINCT FROM coalesce(r.candidate_version = v.version AND r.version <> v.version, false)
    OR (v.state IN ('shadow', 'canary') AND v.state <> r.phase)
    OR v.state IS DISTINCT FROM (SELECT e.to_state FROM version_events e
      WHERE e.model = v.model AND e.version = v.version ORDER BY e.id DESC LIMIT 1)`;
