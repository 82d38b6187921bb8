import type { Finding, FindingState, MonitorName, Severity } from '../../core/monitoring/finding.js';
import type { Pool, PoolClient } from 'pg';
import type { Database, Prisma } from '../database/database.js';
import type { FindingsQuery } from '../../core/schemas/monitor-run.js';
import { digestOf } from '../canonical-json.js';
import { readPage } from '../database/read-page.js';

/** The channel on which those who alert hear of new findings; the payload is the model. */
export const FINDINGS_CHANNEL = 'mlops_findings';

/** A finding as it is kept. */
export interface KeptFinding extends Finding {
  id: string;
  foundAt: Date;
}

export interface FindingFilter {
  model: string;
  monitor?: MonitorName;
  /** Windows that end in [from, to). */
  from?: Date;
  to?: Date;
}

const findingId = ({ model, monitor, subject, segment, window }: Finding) =>
  digestOf([model, monitor, subject, segment, window.end.toISOString()]).slice(0, 32);

const present = (row: Prisma.MonitorFindingGetPayload<object>): KeptFinding => ({
  id: row.id,
  model: row.model,
  ...(row.version !== null && { version: row.version }),
  monitor: row.monitor as MonitorName,
  subject: row.subject,
  segment: row.segment,
  window: { start: row.windowStart, end: row.windowEnd },
  state: row.state as FindingState,
  severity: row.severity as Severity,
  ...(row.value !== null && { value: row.value }),
  ...(row.threshold !== null && { threshold: row.threshold }),
  summary: row.summary,
  evidence: row.evidence as Record<string, unknown>,
  foundAt: row.foundAt,
});

/**
 * Keeps what was found, all or nothing. A window that is judged again replaces its finding, so that a step may run twice.
 * Listeners of `FINDINGS_CHANNEL` hear of each model once it is committed.
 */
export async function writeFindings(
  { pool }: { pool: Pool | PoolClient },
  findings: readonly Finding[],
): Promise<void> {
  if (findings.length === 0) return;
  const rows = findings.map((finding) => ({
    id: findingId(finding),
    model: finding.model,
    version: finding.version ?? null,
    monitor: finding.monitor,
    subject: finding.subject,
    segment: finding.segment,
    window_start: finding.window.start.toISOString(),
    window_end: finding.window.end.toISOString(),
    state: finding.state,
    severity: finding.severity,
    value: Number.isFinite(finding.value) ? finding.value : null,
    threshold: Number.isFinite(finding.threshold) ? finding.threshold : null,
    summary: finding.summary,
    evidence: finding.evidence,
  }));
  await pool.query(
    `WITH written AS (
       INSERT INTO monitor_findings (id, model, version, monitor, subject, segment, window_start, window_end, state, severity, value, threshold, summary, evidence)
       SELECT id, model, version, monitor, subject, segment, window_start, window_end, state, severity, value, threshold, summary, evidence
       FROM jsonb_populate_recordset(NULL::monitor_findings, $1::jsonb)
       ORDER BY id
       ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, window_start = EXCLUDED.window_start, state = EXCLUDED.state,
         severity = EXCLUDED.severity, value = EXCLUDED.value, threshold = EXCLUDED.threshold, summary = EXCLUDED.summary,
         evidence = EXCLUDED.evidence, found_at = CURRENT_TIMESTAMP
       RETURNING model)
     SELECT pg_notify('${FINDINGS_CHANNEL}', model) FROM (SELECT DISTINCT model FROM written) AS models`,
    [JSON.stringify(rows)],
  );
}

/** A finding as callers see it. */
export const presentFinding = (finding: KeptFinding) => ({
  id: finding.id,
  model: finding.model,
  version: finding.version ?? null,
  monitor: finding.monitor,
  subject: finding.subject,
  segment: finding.segment,
  window_start: finding.window.start.toISOString(),
  window_end: finding.window.end.toISOString(),
  state: finding.state,
  severity: finding.severity,
  value: finding.value ?? null,
  threshold: finding.threshold ?? null,
  summary: finding.summary,
  evidence: finding.evidence,
  found_at: finding.foundAt.toISOString(),
});

/** A page of findings, latest windows first. @throws ServiceError `request_invalid` for a cursor that names nothing */
export async function listFindings(
  { prisma }: Pick<Database, 'prisma'>,
  model: string,
  { limit, cursor, monitor, state, subject, from, to }: FindingsQuery,
): Promise<{ items: ReturnType<typeof presentFinding>[]; next_cursor: string | null }> {
  const { rows, next_cursor } = await readPage(
    { limit, cursor },
    {
      read: (take) =>
        prisma.monitorFinding.findMany({
          where: { model, monitor, state, subject, windowEnd: { gte: from, lt: to } },
          orderBy: [{ windowEnd: 'desc' }, { id: 'asc' }],
          take,
          ...(cursor ? { cursor: { id: cursor } } : {}),
        }),
      idOf: (row) => row.id,
      find: (id) => prisma.monitorFinding.findUnique({ where: { id } }),
    },
  );
  return { items: rows.map((row) => presentFinding(present(row))), next_cursor };
}

/** What was found, latest windows first. @param most rows, 1 to 10,000 */
export async function readFindings(
  { prisma }: Pick<Database, 'prisma'>,
  { model, monitor, from, to }: FindingFilter,
  most = 1000,
): Promise<KeptFinding[]> {
  const rows = await prisma.monitorFinding.findMany({
    where: { model, ...(monitor && { monitor }), windowEnd: { ...(from && { gte: from }), ...(to && { lt: to }) } },
    orderBy: [{ windowEnd: 'desc' }, { id: 'asc' }],
    take: most,
  });
  return rows.map(present);
}
