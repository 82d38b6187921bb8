import { daysOfQuery, type AnalyticsQuery } from '../../core/schemas/analytics.js';
import type { FindingState, Severity } from '../../core/monitoring/finding.js';
import type { DriftEffect, TestResult } from '../../ml/drift/column-drift.js';
import type { Database } from '../database/database.js';

/** What one entry of the series says of a column. Chances stand under `tests`, distances under `effects`. */
export interface DriftPoint {
  at: string;
  window_start: string;
  window_end: string;
  version: string | null;
  state: FindingState;
  severity: Severity;
  rows: number | null;
  reference_rows: number | null;
  tests: TestResult[];
  effects: DriftEffect[];
  missing: { reference: number; current: number } | null;
  cause: string | null;
  advice: string | null;
  summary: string;
}

interface Row {
  subject: string;
  segment: string;
  at: Date;
  window_start: Date;
  window_end: Date;
  version: string | null;
  state: FindingState;
  severity: Severity;
  summary: string;
  rows: number | null;
  reference_rows: number | null;
  tests: TestResult[] | null;
  effects: DriftEffect[] | null;
  missing: DriftPoint['missing'];
  cause: string | null;
  advice: string | null;
}

/** A window counts to the day, or the hour, that its last moment lies in: one that ends at midnight to the day before. */
export const LAST_MOMENT = "window_end - interval '1 millisecond'";

/** What the drift monitor has found of each column, by day or hour; of several windows in one the worst is shown. */
export async function readDriftAnalytics({ pool }: Database, model: string, query: AnalyticsQuery, nowMs: number) {
  const { start_date, end_date, from, to } = daysOfQuery(query, nowMs);
  const { rows } = await pool.query<Row>(
    `SELECT DISTINCT ON (subject, segment, at) subject, segment, date_trunc($2, ${LAST_MOMENT}, 'UTC') AS at, window_start, window_end, version, state, severity,
       summary, evidence->'rows' AS rows, evidence->'reference_rows' AS reference_rows, evidence->'tests' AS tests, evidence->'effects' AS effects,
       evidence->'missing' AS missing, evidence#>>'{triage,cause}' AS cause, evidence->>'advice' AS advice
     FROM monitor_findings
     WHERE model = $1 AND monitor = 'drift' AND window_end > $3 AND window_end <= $4 AND ($5::text IS NULL OR version = $5)
       AND CASE WHEN $6::text IS NULL THEN segment = '' ELSE segment = $6 OR starts_with(segment, $6 || '=') END
     ORDER BY subject, segment, at, array_position(ARRAY['alarm', 'suspect', 'unknown', 'ok'], state), value DESC NULLS LAST`,
    [model, query.interval, from, to, query.version ?? null, query.segment ?? null],
  );
  const columns = new Map<string, { subject: string; segment: string; alarms: number; series: DriftPoint[] }>();
  for (const row of rows) {
    const key = JSON.stringify([row.subject, row.segment]);
    const column = columns.get(key) ?? { subject: row.subject, segment: row.segment, alarms: 0, series: [] };
    columns.set(key, column);
    if (row.state === 'alarm') column.alarms++;
    column.series.push(pointOf(row));
  }
  return { model, start_date, end_date, interval: query.interval, columns: [...columns.values()] };
}

const pointOf = (row: Row): DriftPoint => ({
  at: row.at.toISOString(),
  window_start: row.window_start.toISOString(),
  window_end: row.window_end.toISOString(),
  version: row.version,
  state: row.state,
  severity: row.severity,
  rows: row.rows,
  reference_rows: row.reference_rows,
  tests: row.tests ?? [],
  effects: row.effects ?? [],
  missing: row.missing,
  cause: row.cause,
  advice: row.advice,
  summary: row.summary,
});
