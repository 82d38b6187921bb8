import { ServiceProblem } from '../../clients/typescript/client.js';
import type { Connection } from '../connection.js';
import { CommandError } from '../exit-codes.js';
import { installedVersion } from '../installation.js';
import { judgeClock, judgeDisk, problem, warning, well, type Finding, type Health } from './finding.js';

/** What mends each dependency, by its name in `GET /health`. */
export const REPAIRS: Record<string, string> = {
  database: 'Start PostgreSQL, and look at DATABASE_URL. Predictions go on meanwhile, and their log waits on disk.',
  database_schema: 'Run `npm run migrate`; `npm start` does so at its start, too.',
  temporal: 'Start Temporal, and look at TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE: `temporal operator cluster health`.',
  pipeline_worker:
    'Start a worker with the settings of the API: `node dist/workers/pipeline-worker.js`. `npm start` keeps one running; its log is below STATE_DIR/logs.',
  training_worker:
    'Start a worker with the settings of the API: `node dist/workers/training-worker.js`. `npm start` keeps one running; its log is below STATE_DIR/logs.',
  model_storage: 'Let the service write to MODEL_STORAGE_PATH: look at owner, rights and space of the folder.',
  data_storage: 'Let the service write to DATA_STORAGE_PATH: look at owner, rights and space of the folder.',
  models_config:
    'Correct the named line of the models file. It is read again by itself; until then its models cannot be trained.',
  worker_release:
    'Start workers of the build that is current, or make the build of those that run current: `npm run release -- show` lists them, `npm run release -- current <build>`.',
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
    ...Object.entries(health.dependencies).map(([name, found]) => judgeDependency(name, found, health)),
    ...judgeQueues(health),
    ...Object.entries(health.disks).map(([name, { free_bytes: free }]) =>
      judgeDisk(`disk:${name}`, `the ${name} folder of the service`, free),
    ),
    ...(await examineModels(connection, health)),
  ];
  return { findings, health };
}

const LOOK_AT_LOG = 'Look at the log of the API, below STATE_DIR/logs.';

function unreachable(error: unknown): Finding {
  if (isRefused(error)) return refused(error);
  const { message, hint } = error as CommandError;
  if (error instanceof CommandError) return problem('service', message, hint ?? '');
  return problem('service', (error as Error).message, LOOK_AT_LOG);
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

/** What is asked through another dependency, and says nothing of itself while that one is away. */
const ASKED_THROUGH: Record<string, string> = {
  database_schema: 'database',
  pipeline_worker: 'temporal',
  training_worker: 'temporal',
  worker_release: 'temporal',
};

export function judgeDependency(
  name: string,
  { status, latency_ms: ms, affects, error }: Health['dependencies'][string],
  { dependencies }: Pick<Health, 'dependencies'>,
): Finding {
  const check = `dependency:${name}`;
  if (status === 'up') return well(check, `up, ${ms} ms`);
  const through = ASKED_THROUGH[name];
  if (through !== undefined && dependencies[through]?.status === 'down')
    return warning(check, `cannot be told while ${through} is away`, `Mend dependency:${through} first.`);
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

/** Whether the caller may read at all, and whether each model is answered by the version that is deployed. */
async function examineModels(connection: Connection, { dependencies }: Health): Promise<Finding[]> {
  // The list of models would wait for a database that hangs.
  if (dependencies['database']?.status !== 'up') return [];
  try {
    const { items } = await connection.client.get('/models');
    return [well('access', 'you may read'), ...items.flatMap(judgeModel)];
  } catch (error) {
    // What is told already is reason enough.
    if (!isRefused(error) && Object.values(dependencies).some(({ status }) => status === 'down')) return [];
    return [
      isRefused(error) ? refused(error) : problem('access', `GET /models: ${(error as Error).message}`, LOOK_AT_LOG),
    ];
  }
}

/** A version whose files are damaged or gone is refused when it is loaded, and what was served before goes on. */
export function judgeModel({
  model,
  serving: { version, loaded_version: loaded },
}: {
  model: string;
  serving: { version: string | null; loaded_version: string | null };
}): Finding[] {
  if (version === loaded || version === null) return [];
  const message = `${version} is deployed, and ${loaded === null ? 'no version answers' : `${loaded} answers`}: the API cannot load it`;
  const repair =
    'Its files below MODEL_STORAGE_PATH are damaged or gone, or it is still being loaded; the log of the API says which. ' +
    `Put them back from a backup (\`npm run restore\`), or let another version answer: \`mlops rollback ${model}\`, \`mlops deploy ${model} <version>\`.`;
  return [problem(`model:${model}`, message, repair)];
}

const isRefused = (error: unknown): error is ServiceProblem =>
  error instanceof ServiceProblem && (error.status === 401 || error.status === 403);

const refused = ({ message, status }: ServiceProblem): Finding =>
  problem(
    'access',
    message,
    status === 401
      ? 'The token is wrong, revoked or has expired: sign in with `mlops login --token-stdin`, or set MLOPS_TOKEN.'
      : 'The token has too small a role: ask for one with the role viewer.',
  );
