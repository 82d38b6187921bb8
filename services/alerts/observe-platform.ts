import type { AlertRule } from '../../core/policy/alert-rules.js';
import type { PlatformMetric } from '../../core/schemas/alert-rule.js';
import type { Database } from '../database/database.js';
import type { CheckedDependency } from '../health/check-dependencies.js';

const MINUTE_MS = 60_000;
/** Fewer requests in a window say too little of their share or their slowest. */
const LEAST_REQUESTS = 50;
const KEPT_HOURS = 24;

interface Observed {
  /** Empty for what is of no model. */
  model: string;
  subject: string;
  /** Undefined = could not be told. */
  value?: number;
  summary: string;
}

interface PlatformContext {
  database: Pick<Database, 'pool'>;
  askDependencies: () => Promise<Record<string, CheckedDependency>>;
}

interface Window {
  start: Date;
  end: Date;
}

/**
 * Looks at what the service watches of itself, for each rule once a minute, and writes down what it sees. Windows end on whole minutes, so
 * that two processes which look at the same time write the same row.
 */
export async function observePlatform(rules: readonly AlertRule[], context: PlatformContext, now: Date): Promise<void> {
  const end = new Date(Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS);
  const { pool } = context.database;
  for (const rule of rules) {
    const { when } = rule;
    if (!rule.enabled || !('metric' in when)) continue;
    const known = await pool.query('SELECT 1 FROM alert_observations WHERE rule = $1 AND window_end = $2 LIMIT 1', [
      rule.name,
      end,
    ]);
    if (known.rows.length > 0) continue;
    const start = new Date(end.getTime() - when.window_minutes * MINUTE_MS);
    const observed = await OBSERVE[when.metric]({ start, end }, context);
    await write(rule, when.above, observed, end, pool);
  }
  await pool.query('DELETE FROM alert_observations WHERE window_end < $1', [
    new Date(now.getTime() - KEPT_HOURS * 3_600_000),
  ]);
}

async function write(
  rule: AlertRule,
  above: number,
  observed: readonly Observed[],
  end: Date,
  pool: Database['pool'],
): Promise<void> {
  const wanted = observed.filter(({ model }) => rule.models.length === 0 || rule.models.includes(model));
  const rows = wanted.map(({ model, subject, value, summary }) => ({
    rule: rule.name,
    model,
    subject,
    window_end: end.toISOString(),
    state: value === undefined ? 'unknown' : value > above ? 'alarm' : 'ok',
    value: value ?? null,
    threshold: above,
    summary,
  }));
  await pool.query(
    `INSERT INTO alert_observations SELECT rule, model, subject, window_end, state, value, threshold, summary
     FROM jsonb_populate_recordset(NULL::alert_observations, $1::jsonb) ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

const OBSERVE: Record<PlatformMetric, (window: Window, context: PlatformContext) => Promise<Observed[]>> = {
  async failed_jobs({ start, end }, { database }) {
    const { rows } = await database.pool.query<{ model: string | null; failed: number }>(
      `SELECT model, count(*)::int AS failed FROM jobs WHERE status = 'failed' AND finished_at >= $1 AND finished_at < $2
       GROUP BY GROUPING SETS ((model), ())`,
      [start, end],
    );
    const minutes = (end.getTime() - start.getTime()) / MINUTE_MS;
    const tell = (failed: number) => `${failed} jobs failed within ${minutes} minutes.`;
    // The row of no model is that of all: jobs without a model are in it, too.
    const all = Math.max(0, ...rows.filter(({ model }) => model === null).map(({ failed }) => failed));
    const each = rows.flatMap(({ model, failed }) =>
      model === null ? [] : [{ model, subject: 'jobs', value: failed, summary: tell(failed) }],
    );
    return [{ model: '', subject: 'jobs', value: all, summary: tell(all) }, ...each];
  },

  error_share: (window, context) =>
    ofRequests(window, context, (requests, { errors }) => ({
      subject: 'requests:errors',
      value: errors / requests,
      summary: `${errors} of ${requests} requests could not be answered by the version that they were for.`,
    })),

  p99_ms: (window, context) =>
    ofRequests(window, context, (requests, { slow_us: slowUs }) => ({
      subject: 'requests:latency',
      value: slowUs / 1000,
      summary: `Of ${requests} answers one in a hundred took longer than ${(slowUs / 1000).toFixed(1)} ms.`,
    })),

  async dependency_down(_window, { askDependencies }) {
    const dependencies = await askDependencies();
    return Object.entries(dependencies).map(([name, { status, affects, error }]) => ({
      model: '',
      subject: `dependency:${name}`,
      value: status === 'up' ? 0 : 1,
      summary:
        status === 'up' ? `${name} is up.` : `${name} is down (${error ?? 'no answer'}). It affects: ${affects}.`,
    }));
  },
};

async function ofRequests(
  { start, end }: Window,
  { database }: PlatformContext,
  judge: (requests: number, row: { errors: number; slow_us: number }) => Omit<Observed, 'model'>,
): Promise<Observed[]> {
  const { rows } = await database.pool.query<{ model: string; requests: number; errors: number; slow_us: number }>(
    `SELECT model, count(*)::int AS requests, count(error)::int AS errors,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_us)::float8 AS slow_us
     FROM predictions WHERE created_at >= $1 AND created_at < $2 AND shadow_of IS NULL GROUP BY model`,
    [start, end],
  );
  return rows.map(({ model, requests, ...row }) => {
    const observed = judge(requests, row);
    if (requests >= LEAST_REQUESTS) return { model, ...observed };
    return { model, subject: observed.subject, summary: `${requests} requests are too few to judge.` };
  });
}
