/**
 * Point-in-time joins and online lookups of the feature store, as JSON lines:
 * - `join`: entities asked for 20 features over growing counts of events, ours (late and corrected rows in order, times to live, status) beside a bare
 *   ASOF JOIN of DuckDB on the same file and, where Python has them, Polars and pandas. Time should grow with the events, not faster.
 * - `online`: a lookup of 20 views in PostgreSQL, and in Redis where REDIS_URL is set; p50 and p99 in milliseconds.
 *
 * Run: npm run bench:features -- [--events 1000000,2000000,4000000] [--entities 100000] [--lookups 2000] [--peers-python python3] [--write]
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { featureViewSchema } from '../core/schemas/feature-view.js';
import { quoteText, withDuckDb } from '../services/duckdb.js';
import { filesSql, historicalSql } from '../services/features/point-in-time-sql.js';
import { startEmbeddedPostgres } from '../infra/local/embedded-postgres.js';
import { endOnSignal } from '../infra/local/end-on-signal.js';
import { deleteStateFolder } from '../infra/local/state-folder.js';
import { measureOnline } from './features/measure-online.js';
import { writeFigures } from './write-figures.js';

const DOCUMENT = 'docs/reference/benchmarks.md';
const FEATURES = Array.from({ length: 20 }, (_, at) => `f${at}`);
const DAYS = 365;

const VIEW = featureViewSchema.parse({
  owner: 'bench',
  entity: 'entity',
  event_time: 'event_at',
  available_time: 'known_at',
  ttl_seconds: 60 * 86_400,
  source: 'events',
  features: Object.fromEntries(FEATURES.map((name) => [name, { type: 'number' }])),
});

/** Events in random order of their times; a tenth is late. */
async function writeEvents(file: string, events: number, entities: number): Promise<void> {
  const seconds = DAYS * 86_400;
  const cells = FEATURES.map((name, at) => `CAST(hash(n * ${at + 3}) % 1000 AS DOUBLE) / 10 AS ${name}`);
  await withDuckDb(async (connection) => {
    await connection.run(
      `COPY (SELECT 'e' || (hash(n) % ${entities}) AS entity, event_at, event_at + to_seconds(CASE WHEN n % 10 = 0 THEN 86400 ELSE 60 END) AS known_at, ${cells.join(', ')}
       FROM (SELECT n, TIMESTAMP '2024-01-01' + to_seconds(CAST(hash(n + 7) % ${seconds} AS BIGINT)) AS event_at FROM range(${events}) t(n)))
       TO ${quoteText(file)} (FORMAT parquet, ROW_GROUP_SIZE 122880)`,
    );
  });
}

const ASKED = (entities: number) =>
  `CREATE TEMP TABLE asked AS SELECT n AS _ask, 'e' || n AS _entity, epoch_us(TIMESTAMP '2024-01-01' + to_seconds(CAST(hash(n + 1) % ${DAYS * 86_400} AS BIGINT))) AS _at_us FROM range(${entities}) t(n)`;

async function timeJoin(sql: string, entities: number): Promise<number> {
  return withDuckDb(async (connection) => {
    await connection.run(ASKED(entities));
    const startMs = performance.now();
    await connection.run(`CREATE TEMP TABLE answered AS ${sql}`);
    return (performance.now() - startMs) / 1000;
  });
}

/** What the join comes to without late rows, ties, times to live and status: the last row by the time that it was known. */
const bareSql = (file: string) => `SELECT a._ask, ${FEATURES.map((name) => `e.${name}`).join(', ')} FROM asked a
  ASOF LEFT JOIN (SELECT *, epoch_us(known_at) AS known_us FROM read_parquet(${quoteText(file)})) e
  ON a._entity = e.entity AND a._at_us >= e.known_us`;

function timePeers(python: string, file: string, entities: number): Record<string, unknown> {
  const script = fileURLToPath(new URL('../../bench/join_peers.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script, file, String(entities), String(DAYS * 86_400)], {
    encoding: 'utf8',
  });
  if (status !== 0) return { peers: `not measured: ${stderr.trim().split('\n').at(-1) ?? 'python failed'}` };
  return JSON.parse(stdout) as Record<string, unknown>;
}

const VENV_PYTHON = join(homedir(), '.cache/peers-venv/bin/python');
const DEFAULT_PYTHON = existsSync(VENV_PYTHON) ? VENV_PYTHON : 'python3';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000,2000000,4000000' },
    entities: { type: 'string', default: '100000' },
    lookups: { type: 'string', default: '2000' },
    'peers-python': { type: 'string', default: process.env['PEERS_PYTHON'] ?? DEFAULT_PYTHON },
    write: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'mlops-bench-features-'));
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const server = await startEmbeddedPostgres({ stateDir: join(folder, 'postgresql') });
const end = async () => {
  await server.stop();
  deleteStateFolder(folder);
};
endOnSignal(end);
const joins: (string | number)[][] = [];
const seconds = (value: unknown) => (typeof value === 'number' ? value.toFixed(2) : 'not measured');
try {
  const entities = Number(values.entities);
  for (const events of values.events.split(',').map(Number)) {
    const file = join(folder, `events-${events}.parquet`);
    await writeEvents(file, events, entities);
    const rows = `(${filesSql([file])})`;
    const ours = await timeJoin(historicalSql(VIEW, rows, 'asked'), entities);
    const bare = await timeJoin(bareSql(file), entities);
    const peers = timePeers(values['peers-python'], file, entities);
    joins.push([
      events.toLocaleString('en'),
      entities.toLocaleString('en'),
      ours.toFixed(2),
      Math.round(events / ours).toLocaleString('en'),
      bare.toFixed(2),
      seconds(peers['polars_join_asof_seconds']),
      seconds(peers['pandas_merge_asof_seconds']),
    ]);
    print({
      measured: 'join',
      events,
      entities,
      features: FEATURES.length,
      ours_seconds: ours,
      ours_events_per_second: Math.round(events / ours),
      duckdb_asof_seconds: bare,
      ...peers,
    });
    rmSync(file);
  }
  const lookups = await measureOnline(server.url, process.env['REDIS_URL'], Number(values.lookups));
  lookups.forEach(print);
  if (values.write) {
    writeFigures(DOCUMENT, 'bench:features join', [
      [
        'events',
        'entities asked for',
        'ours, s',
        'events a second',
        'bare ASOF JOIN of DuckDB, s',
        'Polars, s',
        'pandas, s',
      ],
      ...joins,
    ]);
    writeFigures(DOCUMENT, 'bench:features online', [
      ['store', 'views', 'p50, ms', 'p99, ms'],
      ...lookups.map(({ store, views, p50_ms, p99_ms }) => [store, views, p50_ms.toFixed(2), p99_ms.toFixed(2)]),
    ]);
  }
} finally {
  await end();
}
