import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const { planPreprocessing, registerPreprocessed } = proxyActivities<Activities>(RECORD);
const { preprocessDataset } = proxyActivities<Activities>(DATA);

/** A dataset → the same rows as numbers, as another dataset. The input is the body of `POST /data/preprocess`. */
export async function preprocessData(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('preprocess', input, async ({ enterStage, label }) => {
    await enterStage('plan');
    const plan = await planPreprocessing({ jobId, request: input });
    label({ datasetId: plan.datasetId });
    await enterStage('prepare');
    await preprocessDataset(plan);
    await enterStage('register');
    return registerPreprocessed(plan);
  });
}
