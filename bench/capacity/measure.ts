import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { withDuckDb } from '../../services/duckdb.js';
import { loadScorer } from '../../services/serving/load-scorer.js';
import { postJob, runJob } from '../served-stack.js';
import { BATCH_OF_50, PLAIN, requestsOf, type RequestKind } from '../serve-requests.js';
import { runSocketLoad } from '../socket-load.js';
import type { CapacityStack } from './capacity-stack.js';
import { cpuSecondsOf, memoryMibOf } from './process-usage.js';
import { writeGridTable, type GridTable } from './training-grid.js';

const MIB = 2 ** 20;
const CALLERS = 8;
const IN_BATCH = 50;

const share = (row: number, step: number) => ((row * step) % 199) / 199;

/** What is asked of each kind. */
const KINDS: RequestKind[] = [
  { ...PLAIN, name: 'user_behavior' },
  {
    name: 'project_success',
    path: '/predict/project-success',
    bodyOf: (row) => ({
      project_id: `p_${row}`,
      features: { complexity_score: share(row, 7), team_size: 1 + (row % 9), duration_estimate: 20 + (row % 60) },
    }),
  },
  {
    name: 'anomaly_detection',
    path: '/predict/anomaly-detection',
    bodyOf: (row) => ({ features: { cpu_usage: share(row, 7), memory_usage: share(row, 11), request_rate: row * 5 } }),
  },
  {
    name: 'resource_usage',
    path: '/predict/resource-usage',
    bodyOf: (row) => ({
      features: { current_cpu: share(row, 7), current_memory: share(row, 11), current_storage: 0.4, user_count: row },
      forecast_horizon: 30,
    }),
  },
  {
    name: 'recommendation',
    path: '/predict/recommendations',
    bodyOf: (row) => ({ user_id: `user_${row + 1}`, limit: 10 }),
  },
];

export interface ServedKind {
  kind: string;
  perCore: number;
  perCoreInBatches?: number;
}

/** Answers for each CPU second that the API process uses, to callers who wait for each answer. */
export async function measureServing(stack: CapacityStack, seconds: number): Promise<ServedKind[]> {
  const measure = async (kind: RequestKind, answersEach: number) => {
    const load = { url: stack.api, requests: requestsOf(stack.api, kind), connections: CALLERS };
    await runSocketLoad({ ...load, seconds: 1 });
    const pid = stack.pid('api')!;
    const before = cpuSecondsOf(pid);
    const { statuses } = await runSocketLoad({ ...load, seconds });
    const used = cpuSecondsOf(pid) - before;
    const wrong = [...statuses.keys()].filter((status) => status !== 200 && status !== 0);
    if (wrong.length > 0) throw new Error(`${kind.path} answered ${wrong.join(', ')}.`);
    return ((statuses.get(200) ?? 0) * answersEach) / used;
  };
  const found: ServedKind[] = [];
  for (const kind of KINDS) {
    const perCore = await measure(kind, 1);
    const isPlain = kind.name === 'user_behavior';
    found.push({
      kind: kind.name,
      perCore,
      ...(isPlain ? { perCoreInBatches: await measure(BATCH_OF_50, IN_BATCH) } : {}),
    });
  }
  return found;
}

async function query<Row extends object>({ databaseUrl }: CapacityStack, sql: string, values: unknown[] = []) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Bytes of a row with its part of all indexes, once everything that was logged is in the database. */
export async function measureLog(stack: CapacityStack): Promise<{ what: string; bytes: number }[]> {
  await waitForLog(stack);
  const sql = `SELECT sum(pg_total_relation_size(relid))::float8 AS bytes, (SELECT count(*)::int FROM predictions) AS rows
    FROM pg_partition_tree('predictions') WHERE isleaf`;
  const [found] = await query<{ bytes: number; rows: number }>(stack, sql);
  return [{ what: 'a logged prediction', bytes: found!.bytes / Math.max(1, found!.rows) }];
}

