import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PARTS } from '../../infra/local/local-stack.js';
import { INCONSISTENT_STATES } from '../support/inconsistent-states.js';
import type { Acknowledged } from './chaos-load.js';
import type { ChaosStack } from './chaos-stack.js';
import { strayProcesses } from './process-tree.js';

/** What was taken reaches the database within this time when all is well again. */
const ARRIVES_WITHIN_MS = 90_000;

/** Rows that the service itself has counted and told of as lost, by the line that tells. */
const LOSSES = { predictions: 'logged predictions were lost', outcomes: 'reported outcomes were not kept' };

/** Rows that the API has told of as lost so far. */
export function lossesTold(world: ChaosStack): Record<keyof typeof LOSSES, number> {
  const lines = readFileSync(world.stack.logFile('api'), 'utf8').split('\n');
  const sum = (message: string) =>
    lines
      .filter((line) => line.includes(`"${message}"`))
      .reduce((rows, line) => rows + (JSON.parse(line) as { rows: number }).rows, 0);
  return { predictions: sum(LOSSES.predictions), outcomes: sum(LOSSES.outcomes) };
}

const STORED = {
  predictions: 'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM predictions WHERE id = ANY($1)',
  outcomes:
    'SELECT count(*)::int AS rows, count(DISTINCT prediction_id)::int AS ids FROM prediction_outcomes WHERE prediction_id = ANY($1)',
  events: `SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS ids FROM events WHERE data_type = 'chaos' AND event_id = ANY($1)`,
  jobs: 'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM jobs WHERE id = ANY($1)',
} as const;

/**
 * Everything acknowledged is found, once. What the service has told of as lost, as it does when the disk of the API is full, may be missing.
 * @param told rows by kind that it has told of since the load began
 */
export async function findLost(
  world: ChaosStack,
  acknowledged: Acknowledged,
  told: () => Record<string, number>,
): Promise<string[]> {
  const problems: string[] = [];
  const deadline = Date.now() + ARRIVES_WITHIN_MS;
  for (const kind of ['predictions', 'outcomes', 'events', 'jobs'] as const) {
    const ids = kind === 'jobs' ? [...acknowledged.jobs.values()] : acknowledged[kind];
    if (new Set(ids).size < ids.length) problems.push(`an id of ${kind} was given twice`);
    for (;;) {
      const [found = { rows: 0, ids: 0 }] = await world.query<{ rows: number; ids: number }>(STORED[kind], [ids]);
      const missing = ids.length - found.ids;
      if (found.rows !== found.ids) problems.push(`${found.rows - found.ids} ${kind} are stored twice`);
      if (missing <= (told()[kind] ?? 0)) break;
      if (Date.now() > deadline) {
        problems.push(
          `${missing} of ${ids.length} acknowledged ${kind} are lost, and ${told()[kind] ?? 0} were told of`,
        );
        break;
      }
      await sleep(300);
    }
  }
  return problems;
}

/** Each is empty while effects happen once and one truth about traffic holds. */
const CONTRADICTIONS = {
  'states of versions that are not those of the routes': INCONSISTENT_STATES,
  'datasets of one job': 'SELECT job_id FROM datasets GROUP BY 1 HAVING count(*) > 1',
  'versions of one job': 'SELECT job_id FROM model_versions GROUP BY 1 HAVING count(*) > 1',
  'deployments of one job': 'SELECT job_id FROM deployments GROUP BY 1 HAVING count(*) > 1',
  'versions in production of one model': `SELECT model FROM model_versions WHERE state = 'production' GROUP BY 1 HAVING count(*) > 1`,
  'shares of traffic outside of 0 to 100': 'SELECT model FROM routes WHERE share < 0 OR share > 100',
  'shares of traffic without a version to get them':
    'SELECT model FROM routes WHERE share > 0 AND candidate_version IS NULL',
  'routes that are not what the ledger ends with': `SELECT r.model FROM routes r LEFT JOIN LATERAL
    (SELECT * FROM traffic_ledger l WHERE l.model = r.model ORDER BY id DESC LIMIT 1) l ON true
    WHERE (r.version, r.candidate_version, r.share) IS DISTINCT FROM (l.version, l.candidate_version, l.share)`,
  // Trainings of two seeds, each again and again.
  'models that differ though all went into them is the same':
    'SELECT count(*) FROM (SELECT DISTINCT digest FROM model_versions) d HAVING count(*) <> 2',
  'completed ingestions without their dataset': `SELECT id FROM jobs WHERE type = 'ingest' AND status = 'completed'
    AND NOT EXISTS (SELECT FROM datasets WHERE job_id = jobs.id)`,
  'completed trainings without their version': `SELECT id FROM jobs WHERE type = 'train' AND status = 'completed'
    AND NOT EXISTS (SELECT FROM model_versions WHERE job_id = jobs.id)`,
};

