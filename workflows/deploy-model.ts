import { CancellationScope, isCancellation, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DEPLOY, NOTE, RECORD } from './activity-options.js';
import { describeFailure, runJob } from './run-job.js';

const { openDeployment } = proxyActivities<Activities>(RECORD);
const { verifyVersion, switchRoute, confirmServed } = proxyActivities<Activities>(DEPLOY);
const { closeDeployment } = proxyActivities<Activities>(NOTE);

/**
 * Gives a version all the traffic of its model: its artifact is verified and tested first, and the version that is
 * really served is read back before this says "promoted". When a step fails, the former version has the traffic again.
 * The input is `{model, version, strategy?}`.
 */
export async function deployModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('deploy', input, async ({ enterStage, label }) => {
    await enterStage('open');
    const deployment = await openDeployment({ jobId, request: input });
    label({ model: deployment.model });
    try {
      await enterStage('verify');
      await verifyVersion(deployment);
      await enterStage('switch');
      await switchRoute(deployment);
      await enterStage('confirm');
      await confirmServed(deployment);
      return await closeDeployment({ ...deployment, state: 'promoted' });
    } catch (error) {
      const state = isCancellation(error) ? ('aborted' as const) : ('failed' as const);
      const reason = state === 'aborted' ? 'The rollout was cancelled.' : describeFailure(error).detail;
      await CancellationScope.nonCancellable(() => closeDeployment({ ...deployment, state, reason }));
      throw error;
    }
  });
}
