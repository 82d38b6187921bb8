import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA } from './activity-options.js';
import { runJob } from './run-job.js';

const { applyRetention: deleteExpired } = proxyActivities<Activities>(DATA);

/** Deletes what the policy of `models/retention.yaml` lets go and nothing relies on. The input is `{}`. */
export async function applyRetention(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('retain', input, async ({ enterStage }) => {
    await enterStage('delete');
    return deleteExpired({ jobId });
  });
}
