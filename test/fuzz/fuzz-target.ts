import { runJob } from '../../bench/served-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { simulateFiles } from '../support/simulate-files.js';

/** Served by the target, so that requests come further than "no such model". */
export const TARGET_MODEL = 'project_success';

/** A throw-away service with a dataset and a deployed model. Its models are small: it is there to be asked, not to be right. */
export async function startFuzzTarget(): Promise<TestStack> {
  const stack = await TestStack.start({ AUTO_ML_ENABLED: 'false', LOG_LEVEL: 'WARN' });
  try {
    simulateFiles(stack.stateDir, 120);
    await runJob(stack.api, '/data/ingest', { source: 'projects.parquet', data_type: 'projects' });
    await runJob(stack.api, '/models/train', { model_type: TARGET_MODEL, hyperparameters: { n_estimators: 10 } });
    const deployment = { version: 'v1.0.0', allow_unpromotable: true };
    await runJob(stack.api, `/models/${TARGET_MODEL}/deploy`, deployment);
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
