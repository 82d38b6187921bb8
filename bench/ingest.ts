/**
 * Measures validated ingestion of event rows from CSV to Parquet: typed, checked, bad rows set aside with reasons, profile and digest. Beside
 * Polars streaming, plain DuckDB and pandas, which drop bad rows and describe nothing. Each case is a process of its own, all in one run.
 * The same rows from a PostgreSQL table (DATABASE_URL, else a server of its own), beside a bare COPY of it to a file.
 *
 * Run: npm run bench:ingest -- [--rows 10000000] [--repeats 3] [--concurrency 2] [--no-pandas] [--no-postgresql] [--write]
 * PEERS_DIR has ingest.py (default ../shared/peers), PEERS_PYTHON is a Python with polars, duckdb and pandas (default
 * ~/.cache/peers-venv/bin/python); without them ours alone is measured.
 */
import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { dataTypeSchema } from '../core/schemas/model-config.js';
import { commitDataset } from '../services/datasets/commit-dataset.js';
import { slicePart, type RawPart } from '../services/datasets/slice-part.js';
import {
  collectWritten,
  listSlices,
  settleColumns,
  surveySliceAt,
  writeSliceAt,
} from '../services/datasets/slice-steps.js';
import { withDuckDb } from '../services/duckdb.js';
import { copyFromPostgres } from '../services/sources/copy-from-postgres.js';
import { median } from '../ml/evaluate/median.js';
import { startEmbeddedPostgres } from '../infra/local/embedded-postgres.js';
import { endOnSignal } from '../infra/local/end-on-signal.js';
import { deleteStateFolder } from '../infra/local/state-folder.js';
import { writeFigures } from './write-figures.js';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    repeats: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '2' },
    'no-pandas': { type: 'boolean', default: false },
    'no-postgresql': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    case: { type: 'string' },
    folder: { type: 'string' },
    database: { type: 'string' },
  },
});
const rows = Number(options.rows);
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
const script = join(resolve(process.env['PEERS_DIR'] ?? '../shared/peers'), 'ingest.py');

const KINDS = ['login', 'commit', 'review', 'deploy', 'comment', 'logout'];
/** The rules of the peers. */
const EXPECTATIONS = dataTypeSchema.parse({
  columns: {
    event_id: { type: 'integer', required: true },
    user_id: { type: 'string', required: true },
    kind: { type: 'string', required: true, values: KINDS },
    at: { type: 'timestamp', required: true },
    amount: { type: 'number', required: true, minimum: 0, maximum: 1000 },
    project_id: { type: 'string' },
  },
});

interface Figures {
  seconds: number;
  cpuSeconds: number;
  peakMib: number;
  kept: number;
}

/** The rows of the peers' script: a thousandth has no number as its amount. */
async function generate(file: string): Promise<void> {
  await withDuckDb((connection) =>
    connection.run(
      `COPY (SELECT i AS event_id, 'user_' || (i * 7919 % 50000) AS user_id, [${KINDS.map((kind) => `'${kind}'`).join()}][1 + i * 31 % 6] AS kind,
         strftime(TIMESTAMP '2024-01-01' + to_seconds(i // 3), '%Y-%m-%dT%H:%M:%SZ') AS "at",
         CASE WHEN i % 1000 = 7 THEN 'n/a' ELSE CAST((i * 13 % 100000) / 100.0 AS VARCHAR) END AS amount, 'project_' || (i % 997) AS project_id
       FROM range(${rows}) t(i)) TO '${file}' (HEADER)`,
    ),
  );
}

/** What the steps of an ingestion do, with as many slices at a time as one worker takes. */
async function ingest(part: RawPart, folder: string): Promise<number> {
  const staging = join(folder, 'staging');
  mkdirSync(staging, { recursive: true });
  const input = {
    staging,
    parts: 1,
    datasetId: 'ds_bench',
    dataType: 'events',
    sourceLabel: 'bench',
    validation: 'quarantine' as const,
    expectations: EXPECTATIONS,
    folder: join(folder, 'datasets'),
    attempt: '1',
  };
  await slicePart(part, 0, { folder: staging, mostBytes: 2 ** 40 });
  const { places, needsSurvey } = await listSlices(input);
  if (needsSurvey) await inLanes(places.length, (at) => surveySliceAt(at, input));
  await settleColumns(input);
  await inLanes(places.length, (at) => writeSliceAt(at, input));
  return (await commitDataset(await collectWritten(input))).rows;
}

async function inLanes(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Number(options.concurrency) }, lane));
}

const CASES: Record<string, (folder: string, databaseUrl: string) => Promise<number>> = {
  'ours (csv)': (folder) =>
    ingest(
      { path: join(folder, 'events.csv'), format: 'csv', compression: 'none', label: 'events.csv' },
      mkdtempSync(join(folder, 'ours-')),
    ),
  'ours (postgresql)': async (folder, databaseUrl) => {
    const own = mkdtempSync(join(folder, 'ours-'));
    const path = join(own, 'rows.csv');
    const { columns } = await copyFromPostgres(
      { address: { connectionString: databaseUrl, ssl: false }, table: TABLE, file: path },
      () => undefined,
    );
    return ingest({ path, format: 'csv', compression: 'none', columns, label: TABLE }, own);
  },
  'bare COPY (postgresql)': async (folder, databaseUrl) => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const copy = client.query(copyTo(`COPY ${TABLE} TO STDOUT WITH (FORMAT csv)`));
    await pipeline(copy, createWriteStream(join(folder, 'copy.csv'), { flush: true }));
    await client.end();
    return rows;
  },
};
const TABLE = 'bench_events';

