import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { TASK_QUEUES } from '../../core/names.js';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { withTemporal } from '../pipelines/temporal-client.js';
import { releaseVersion } from '../release-version.js';
import { withoutCredentials } from '../telemetry/logger.js';
import type { ModelsConfig } from '../training/models-config.js';
import { within } from '../within.js';
import { installationChecks } from './installation-checks.js';

export interface DependencyHealth {
  status: 'up' | 'down';
  latency_ms: number;
  /** What is degraded while it is down. */
  affects: string;
  error?: string;
}

export interface Health {
  status: 'ok' | 'degraded';
  version: string;
  uptime_seconds: number;
  dependencies: Record<string, DependencyHealth>;
  serving: { model: string; version: string }[];
}

const TIMEOUT_MS = 1500;

/** Asks every dependency at once, each for at most 1.5 s. */
export async function checkHealth(
  context: {
    config: Config;
    database: Database;
    temporal: Client;
    redis?: { ping: () => Promise<void> };
    readModelsConfig: () => Promise<ModelsConfig>;
  },
  serving: Health['serving'],
): Promise<Health> {
  const { config, database, temporal, redis } = context;
  const { namespace } = config.temporal;
  const hasPoller = async (taskQueue: string) => {
    const { pollers } = await withTemporal(
      temporal,
      () => temporal.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue }, taskQueueType: 2 }),
      TIMEOUT_MS,
    );
    const isAlive = (pollers ?? []).some(
      (poller) => Date.now() / 1000 - Number(poller.lastAccessTime?.seconds ?? 0) < 90,
    );
    if (!isAlive) throw new Error(`no worker polls the task queue ${taskQueue}`);
  };
  const checks: [string, string, () => Promise<unknown>][] = [
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
    ['model_storage', 'loading and registering versions', () => checkFolder(config.modelStoragePath)],
    ['data_storage', 'ingestion and training', () => checkFolder(config.dataStoragePath)],
    ...installationChecks(context),
  ];
  if (redis) checks.push(['redis', 'predictions are cached in each process only', () => redis.ping()]);
  const results = await Promise.all(
    checks.map(async ([name, affects, check]) => [name, await ask(affects, check)] as const),
  );
  return {
    status: results.every(([, result]) => result.status === 'up') ? 'ok' : 'degraded',
    version: releaseVersion(),
    uptime_seconds: Math.round(process.uptime()),
    dependencies: Object.fromEntries(results),
    serving,
  };
}

async function checkFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await access(path, constants.R_OK | constants.W_OK);
}

async function ask(affects: string, check: () => Promise<unknown>): Promise<DependencyHealth> {
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