/** Until no more rows come. */
async function waitForLog(stack: CapacityStack): Promise<void> {
  for (let before = -1; ; await sleep(2000)) {
    const [{ rows }] = (await query<{ rows: number }>(stack, 'SELECT count(*)::int AS rows FROM predictions')) as [
      { rows: number },
    ];
    if (rows === before) return;
    before = rows;
  }
}

const COPIES = 4;

/** What each served version takes: its files, and what several copies of it in this process take a copy. */
export async function measureVersions(stack: CapacityStack) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const usedBytes = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const models = join(stack.stateDir, 'models');
  const served = await query<{ model: string; digest: string }>(
    stack,
    'SELECT r.model, v.digest FROM routes r JOIN model_versions v USING (model, version) ORDER BY 1',
  );
  const versions = [];
  for (const { model, digest } of served) {
    const folder = join(models, model, digest);
    const diskBytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    await loadScorer(models, model, digest);
    const before = usedBytes();
    const copies = [];
    for (let at = 0; at < COPIES; at++) copies.push(await loadScorer(models, model, digest));
    const bytes = (usedBytes() - before) / copies.length;
    versions.push({ kind: model, diskMib: diskBytes / MIB, memoryMib: Math.max(0, bytes) / MIB });
  }
  return { versions, baseMib: stack.baseMib, apiMib: memoryMibOf(stack.pid('api')!).now };
}

/** A CSV file of six columns, checked and written as a dataset by one worker. */
export async function measureIngestion(stack: CapacityStack, rows: number) {
  await withDuckDb((connection) =>
    connection.run(
      `COPY (SELECT i AS event_id, 'user_' || (i * 7919 % 50000) AS user_id, (i * 31) % 6 AS kind,
         strftime(TIMESTAMP '2024-01-01' + to_seconds(i // 3), '%Y-%m-%dT%H:%M:%SZ') AS "at", (i * 13 % 100000) / 100.0 AS amount,
         'project_' || (i % 997) AS project_id FROM range(${rows}) t(i)) TO '${join(stack.sources, 'capacity.csv')}' (HEADER)`,
    ),
  );
  const pid = stack.pid('pipeline-worker')!;
  const before = cpuSecondsOf(pid);
  const startMs = performance.now();
  await runJob(stack.api, '/data/ingest', { source: 'capacity.csv', data_type: 'capacity' });
  const seconds = (performance.now() - startMs) / 1000;
  const cpuSeconds = cpuSecondsOf(pid) - before;
  return { rows, perSecond: rows / seconds, perCore: rows / cpuSeconds, peakMib: memoryMibOf(pid).peak };
}

/** What the processes that train have used, as runs tell it. */
export async function measureTraining(stack: CapacityStack, tables: readonly GridTable[]) {
  const found = [];
  for (const table of tables) {
    await writeGridTable(stack.sources, table);
    await runJob(stack.api, '/data/ingest', { source: `${table.name}.csv`, data_type: table.name });
    const id = await postJob(stack.api, '/models/train', { model_type: table.name, search: false });
    await followJob(stack.api, id);
    const [run] = await query<{ cpu: number; wall: number; peak: number }>(
      stack,
      'SELECT cpu_seconds AS cpu, wall_seconds AS wall, peak_memory_bytes AS peak FROM runs WHERE id = $1',
      [id],
    );
    if (!run) throw new Error(`The training ${id} has no run.`);
    const { rows, columns } = table;
    const model = 'boosting, 100 trees';
    found.push({ model, rows, columns, cpuSeconds: run.cpu, wallSeconds: run.wall, peakMib: run.peak / MIB });
  }
  return found;
}

async function followJob(api: string, id: string): Promise<void> {
  for (;;) {
    const { status } = (await (await fetch(`${api}/jobs/${id}/status`)).json()) as { status: string };
    if (status === 'completed') return;
    if (status !== 'running' && status !== 'queued') throw new Error(`The job ${id} ${status}.`);
    await sleep(200);
  }
}
