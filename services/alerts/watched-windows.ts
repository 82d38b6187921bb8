import type { JudgedWindow } from '../../core/decisions/judge-alert.js';
import type { FindingState, Severity } from '../../core/monitoring/finding.js';
import { ruleOfFinding, type AlertRule } from '../../core/policy/alert-rules.js';
import type { Database } from '../database/database.js';

/** What is watched by a rule, with what was said of it in its latest windows, newest first. */
export interface WatchedThing {
  rule: AlertRule;
  model: string;
  monitor: string;
  subject: string;
  segment: string;
  windows: WatchedWindow[];
}

export interface WatchedWindow extends JudgedWindow {
  version: string | null;
  value: number | null;
  threshold: number | null;
  summary: string;
  /** Where its evidence is. */
  findingId?: string;
}

/** What `monitor` says of things that no monitor watches. */
export const PLATFORM = 'platform';

/** More than the longest hysteresis, with room for windows that could not be judged. */
const MOST_WINDOWS = 50;

interface FindingRow {
  id: string;
  model: string;
  monitor: string;
  subject: string;
  segment: string;
  version: string | null;
  window_end: Date;
  state: FindingState;
  severity: Severity;
  value: number | null;
  threshold: number | null;
  summary: string;
}

/** Of what was found since, only that matters which is an alarm or has an alert already. */
const FINDINGS = `WITH things AS (
    SELECT model, monitor, subject, segment FROM monitor_findings f WHERE found_at > $1
    GROUP BY model, monitor, subject, segment
    HAVING bool_or(state = 'alarm') OR EXISTS (SELECT 1 FROM alerts a WHERE a.status <> 'resolved' AND a.model = f.model
      AND a.monitor = f.monitor AND a.subject = f.subject AND a.segment = f.segment))
  SELECT f.id, f.model, f.monitor, f.subject, f.segment, f.version, f.window_end, f.state, f.severity, f.value, f.threshold, f.summary
  FROM things t CROSS JOIN LATERAL (SELECT * FROM monitor_findings m WHERE m.model = t.model AND m.monitor = t.monitor
    AND m.subject = t.subject AND m.segment = t.segment ORDER BY m.window_end DESC LIMIT ${MOST_WINDOWS}) f
  ORDER BY f.model, f.monitor, f.subject, f.segment, f.window_end DESC`;

/** What monitors found since a moment, as far as a rule is for it. */
export async function readFoundThings(
  transaction: Pick<Database['prisma'], '$queryRawUnsafe'>,
  rules: readonly AlertRule[],
  since: Date,
): Promise<WatchedThing[]> {
  const rows = await transaction.$queryRawUnsafe<FindingRow[]>(FINDINGS, since);
  return gather(rows, ({ model, monitor, subject, segment }) =>
    ruleOfFinding(rules, { model, monitor, subject, segment }),
  );
}

interface ObservationRow extends Omit<FindingRow, 'id'> {
  rule: string;
}

const OBSERVATIONS = `SELECT o.rule, o.model, '${PLATFORM}' AS monitor, o.subject, '' AS segment, NULL AS version, o.window_end, o.state,
    'medium' AS severity, o.value, o.threshold, o.summary
  FROM alert_observations o WHERE o.window_end > $1
  ORDER BY o.rule, o.model, o.subject, o.window_end DESC`;
const OBSERVED_MINUTES = 60;

/** What the service observed of itself within the last hour. */
export async function readObservedThings(
  transaction: Pick<Database['prisma'], '$queryRawUnsafe'>,
  rules: readonly AlertRule[],
  now: Date,
): Promise<WatchedThing[]> {
  const since = new Date(now.getTime() - OBSERVED_MINUTES * 60_000);
  const rows = await transaction.$queryRawUnsafe<ObservationRow[]>(OBSERVATIONS, since);
  const known = new Map(
    rules.filter(({ enabled, when }) => enabled && 'metric' in when).map((rule) => [rule.name, rule]),
  );
  return gather(rows, ({ rule }) => known.get(rule));
}

/** Rows of one thing follow each other. */
function gather<Row extends Omit<FindingRow, 'id'> & { id?: string; rule?: string }>(
  rows: readonly Row[],
  ruleOf: (row: Row) => AlertRule | undefined,
): WatchedThing[] {
  const things = new Map<string, WatchedThing | undefined>();
  for (const row of rows) {
    const { model, monitor, subject, segment } = row;
    const key = JSON.stringify([row.rule ?? '', model, monitor, subject, segment]);
    if (!things.has(key)) {
      const rule = ruleOf(row);
      things.set(key, rule && { rule, model, monitor, subject, segment, windows: [] });
    }
    things.get(key)?.windows.push({
      endMs: row.window_end.getTime(),
      state: row.state,
      severity: row.severity === 'none' ? 'low' : row.severity,
      version: row.version,
      value: row.value,
      threshold: row.threshold,
      summary: row.summary,
      ...(row.id !== undefined && { findingId: row.id }),
    });
  }
  return [...things.values()].filter((thing) => thing !== undefined);
}
