import type { RecordDays } from '../../core/schemas/retention.js';
import type { Database } from '../database/database.js';

/** Rows of a table that are older than the policy keeps them. */
export interface ExpiredRows {
  table: string;
  days: number;
  /** At most `MOST_COUNTED`. */
  rows: number;
}

interface ExpiringTable {
  table: string;
  limit: keyof RecordDays | { days: number };
  /** Of a row `r`, with `$1` for the moment before which it has expired. */
  expired: string;
}

const MOST_COUNTED = 100_000;
const DELETED_AT_ONCE = 10_000;
const DAY_MS = 86_400_000;
/** One process forgets at a time. */
const FORGETTER_LOCK = 7_233_012;

/** Where the row of a job stays, since it says where something came from. */
const TOLD_OF_BY_JOB = ['datasets', 'model_versions', 'deployments', 'experiments', 'drills', 'repairs', 'sweeps'];
const NOT_TOLD_OF = TOLD_OF_BY_JOB.map((table) => `NOT EXISTS (SELECT FROM ${table} o WHERE o.job_id = r.id)`).join(
  ' AND ',
);
const leadsTo = (run: string) =>
  `EXISTS (SELECT FROM model_versions v WHERE v.model = ${run}.model AND v.version = ${run}.version)`;

/**
 * Every table from which rows go by their age, in the order in which they go: what hangs on a row goes before it, or with it by the
 * database. What bounds all other tables is in `BOUNDED_OTHERWISE`.
 */
export const EXPIRING_TABLES: readonly ExpiringTable[] = [
  { table: 'alert_observations', limit: { days: 1 }, expired: 'r.window_end < $1' },
  { table: 'monitor_findings', limit: 'findings', expired: 'r.found_at < $1' },
  {
    table: 'alert_events',
    limit: 'alerts',
    expired: `EXISTS (SELECT FROM alerts a WHERE a.id = r.alert_id AND a.status = 'resolved' AND a.resolved_at < $1)`,
  },
  { table: 'alerts', limit: 'alerts', expired: `r.status = 'resolved' AND r.resolved_at < $1` },
  { table: 'alert_silences', limit: 'alerts', expired: 'r.ends_at < $1' },
  { table: 'webhook_deliveries', limit: 'messages', expired: 'r.finished_at < $1' },
  { table: 'alert_deliveries', limit: 'messages', expired: 'r.finished_at < $1' },
  { table: 'performance_rollups', limit: 'hourly_sums', expired: `r.span = 'hour' AND r.start < $1` },
  { table: 'performance_rollups', limit: 'daily_sums', expired: `r.span = 'day' AND r.start < $1` },
  {
    table: 'runs',
    limit: 'runs',
    expired: `r.finished_at < $1 AND NOT ${leadsTo('r')} AND NOT EXISTS (SELECT FROM runs p WHERE p.id = r.parent_id AND ${leadsTo('p')})`,
  },
  {
    table: 'sweeps',
    limit: 'runs',
    expired: `r.finished_at < $1 AND NOT EXISTS (SELECT FROM model_versions v WHERE v.job_id = r.job_id)`,
  },
  {
    table: 'mlflow_mirrors',
    limit: 'runs',
    expired: `r.kind = 'run' AND r.sent >= r.revision AND r.next_attempt_at < $1 AND NOT EXISTS (SELECT FROM runs o WHERE o.id = r.subject)`,
  },
  {
    table: 'feature_materializations',
    limit: 'jobs',
    expired: `r.finished_at < $1 AND EXISTS (SELECT FROM feature_materializations n
      WHERE n.view = r.view AND n.version = r.version AND n.state = 'completed' AND n.created_at > r.created_at)`,
  },
  {
    table: 'jobs',
    limit: 'jobs',
    expired: `r.finished_at < $1 AND ${NOT_TOLD_OF} AND NOT EXISTS (SELECT FROM feature_materializations o WHERE o.id = r.id)`,
  },
  {
    table: 'idempotency_keys',
    limit: 'jobs',
    expired: 'r.created_at < $1 AND NOT EXISTS (SELECT FROM jobs o WHERE o.id = r.job_id)',
  },
];

const daysOf = ({ limit }: ExpiringTable, policy: RecordDays) =>
  typeof limit === 'string' ? policy[limit] : limit.days;
const momentOf = (days: number, now: Date) => new Date(now.getTime() - days * DAY_MS);

/** How many rows have expired, table by table. Changes nothing. */
export async function countExpiredRows(
  { pool }: Pick<Database, 'pool'>,
  policy: RecordDays,
  now: Date,
): Promise<ExpiredRows[]> {
  const counted: ExpiredRows[] = [];
  for (const expiring of EXPIRING_TABLES) {
    const { table, expired } = expiring;
    const days = daysOf(expiring, policy);
    const { rows } = await pool.query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM (SELECT FROM ${table} r WHERE ${expired} LIMIT ${MOST_COUNTED}) expired`,
      [momentOf(days, now)],
    );
    counted.push({ table, days, rows: rows[0]!.rows });
  }
  return counted;
}

/**
 * Deletes the rows that are older than the policy keeps them, some thousands at a time, so that nobody waits for it. Repeatable; while another process
 * is at it, it does nothing. @returns what went, by table
 */
export async function forgetRows(
  { pool }: Pick<Database, 'pool'>,
  policy: RecordDays,
  now: Date,
): Promise<Record<string, number>> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      FORGETTER_LOCK,
    ]);
    if (!rows[0]!.locked) return {};
    const gone: Record<string, number> = {};
    for (const expiring of EXPIRING_TABLES) {
      const { table, expired } = expiring;
      const before = momentOf(daysOf(expiring, policy), now);
      for (let deleted = DELETED_AT_ONCE; deleted === DELETED_AT_ONCE;) {
        const { rowCount } = await client.query(
          `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM ${table} r WHERE ${expired} LIMIT ${DELETED_AT_ONCE}))`,
          [before],
        );
        deleted = rowCount ?? 0;
        if (deleted > 0) gone[table] = (gone[table] ?? 0) + deleted;
      }
    }
    return gone;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [FORGETTER_LOCK]).catch(() => undefined);
    client.release();
  }
}
