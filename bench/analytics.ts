/**
 * How fast the log is followed, and how fast what it adds up to is read, as JSON lines:
 * - `follow`: rows a second that are summed up by hour, day, version and segment and shown to the online detectors, first the backlog, then a batch
 *   that has just come.
 * - `read`: both endpoints' answers over all days by day and over the last week by hour; p50 and p95 in milliseconds. They read sums, so the time
 *   follows the days and not the predictions: it is measured on the rows of the log, and once more on sums as `--as-if` predictions over two years
 *   would leave them.
 *
 * Run: npm run bench:analytics -- [--rows 1000000] [--days 30] [--labelled 0.1] [--reads 20] [--as-if 100000000] [--write]. Starts a PostgreSQL of its
 * own. `--write` puts the figures into docs/guide/performance.md.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { performanceMonitorSchema } from '../core/schemas/performance-monitor.js';
import { startEmbeddedPostgres } from '../infra/local/embedded-postgres.js';
import { endOnSignal } from '../infra/local/end-on-signal.js';
import { deleteStateFolder } from '../infra/local/state-folder.js';
import { quantileOfSorted } from '../ml/evaluate/bootstrap.js';
import { applyMigrations } from '../services/database/apply-migrations.js';
import { openDatabase, type Database } from '../services/database/database.js';
import { projectRoot } from '../services/project-root.js';
import { createModelsConfigReader } from '../services/training/models-config.js';
import { LogFollower } from '../services/performance/log-follower.js';
import { readPerformanceAnalytics } from '../services/performance/performance-analytics.js';
import { readPredictionAnalytics } from '../services/performance/prediction-analytics.js';
import { fillRollups } from './fill-rollups.js';
import { writeFigures } from './write-figures.js';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    days: { type: 'string', default: '30' },
    labelled: { type: 'string', default: '0.1' },
    reads: { type: 'string', default: '20' },
    'as-if': { type: 'string', default: '100000000' },
    write: { type: 'boolean', default: false },
  },
});
const rows = Number(flags.rows);
const days = Number(flags.days);
const reads = Number(flags.reads);
const DAY_MS = 86_400_000;
const ROWS_AT_A_TIME = 100_000;
const MODEL = 'bench';
const TWO_YEARS = 730;
const table: (string | number)[][] = [['Answer', 'Predictions', 'Days', 'Size', 'p50', 'p95']];
const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function registerVersions(database: Database): Promise<void> {
  for (const [at, version] of ['v1.0.0', 'v1.1.0'].entries())
    await database.prisma.modelVersion.create({
      data: {
        model: MODEL,
        version,
        kind: 'user_behavior',
        jobId: `job-${at}`,
        digest: version,
        promotable: true,
        verdict: {},
        parameters: {},
        metrics: { heads: {} },
        signature: {
          heads: [
            { name: 'churn', task: 'binary' },
            { name: 'level', task: 'multiclass' },
          ],
        },
        lineage: {},
      },
    });
  const settings = { performance: { segments: ['plan'] } };
  await database.prisma.monitor.create({ data: { model: MODEL, settings, updatedBy: 'bench' } });
}

/** Rows spread evenly over all days up to now, in the order of time; the newer version answers a third. */
async function fillLog(database: Database, from: number, to: number): Promise<void> {
  for (let day = 0; day < days; day++)
    await database.pool.query('SELECT prepare_prediction_partition($1::date)', [new Date(today - day * DAY_MS)]);
  for (let start = from; start < to; start += ROWS_AT_A_TIME) {
    const end = Math.min(to, start + ROWS_AT_A_TIME) - 1;
    const firstMs = today - (days - 1) * DAY_MS;
    await database.pool.query(
      `WITH made AS (SELECT n, ($3 + n * ($4::float8 / $7))::bigint AS ms, (hashint8(n + 1)::bigint + 2147483648) / 4294967296.0 AS u
                     FROM generate_series($1::bigint, $2::bigint) n),
       logged AS (INSERT INTO predictions (id, model, version, entity_id, features, predictions, latency_us, cached, correlation_id, created_at)
         SELECT 'pred_' || lpad(to_hex(ms), 12, '0') || lpad(to_hex(n), 20, '0'), $5, CASE WHEN n % 3 = 0 THEN 'v1.1.0' ELSE 'v1.0.0' END, 'e' || n % 50000,
           jsonb_build_object('activity', round(u::numeric, 3), 'plan', (ARRAY['free', 'plus', 'pro'])[1 + n % 3]),
           jsonb_build_object('churn', round((u * u)::numeric, 6), 'level', (ARRAY['low', 'medium', 'high'])[1 + n % 3]),
           (300 + 4000 * u * u)::int, n % 5 = 0, 'bench', to_timestamp(ms / 1000.0) FROM made RETURNING id, predictions)
       INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome)
       SELECT id, now(), jsonb_build_object('churn', random() < (predictions->>'churn')::float8) FROM logged WHERE random() < $6`,
      [start, end, firstMs, Math.max(1, Date.now() - firstMs), MODEL, Number(flags.labelled), rows],
    );
  }
}

