import { patched, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, RECORD } from './activity-options.js';
import { inLanes } from './in-lanes.js';
import { runJob, type JobRun } from './run-job.js';

const { planIngestion, registerDataset } = proxyActivities<Activities>(RECORD);
const { extractSource, snapshotDataset, planParts, bringParts, orderSlices } = proxyActivities<Activities>(DATA);
const { surveySlices, settleSlices, writeSlices, commitSlices } = proxyActivities<Activities>(DATA);

type Plan = Awaited<ReturnType<Activities['planIngestion']>>;

/** Source → checked, typed, immutable Parquet snapshot. The input is the body of `POST /data/ingest`. */
export async function ingestData(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('ingest', input, async (job) => {
    await job.enterStage('plan');
    const plan = await planIngestion({ jobId, request: input });
    job.label({ datasetId: plan.datasetId });
    if (patched('ingest-parts')) await ingestParts(plan, job);
    else await ingestWhole(plan, job);
    await job.enterStage('register');
    return registerDataset(plan);
  });
}

/** As releases did that read a source in one piece: for workflows that they have begun. */
async function ingestWhole(plan: Plan, { enterStage }: JobRun): Promise<void> {
  await enterStage('extract');
  const extracted = await extractSource(plan);
  await enterStage('validate');
  await snapshotDataset({ plan, extracted });
}

/** Parts of the source, then slices of those parts, side by side on any worker; a piece that failed is tried again alone. */
async function ingestParts(plan: Plan, { enterStage }: JobRun): Promise<void> {
  await enterStage('extract');
  const { parts } = await planParts(plan);
  await inLanes(parts, (range) => bringParts({ plan, parts, all: parts, ...range }));
  const { slices, needsSurvey } = await orderSlices({ plan, parts });
  await enterStage('validate');
  if (needsSurvey) await inLanes(slices, (range) => surveySlices({ plan, parts, all: slices, ...range }));
  await settleSlices({ plan, parts });
  await inLanes(slices, (range) => writeSlices({ plan, parts, all: slices, ...range }));
  await commitSlices({ plan, parts });
}
