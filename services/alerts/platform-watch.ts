import { judgePlatform, type PlatformView } from '../../core/decisions/judge-platform.js';
import type { AlertRule } from '../../core/policy/alert-rules.js';
import type { MetricCondition, PlatformMetric } from '../../core/schemas/alert-rule.js';
import type { Database } from '../database/database.js';
import type { CheckedDependency } from '../health/check-dependencies.js';

const MINUTE_MS = 60_000;

interface PlatformContext {
  database: Pick<Database, 'pool'>;
  askDependencies: () => Promise<Record<string, CheckedDependency>>;
}

type MetricRule = AlertRule & { when: MetricCondition };

/** What each length of window showed, in minutes. */
type Seen<Row> = ReadonlyMap<number, readonly Row[]>;

/**
 * Watches what the service shows of itself: each rule is judged once a minute, and what is seen is written down. Windows end on whole
 * minutes, so that two processes which look at the same time write the same row.
 */
export class PlatformWatch {
  /** The end of the window that was judged last, by rule: however often it is called, a minute is looked at once. */
  #judged = new Map<string, number>();

  constructor(private readonly context: PlatformContext) {}

  async look(rules: readonly AlertRule[], now: Date): Promise<void> {
    const endMs = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS;
    const watched = rules.filter(isWatched);
    const due = watched.filter((rule) => this.#judged.get(keyOf(rule)) !== endMs);
    if (due.length === 0) return;
    const end = new Date(endMs);
    await judge(await notYetJudged(due, end, this.context), end, this.context);
    // Rules that are gone are forgotten.
    this.#judged = new Map(watched.map((rule) => [keyOf(rule), endMs]));
  }
}

const isWatched = (rule: AlertRule): rule is MetricRule => rule.enabled && 'metric' in rule.when;

/** A rule that was changed is another one. */
const keyOf = ({ name, when, models }: MetricRule) => JSON.stringify([name, when, models]);

/** Without the rules that another process has judged in this minute already. */
async function notYetJudged(rules: readonly MetricRule[], end: Date, { database }: PlatformContext) {
  const { rows } = await database.pool.query<{ rule: string }>(
    'SELECT DISTINCT rule FROM alert_observations WHERE window_end = $1',
    [end],
  );
  return rules.filter(({ name }) => !rows.some(({ rule }) => rule === name));
}

/** Asks at most one question of each kind, whatever the number of rules, and writes all judgements at once. */
async function judge(rules: readonly MetricRule[], end: Date, context: PlatformContext): Promise<void> {
  const { pool } = context.database;
  const minutesOf = (...metrics: PlatformMetric[]) => [
    ...new Set(rules.filter(({ when }) => metrics.includes(when.metric)).map(({ when }) => when.window_minutes)),
  ];
  const [failedJobs, requests, dependencies] = await Promise.all([
    countFailedJobs(pool, minutesOf('failed_jobs'), end),
    countRequests(pool, minutesOf('error_share', 'p99_ms'), end),
    minutesOf('dependency_down').length > 0 ? context.askDependencies() : {},
  ]);
  const rows = rules.flatMap(({ name, models, when }) => {
    const minutes = when.window_minutes;
    const view: PlatformView = { failedJobs: failedJobs.get(minutes), requests: requests.get(minutes), dependencies };
    return judgePlatform(when, view)
      .filter(({ model }) => models.length === 0 || models.includes(model))
      .map((judgement) => ({ rule: name, window_end: end.toISOString(), ...judgement }));
  });
  if (rows.length === 0) return;
  await pool.query(
    `INSERT INTO alert_observations SELECT rule, model, subject, window_end, state, value, threshold, summary
     FROM jsonb_populate_recordset(NULL::alert_observations, $1::jsonb) ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

async function countFailedJobs(
  pool: Database['pool'],
  minutes: readonly number[],
  end: Date,
): Promise<Seen<{ model: string; failed: number }>> {
  if (minutes.length === 0) return new Map();
  const { rows } = await pool.query<{ minutes: number; model: string; failed: number }>(
    `SELECT w.minutes, CASE WHEN grouping(j.model) = 1 THEN '' ELSE j.model END AS model, count(*)::int AS failed
     FROM unnest($1::int[]) AS w(minutes)
       JOIN jobs j ON j.finished_at >= $2::timestamptz - make_interval(mins => w.minutes)
     WHERE j.status = 'failed' AND j.finished_at >= $3 AND j.finished_at < $2
     GROUP BY GROUPING SETS ((w.minutes, j.model), (w.minutes)) HAVING grouping(j.model) = 1 OR j.model IS NOT NULL`,
    [minutes, end, earliest(minutes, end)],
  );
  return byMinutes(rows);
}

async function countRequests(
  pool: Database['pool'],
  minutes: readonly number[],
  end: Date,
): Promise<Seen<{ model: string; requests: number; errors: number; slow_us: number }>> {
  if (minutes.length === 0) return new Map();
  const { rows } = await pool.query<{
    minutes: number;
    model: string;
    requests: number;
    errors: number;
    slow_us: number;
  }>(
    `SELECT w.minutes, p.model, count(*)::int AS requests, count(p.error)::int AS errors,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY p.latency_us)::float8 AS slow_us
     FROM unnest($1::int[]) AS w(minutes)
       JOIN predictions p ON p.created_at >= $2::timestamptz - make_interval(mins => w.minutes)
     WHERE p.created_at >= $3 AND p.created_at < $2 AND p.shadow_of IS NULL GROUP BY w.minutes, p.model`,
    [minutes, end, earliest(minutes, end)],
  );
  return byMinutes(rows);
}

/** The planner leaves out days of the log by it: the limit of each window is known to the join only. */
const earliest = (minutes: readonly number[], end: Date) => new Date(end.getTime() - Math.max(...minutes) * MINUTE_MS);

function byMinutes<Row extends { minutes: number }>(rows: readonly Row[]): ReadonlyMap<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) groups.set(row.minutes, [...(groups.get(row.minutes) ?? []), row]);
  return groups;
}
