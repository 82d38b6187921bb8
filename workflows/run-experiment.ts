import {
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { EVALUATE, NOTE, RECORD } from './activity-options.js';
import type { deployModel } from './deploy-model.js';
import { describeFailure, runJob } from './run-job.js';

const { openExperiment } = proxyActivities<Activities>(RECORD);
const { evaluateExperiment } = proxyActivities<Activities>(EVALUATE);
const { closeExperiment } = proxyActivities<Activities>(NOTE);

/** Windows grow with the age of the experiment, by this share of it, so that months have a history of bounded size. */
const WINDOW_GROWTH = 0.01;
const LONGEST_WINDOW_SECONDS = 7200;

/**
 * Compares versions of a model among the entities that take part, until the evidence decides, the time is over, or a person stops it.
 * The input is the body of `POST /experiments`.
 */
export async function runExperiment(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('experiment', input, async ({ enterStage, label }) => {
    await enterStage('open');
    const experiment = await openExperiment({ jobId, request: input });
    const { experimentId, model, windowSeconds, onWinner } = experiment;
    label({ model });
    try {
      await enterStage('observe');
      const startMs = Date.now();
      for (let window = 1; ; window++) {
        const grown = Math.min(((Date.now() - startMs) / 1000) * WINDOW_GROWTH, LONGEST_WINDOW_SECONDS);
        await sleep(Math.max(windowSeconds, grown) * 1000);
        const progress = 1 - 0.9 / (1 + window / 100);
        const { decision, winner, reason } = await evaluateExperiment({ ...experiment, window, progress });
        if (decision === 'running') continue;
        const result = await closeExperiment({ experimentId, state: 'concluded', reason, decision, winner });
        if (onWinner === 'keep' || result.winner_version === null) return result;
        await enterStage('deploy');
        const deployment = await executeChild<typeof deployModel>('deployModel', {
          args: [{ model, version: result.winner_version, allow_unpromotable: true }],
          workflowId: `deploy-${jobId}`,
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        });
        return { ...result, deployment };
      }
    } catch (error) {
      const state = isCancellation(error) ? ('stopped' as const) : ('failed' as const);
      const reason = state === 'stopped' ? 'The experiment was stopped by a person.' : describeFailure(error).detail;
      await CancellationScope.nonCancellable(() => closeExperiment({ experimentId, state, reason }));
      throw error;
    }
  });
}
