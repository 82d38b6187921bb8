import {
  ApplicationFailure,
  ChildWorkflowFailure,
  executeChild,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, fitOptions, RECORD } from './activity-options.js';
import type { deployModel } from './deploy-model.js';
import { runJob } from './run-job.js';
import type { runSweep } from './run-sweep.js';

const { planTraining, registerVersion, applySweep, chooseStrategy } = proxyActivities<Activities>(RECORD);
const { buildTrainingTable } = proxyActivities<Activities>(DATA);

/** Dataset → features and labels as of a time → search, where asked for → fit → honest metrics → version. The input is the body of `POST /models/train`. */
export async function trainModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('train', input, async ({ enterStage, label }) => {
    await enterStage('plan');
    let plan = await planTraining({ jobId, request: input });
    label({ model: plan.model, datasetId: plan.datasetId });
    const { fitModel, crossValidate, evaluateModel } = proxyActivities<Activities>(fitOptions(plan.fitTimeoutSeconds));
    await enterStage('features');
    const { rows } = await buildTrainingTable(plan);
    if (plan.search) {
      await enterStage('search');
      const sweepId = `sweep-${jobId}`;
      await executeChild<typeof runSweep>('runSweep', {
        args: [{ plan, rows }],
        workflowId: sweepId,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      }).catch((error: unknown) => {
        // Without a search that somebody asked for there are still the defaults.
        if (!plan.search?.isAutomatic || !hasFoundNothing(error)) throw error;
      });
      plan = await applySweep({ plan, sweepId });
    }
    await enterStage('fit');
    await fitModel(plan);
    if (plan.crossValidation) {
      await enterStage('cross_validate');
      await crossValidate(plan);
    }
    await enterStage('evaluate');
    await evaluateModel(plan);
    await enterStage('register');
    const version = await registerVersion(plan);
    if (!plan.autoDeploy || !version.promotable) return version;
    await enterStage('deploy');
    // What nobody has chosen by hand is tried beside the present version first. That takes longer than a job should.
    if (plan.search && (await chooseStrategy({ model: plan.model })) === 'canary') {
      const strategy = 'canary';
      await startChild<typeof deployModel>('deployModel', {
        args: [{ model: plan.model, version: version.version, strategy }],
        workflowId: `deploy-${jobId}`,
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
      return { ...version, deployment: { job_id: `deploy-${jobId}`, strategy } };
    }
    const deployment = await executeChild<typeof deployModel>('deployModel', {
      args: [{ model: plan.model, version: version.version }],
      workflowId: `deploy-${jobId}`,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
    return { ...version, deployment };
  });
}

/** Also where the data is enough to fit on, and not to search on. */
const hasFoundNothing = (error: unknown) =>
  error instanceof ChildWorkflowFailure &&
  error.cause instanceof ApplicationFailure &&
  ['sweep_failed', 'training_data_insufficient'].includes(error.cause.type ?? '');