export async function findContradictions(world: ChaosStack): Promise<string[]> {
  const problems: string[] = [];
  for (const [what, sql] of Object.entries(CONTRADICTIONS)) {
    const rows = await world.query(sql);
    if (rows.length > 0) problems.push(`${what}: ${JSON.stringify(rows.slice(0, 3))}`);
  }
  return problems;
}

/** Jobs that completed have nothing staged any more; what a failed one has left goes by retention. */
const CLEARED_WITHIN_MS = 10_000;

async function findStaged(world: ChaosStack): Promise<string[]> {
  const roots = [join('data', 'datasets', '.staging'), join('models', '.staging')].map((one) =>
    join(world.stack.stateDir, one),
  );
  const deadline = Date.now() + CLEARED_WITHIN_MS;
  for (;;) {
    const staged = roots.flatMap((root) => (existsSync(root) ? readdirSync(root) : []));
    const left = await world.query<{ id: string }>(`SELECT id FROM jobs WHERE status = 'completed' AND id = ANY($1)`, [
      staged,
    ]);
    if (left.length === 0) return [];
    if (Date.now() > deadline) return left.map(({ id }) => `job ${id} has completed and what it staged is left`);
    await sleep(300);
  }
}

/** Files under final names are those that the database knows, and what completed jobs have staged is gone. */
export async function findLeftFiles(world: ChaosStack): Promise<string[]> {
  const { stateDir } = world.stack;
  const list = (...path: string[]) => {
    const folder = join(stateDir, ...path);
    return existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')) : [];
  };
  const known = async (sql: string) => (await world.query<{ name: string }>(sql)).map(({ name }) => name);
  const compare = (what: string, found: string[], expected: string[]) => [
    ...found.filter((name) => !expected.includes(name)).map((name) => `${what} ${name} is on disk and not known`),
    ...expected.filter((name) => !found.includes(name)).map((name) => `${what} ${name} is known and not on disk`),
  ];
  return [
    ...(await findStaged(world)),
    ...compare('dataset', list('data', 'datasets'), await known('SELECT id AS name FROM datasets')),
    ...compare(
      'bundle',
      list('models', 'customers'),
      await known('SELECT DISTINCT digest AS name FROM model_versions'),
    ),
  ];
}

/** No planted secret in a log or in the history of Temporal. */
export function findSecrets(world: ChaosStack): string[] {
  const { stateDir } = world.stack;
  const temporal = join(stateDir, 'temporal');
  const files = [
    ...PARTS.map((part) => world.stack.logFile(part)),
    ...readdirSync(temporal).map((name) => join(temporal, name)),
  ].filter((path) => existsSync(path));
  return files.flatMap((path) => {
    const bytes = readFileSync(path);
    return world.secrets().some((secret) => bytes.includes(secret)) ? [`${path} has a secret in it`] : [];
  });
}

export function findStrays(world: ChaosStack): string[] {
  return strayProcesses(
    world.stack.stateDir,
    PARTS.map((part) => world.stack.pid(part)).filter((pid) => pid !== undefined),
  ).map(({ pid, command }) => `process ${pid} is left: ${command}`);
}
