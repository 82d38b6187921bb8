import {
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { EVALUATE, NOTE, RECORD } from './activity-options.js';
import type { deployModel } from './deploy-model.js';
import type { ingestData } from './ingest-data.js';
import { describeFailure, runJob, type JobRun } from './run-job.js';
import type { trainModel } from './train-model.js';

const { openRepair, planRepairData, noteRepairData } = proxyActivities<Activities>(RECORD);
const { judgeRepair } = proxyActivities<Activities>(EVALUATE);
const { noteRollout, closeRepair } = proxyActivities<Activities>(NOTE);

type Repair = Awaited<ReturnType<typeof openRepair>>;

/**
 * Trains a model anew on data of the world as it is now, holds the new version against the present one on fresh labelled rows, and rolls it
 * out by a canary where it does better. Where it does not, that is what comes of it. The input is the body of `POST /models/{model}/repair`
 * with the model.
 */
export async function repairModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('repair', input, async (run) => {
    await run.enterStage('open');
    const repair = await openRepair({ jobId, request: input });
    const { repairId } = repair;
    run.label({ model: repair.model });
    try {
      return await closeRepair({ repairId, ...(await mend(repair, run)) });
    } catch (error) {
      const end = isCancellation(error)
        ? { state: 'cancelled' as const, reason: 'The repair was cancelled by a person.' }
        : { state: 'failed' as const, reason: describeFailure(error).detail };
      await CancellationScope.nonCancellable(() => closeRepair({ repairId, ...end }));
      throw error;
    }
  });
}

async function mend(repair: Repair, run: JobRun) {
  await run.enterStage('collect');
  const data = await planRepairData(repair);
  const datasetId = data.from === 'log' ? await ingest(repair, data.ingest) : undefined;
  const training = await noteRepairData({ repair, data, datasetId });
  await run.enterStage('train');
  const { version } = await executeChild<typeof trainModel>('trainModel', {
    args: [training],
    ...childOf(repair, 'train'),
  });
  await run.enterStage('judge');
  const { outcome, reason } = await judgeRepair({ repair, version, from: data.from });
  if (outcome !== 'better') return { state: 'not_better' as const, reason };
  await run.enterStage('roll_out');
  return rollOut(repair, version, reason);
}

const childOf = ({ jobId }: Repair, step: string) => ({
  workflowId: `${step}-${jobId}`,
  parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
});

async function ingest(repair: Repair, request: Record<string, unknown>): Promise<string> {
  const { dataset_id: datasetId } = await executeChild<typeof ingestData>('ingestData', {
    args: [request],
    ...childOf(repair, 'ingest'),
  });
  return datasetId;
}

async function rollOut(repair: Repair, version: string, better: string) {
  const { repairId, model, canary } = repair;
  const ended = await executeChild<typeof deployModel>('deployModel', {
    args: [{ model, version, strategy: 'canary', canary }],
    ...childOf(repair, 'deploy'),
  });
  const { state, reason } = await noteRollout({ repairId, deploymentId: ended.deployment_id });
  return state === 'promoted'
    ? { state: 'repaired' as const, reason: better }
    : { state: 'rolled_back' as const, reason: reason ?? `The rollout ended as ${state}.` };
}
