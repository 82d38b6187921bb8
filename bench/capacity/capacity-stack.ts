import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestStack } from '../../infra/local/test-stack.js';
import { compiledScript } from '../../services/project-root.js';
import { runJob } from '../served-stack.js';
import { memoryMibOf } from './process-usage.js';

/** A stack of one process each, with a deployed model of every kind. */
export interface CapacityStack {
  api: string;
  databaseUrl: string;
  stateDir: string;
  /** Where its file sources are. */
  sources: string;
  /** MiB of the API before any model was loaded. */
  baseMib: number;
  pid: TestStack['pid'];
  stop(): Promise<void>;
}

const MODELS = {
  user_events: ['user_behavior'],
  projects: ['project_success'],
  resource_metrics: ['anomaly_detection', 'resource_usage'],
  item_interactions: ['recommendation'],
};

export async function startCapacityStack(options: {
  folder: string;
  modelsConfig: string;
  users: number;
}): Promise<CapacityStack> {
  const sources = join(options.folder, 'sources');
  mkdirSync(sources);
  const args = ['--users', String(Math.max(500, Math.round(options.users))), '--output', sources];
  execFileSync(process.execPath, [compiledScript('simulator/main.js'), ...args], { stdio: 'ignore' });
  const stack = await TestStack.start({
    API_WORKERS: '1',
    PREDICTION_CACHE_TTL: '0',
    DATA_SOURCE_ROOTS: sources,
    MODELS_CONFIG: options.modelsConfig,
  });
  try {
    const baseMib = memoryMibOf(stack.pid('api')!).now;
    for (const [table, models] of Object.entries(MODELS)) {
      await runJob(stack.api, '/data/ingest', { source: `${table}.parquet`, data_type: table });
      for (const model of models)
        await runJob(stack.api, '/models/train', { model_type: model, auto_deploy: true, search: false });
    }
    return {
      api: stack.api,
      databaseUrl: stack.addresses.databaseUrl,
      stateDir: stack.stateDir,
      sources,
      baseMib,
      pid: (part) => stack.pid(part),
      stop: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
