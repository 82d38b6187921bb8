import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const { planIngestion, registerDataset } = proxyActivities<Activities>(RECORD);
const { extractSource, snapshotDataset } = proxyActivities<Activities>(DATA);

/** Source → checked, typed, immutable Parquet snapshot. The input is the body of `POST /data/ingest`. */
export async function ingestData(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('ingest', input, async ({ enterStage, label }) => {
    await enterStage('plan');
    const plan = await planIngestion({ jobId, request: input });
    label({ datasetId: plan.datasetId });
    await enterStage('extract');
    const extracted = await extractSource(plan);
    await enterStage('validate');
    await snapshotDataset({ plan, extracted });
    await enterStage('register');
    return registerDataset(plan);
  });
}
