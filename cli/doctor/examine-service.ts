import { ServiceProblem } from '../../clients/typescript/client.js';
import type { Connection } from '../connection.js';
import { CommandError } from '../exit-codes.js';
import { installedVersion } from '../installation.js';
import { judgeClock, judgeDisk, problem, warning, well, type Finding, type Health } from './finding.js';

/** What mends each dependency, by its name in `GET /health`. */
const REPAIRS: Record<string, string> = {
  database: 'Start PostgreSQL, and look at DATABASE_URL. Predictions go on meanwhile, and their log waits on disk.',
  database_schema: 'Run `npm run migrate`; `npm start` does so at its start, too.',
  temporal: 'Start Temporal, and look at TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE: `temporal operator cluster health`.',
  pipeline_worker:
    'Start a worker: `node dist/workers/pipeline-worker.js`. `npm start` keeps one running; its log is below STATE_DIR/logs.',
  training_worker:
    'Start a worker: `node dist/workers/training-worker.js`. `npm start` keeps one running; its log is below STATE_DIR/logs.',
  model_storage: 'Let the service write to MODEL_STORAGE_PATH: look at owner, rights and space of the folder.',
  data_storage: 'Let the service write to DATA_STORAGE_PATH: look at owner, rights and space of the folder.',
  models_config:
    'Correct the named line of the models file. It is read again by itself; until then its models cannot be trained.',
  redis: 'Start Redis, or take REDIS_URL away: each process then has a cache of its own.',
};

/** What the service says of itself. @returns no health where it does not answer */
export async function examineService(connection: Connection): Promise<{ findings: Finding[]; health?: Health }> {
  const sentMs = Date.now();
  let response: Response;
  try {
    response = await connection.open('/health');
  } catch (error) {
    return { findings: [unreachable(error)] };
  }
  const receivedMs = Date.now();
  const health = (await response.json().catch(() => undefined)) as Health | undefined;
  if (typeof health?.dependencies !== 'object')
    return {
      findings: [
        problem(
          'service',
          'the answer of GET /health is not that of this service',
          'Correct the address: `mlops login --url <url>`.',
        ),
      ],
    };
  const clock = judgeClock(response.headers.get('date'), sentMs, receivedMs);
  const findings = [
    judgeVersion(health.version),
    ...(clock ? [clock] : []),
    ...Object.entries(health.dependencies).map(([name, found]) => judgeDependency(name, found)),
    ...judgeQueues(health),
    ...Object.entries(health.disks).map(([name, { free_bytes: free }]) =>
      judgeDisk(`disk:${name}`, `the ${name} folder of the service`, free),
    ),
    await examineToken(connection),
  ];
  return { findings, health };
}

function unreachable(error: unknown): Finding {
  const { message, hint } = error as CommandError;
  if (error instanceof CommandError) return problem('service', message, hint ?? '');
  return problem('service', (error as Error).message, 'Look at the log of the API, below STATE_DIR/logs.');
}

function judgeVersion(version: string): Finding {
  const own = installedVersion();
  return version === own
    ? well('service', `it answers, version ${version}`)
    : warning(
        'service',
        `it answers with version ${version}, and this command line has ${own}`,
        'Use the command line of the same release: what is newer in one is not known to the other.',
      );
}

function judgeDependency(
  name: string,
  { status, latency_ms: ms, affects, error }: Health['dependencies'][string],
): Finding {
  const check = `dependency:${name}`;
  if (status === 'up') return well(check, `up, ${ms} ms`);
  return problem(
    check,
    `down: ${error ?? 'no reason was given'} (affects: ${affects})`,
    REPAIRS[name] ?? 'Start it, and look at the log of the API.',
  );
}

const OLD_TASK_SECONDS = 60;

function judgeQueues({ task_queues: queues }: Health): Finding[] {
  return queues
    .filter(
      ({ pollers, backlog, oldest_seconds: oldest }) => pollers === 0 || (backlog > 0 && oldest > OLD_TASK_SECONDS),
    )
    .map(({ queue, kind, pollers, backlog, oldest_seconds: oldest }) =>
      pollers === 0
        ? problem(
            `queue:${queue}:${kind}`,
            `no worker takes ${kind} tasks of the queue ${queue}; ${backlog} wait`,
            REPAIRS[`${queue}_worker`] ?? 'Start a worker.',
          )
        : warning(
            `queue:${queue}:${kind}`,
            `${backlog} ${kind} tasks of the queue ${queue} wait, the oldest for ${oldest} s`,
            'Start more workers, or wait: `mlops jobs list --status running` tells what they are busy with.',
          ),
    );
}

/** Whether the caller may read at all. */
async function examineToken(connection: Connection): Promise<Finding> {
  try {
    await connection.client.get('/models');
    return well('access', 'you may read');
  } catch (error) {
    const isRefused = error instanceof ServiceProblem && (error.status === 401 || error.status === 403);
    return isRefused
      ? problem('access', error.message, 'Sign in: `mlops login --token-stdin`, or set MLOPS_TOKEN.')
      : problem('access', `GET /models: ${(error as Error).message}`, 'Look at the log of the API for its reason.');
  }
}