/** A statistic that the database gathers beside may hold up the newest rows for a moment; that counts. */
async function follow(
  database: Database,
  follower: LogFollower,
  kind: string,
  count: number,
  total: number,
): Promise<void> {
  const startMs = performance.now();
  for (let seen = 0; seen < total;) {
    await follower.followToEnd();
    const { rows: sums } = await database.pool.query<{ seen: number }>(
      `SELECT coalesce(sum((answers->>'requests')::float8), 0)::float8 AS seen FROM performance_rollups WHERE span = 'day' AND segment = ''`,
    );
    seen = sums[0]!.seen;
  }
  const seconds = (performance.now() - startMs) / 1000;
  print({ bench: 'follow', kind, rows: count, seconds: round(seconds), rows_a_second: Math.round(count / seconds) });
}

async function timeReads(
  name: string,
  of: { predictions: number; days: number },
  read: () => Promise<object>,
): Promise<void> {
  const times: number[] = [];
  let bytes = 0;
  for (let at = 0; at < reads; at++) {
    const startMs = performance.now();
    bytes = JSON.stringify(await read()).length;
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  const quantile = (share: number) => round(quantileOfSorted(times, share));
  const [p50, p95] = [quantile(0.5), quantile(0.95)];
  print({ bench: 'read', name, ...of, bytes, p50_ms: p50, p95_ms: p95 });
  const size = `${Math.round(bytes / 1024)} KiB`;
  table.push([name, of.predictions.toLocaleString('en'), of.days, size, `${p50} ms`, `${p95} ms`]);
}
/** Both endpoints over all days by day, and over the last week by hour. */
async function readAll(database: Database, of: { predictions: number; days: number }): Promise<void> {
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const query = { model_type: MODEL, start_date: dateOf(today - (of.days - 1) * DAY_MS), interval: 'day' as const };
  const week = { ...query, start_date: dateOf(today - 6 * DAY_MS), interval: 'hour' as const };
  const watched = { model: MODEL, settings: performanceMonitorSchema.parse({}) };
  const now = Date.now();
  await timeReads('predictions by day', of, () => readPredictionAnalytics(database, MODEL, query, now));
  await timeReads('predictions by hour, a week', of, () => readPredictionAnalytics(database, MODEL, week, now));
  await timeReads('model-performance by day', of, () => readPerformanceAnalytics(database, watched, query, now));
  await timeReads('model-performance by hour, a week', of, () =>
    readPerformanceAnalytics(database, watched, week, now),
  );
}
const round = (value: number) => Math.round(value * 100) / 100;

const folder = mkdtempSync(join(tmpdir(), 'mlops-analytics-'));
const server = await startEmbeddedPostgres({ stateDir: folder });
endOnSignal(() => server.stop().then(() => deleteStateFolder(folder)));
try {
  await applyMigrations(server.url);
  const database = openDatabase(server.url, () => undefined);
  await registerVersions(database);
  const follower = new LogFollower({
    database,
    logger: pino({ level: 'silent' }),
    readModelsConfig: createModelsConfigReader(join(projectRoot(), 'models', 'config.yaml')),
    failPoint: () => undefined,
  });
  const fresh = Math.min(5000, rows);
  await fillLog(database, 0, rows - fresh);
  await follow(database, follower, 'backlog', rows - fresh, rows - fresh);
  await fillLog(database, rows - fresh, rows);
  await follow(database, follower, 'fresh', fresh, rows);
  await readAll(database, { predictions: rows, days });
  const asIf = Number(flags['as-if']);
  const times = (asIf * days) / (rows * TWO_YEARS);
  const lines = await fillRollups(database, { today, filled: days, days: TWO_YEARS, times });
  print({ bench: 'fill', predictions: asIf, days: TWO_YEARS, lines });
  await readAll(database, { predictions: asIf, days: TWO_YEARS });
  if (flags.write) writeFigures('docs/guide/performance.md', 'bench:analytics', table);
  await database.close();
} finally {
  await server.stop();
  deleteStateFolder(folder);
}