async function loadTable(file: string, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`DROP TABLE IF EXISTS ${TABLE}`);
  await client.query(
    `CREATE TABLE ${TABLE} (event_id bigint, user_id text, kind text, at text, amount text, project_id text)`,
  );
  await pipeline(createReadStream(file), client.query(copyFrom(`COPY ${TABLE} FROM STDIN WITH (FORMAT csv, HEADER)`)));
  await client.end();
}

/** One case in a process of its own, so that peak memory is its own. */
function runCase(name: string, folder: string, databaseUrl = ''): Figures {
  const self = fileURLToPath(import.meta.url);
  const args = [self, '--case', name, '--folder', folder, '--rows', options.rows, '--concurrency', options.concurrency];
  args.push('--database', databaseUrl);
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Figures;
}

function runPeer(tool: string, file: string): Figures {
  const printed = execFileSync(python, [script, String(rows), tool, file], {
    encoding: 'utf8',
    env: { ...process.env, OPENBLAS_CORETYPE: undefined, OPENBLAS_L2_SIZE: undefined },
  });
  const {
    seconds,
    peak_mib: peakMib,
    kept,
  } = JSON.parse(printed) as { seconds: number; peak_mib: number; kept: number };
  return { seconds, cpuSeconds: NaN, peakMib, kept };
}

const TABLE_HEAD = ['rows', 'from', 'by', 'seconds', 'rows a second', 'peak memory, MiB', 'ours is faster by'];
const table: (string | number)[][] = [];

function report(name: string, runs: readonly Figures[], base?: Figures): Figures {
  const of = (key: keyof Figures) => median(runs.map((run) => run[key]));
  const figures = {
    seconds: of('seconds'),
    cpuSeconds: of('cpuSeconds'),
    peakMib: Math.max(...runs.map((run) => run.peakMib)),
    kept: of('kept'),
  };
  const ratio = base ? `, ours is ${(figures.seconds / base.seconds).toFixed(2)} times as fast` : '';
  process.stdout.write(
    `${name.padEnd(24)} ${figures.seconds.toFixed(2)} s, ${Math.round(rows / figures.seconds).toLocaleString('en')} rows/s, peak ${Math.round(figures.peakMib)} MiB, kept ${figures.kept}${ratio}\n`,
  );
  const [, by = name, from = 'csv'] = /^(.*) \((.*)\)$/.exec(name) ?? [];
  const faster = base ? (figures.seconds / base.seconds).toFixed(2) : '';
  const perSecond = Math.round(rows / figures.seconds).toLocaleString('en');
  table.push([
    rows.toLocaleString('en'),
    from,
    by,
    figures.seconds.toFixed(2),
    perSecond,
    Math.round(figures.peakMib),
    faster,
  ]);
  return figures;
}

/** A server given by its address, or one that lasts as long as this run. */
async function openServer(folder: string): Promise<{ url: string; stop: () => Promise<void> } | undefined> {
  if (options['no-postgresql']) return undefined;
  const given = process.env['DATABASE_URL'];
  if (given) return { url: given, stop: async () => {} };
  const server = await startEmbeddedPostgres({ stateDir: join(folder, 'postgresql') });
  return { url: server.url, stop: () => server.stop() };
}

async function measureAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-bench-ingest-'));
  const server = await openServer(folder);
  const end = async () => {
    await server?.stop();
    deleteStateFolder(folder);
  };
  endOnSignal(end);
  try {
    const file = join(folder, 'events.csv');
    await generate(file);
    const hasPeers = existsSync(script) && existsSync(python);
    if (!hasPeers)
      process.stderr.write(`SKIPPED the peers: ${script} or ${python} is absent (PEERS_DIR, PEERS_PYTHON).\n`);
    const peers = hasPeers ? ['polars', 'duckdb', ...(options['no-pandas'] ? [] : ['pandas'])] : [];
    const results = new Map<string, Figures[]>();
    const add = (name: string, figures: Figures) => results.set(name, [...(results.get(name) ?? []), figures]);
    if (server) await loadTable(file, server.url);
    // In turns, so that what else the machine does meets all alike.
    for (let repeat = 0; repeat < Number(options.repeats); repeat++) {
      add('ours (csv)', runCase('ours (csv)', folder));
      for (const tool of peers) add(tool, runPeer(tool, file));
      if (!server) continue;
      for (const name of ['ours (postgresql)', 'bare COPY (postgresql)']) add(name, runCase(name, folder, server.url));
    }
    process.stdout.write(`${rows.toLocaleString('en')} rows, median of ${options.repeats}\n`);
    const ours = report('ours (csv)', results.get('ours (csv)')!);
    for (const tool of peers) report(tool, results.get(tool)!, ours);
    if (server) {
      const own = report('ours (postgresql)', results.get('ours (postgresql)')!);
      report('bare COPY (postgresql)', results.get('bare COPY (postgresql)')!, own);
    }
    if (options.write) writeFigures('docs/reference/benchmarks.md', 'bench:ingest', [TABLE_HEAD, ...table]);
  } finally {
    await end();
  }
}

async function measureCase(name: string, folder: string, databaseUrl: string): Promise<void> {
  const startMs = performance.now();
  const kept = await CASES[name]!(folder, databaseUrl);
  const seconds = (performance.now() - startMs) / 1000;
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  // Of Linux; the figure of getrusage is that of the parent where it was larger.
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const peakKib = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
  const figures: Figures = { seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMib: peakKib / 1024, kept };
  process.stdout.write(JSON.stringify(figures));
}

if (options.case) await measureCase(options.case, options.folder!, options.database!);
else await measureAll();
