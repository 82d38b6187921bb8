import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const activities = proxyActivities<Activities>(DATA);
const { planReplay, registerReplayed } = proxyActivities<Activities>(RECORD);

/** Rows in quarantine, corrected → a new dataset with those that are good now. The input is the body of the replay, and `dataset_id`. */
export async function replayQuarantine(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('replay', input, async ({ enterStage, label }) => {
    await enterStage('plan');
    const plan = await planReplay({ jobId, request: input });
    label({ datasetId: plan.datasetId });
    await enterStage('replay');
    await activities.replayQuarantine(plan);
    await enterStage('register');
    return registerReplayed(plan);
  });
}
