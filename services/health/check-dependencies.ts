import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { TASK_QUEUES } from '../../core/names.js';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { withTemporal } from '../pipelines/temporal-client.js';
import { withoutCredentials } from '../telemetry/redact.js';
import type { ModelsConfig } from '../training/models-config.js';
import { within } from '../within.js';
import type { DependencyHealth } from './degraded-states.js';
import { installationChecks } from './installation-checks.js';
import { describeTaskQueues, type TaskQueueState } from './task-queues.js';
import { checkStoreOf } from '../storage/shared-files.js';
import { checkRelease } from '../pipelines/worker-release.js';

export interface Dependencies {
  config: Config;
  database: Database;
  temporal: Client;
  redis?: { ping: () => Promise<void> };
  readModelsConfig: () => Promise<ModelsConfig>;
}

export type CheckedDependency = Omit<DependencyHealth, 'last_error'>;

const TIMEOUT_MS = 1500;

/** Asks every dependency at once, each for at most 1.5 s. @returns no task queues while Temporal is away */
export async function checkDependencies(
  context: Dependencies,
): Promise<{ dependencies: Record<string, CheckedDependency>; taskQueues: TaskQueueState[] }> {
  const { config, temporal } = context;
  const queues = describeTaskQueues(temporal, config.temporal.namespace, TIMEOUT_MS);
  const results = await Promise.all(
    checksOf(context, queues).map(async ([name, affects, check]) => [name, await ask(affects, check)] as const),
  );
  return { dependencies: Object.fromEntries(results), taskQueues: await queues.catch(() => []) };
}

type Check = [name: string, affects: string, check: () => Promise<unknown>];

function checksOf(context: Dependencies, queues: Promise<TaskQueueState[]>): Check[] {
  const { config, database, temporal, redis } = context;
  const hasPoller = async (taskQueue: string) => {
    const isPolled = (await queues).some(({ queue, kind, pollers }) => {
      return queue === taskQueue && kind === 'activity' && pollers > 0;
    });
    if (!isPolled) throw new Error(`no worker polls the task queue ${taskQueue}`);
  };
  const checks: Check[] = [
    [
      'database',
      'jobs, registry and data; predictions go on and their log waits',
      () => database.pool.query('SELECT 1'),
    ],
    [
      'temporal',
      'starting and following jobs; predictions go on',
      () => withTemporal(temporal, () => temporal.workflowService.getSystemInfo({}), TIMEOUT_MS),
    ],
    ['pipeline_worker', 'jobs wait until a worker is back', () => hasPoller(TASK_QUEUES.pipeline)],
    ['training_worker', 'training waits until a worker is back', () => hasPoller(TASK_QUEUES.training)],
    ...releaseChecks(context),
    ['model_storage', 'loading and registering versions', () => checkFolder(config.modelStoragePath)],
    ['data_storage', 'ingestion and training', () => checkFolder(config.dataStoragePath)],
    ...installationChecks(context),
  ];
  if (redis) checks.push(['redis', 'predictions are cached in each process only', () => redis.ping()]);
  return checks;
}

/** Of an installation whose workers have build ids. */
function releaseChecks({ config, temporal }: Dependencies): Check[] {
  if (!config.workerRelease) return [];
  const { deploymentName } = config.workerRelease;
  const check = () => checkRelease({ temporal, namespace: config.temporal.namespace, deploymentName });
  return [['worker_release', 'new jobs wait until a build of the workers is current and there', check]];
}

async function checkFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await access(path, constants.R_OK | constants.W_OK);
  await checkStoreOf(path);
}

async function ask(affects: string, check: () => Promise<unknown>): Promise<CheckedDependency> {
  const start = performance.now();
  const latency = () => Math.round((performance.now() - start) * 10) / 10;
  try {
    await within(TIMEOUT_MS, check());
    return { status: 'up', latency_ms: latency(), affects };
  } catch (error) {
    return {
      status: 'down',
      latency_ms: latency(),
      affects,
      error: withoutCredentials(error instanceof Error ? error.message : String(error)).slice(0, 200),
    };
  }
}
