import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA } from './activity-options.js';
import { runJob } from './run-job.js';

const { sealFiles, reportKeys } = proxyActivities<Activities>(DATA);

/**
 * Brings every file of models, datasets and uploads under the key that new files are encrypted with. The input is `{key_id}`. Files go in rounds of
 * some minutes, between which the job can be paused and an erasure gets its turn; what is done is passed over.
 */
export async function reencryptFiles(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('reencrypt', input, async ({ enterStage }) => {
    do await enterStage('seal');
    while (!(await sealFiles({ jobId, request: input })).isDone);
    await enterStage('report');
    return reportKeys({ jobId });
  });
}
