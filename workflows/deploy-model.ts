import { CancellationScope, isCancellation, patched, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DEPLOY, EVALUATE, NOTE, RECORD } from './activity-options.js';
import { RolloutCommands } from './rollout-commands.js';
import { describeFailure, runJob, type JobRun } from './run-job.js';
import { TrialRun, waitOutFreeze, type Outcome } from './trial-run.js';

const { openDeployment } = proxyActivities<Activities>(RECORD);
const { verifyVersion, switchRoute, confirmServed } = proxyActivities<Activities>(DEPLOY);
const { testHoldout } = proxyActivities<Activities>(EVALUATE);
const { closeDeployment, noteDeployment } = proxyActivities<Activities>(NOTE);

type Deployment = Awaited<ReturnType<typeof openDeployment>>;

/**
 * Rolls a version out: its artifact is verified and tested first, and it is compared with the present version on held-out rows. Depending on
 * the strategy it then gets all the traffic, or is tried beside the present version and gets the traffic only when the evidence allows it. The version that is really served is
 * read back before this says "promoted". When a step fails, the former version has the traffic again.
 * The input is `{model, version, strategy?, canary?, shadow?}`.
 */
export async function deployModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('deploy', input, async (run) => {
    await run.enterStage('open');
    const deployment = withPlan(await openDeployment({ jobId, request: input }));
    run.label({ model: deployment.model });
    const commands = new RolloutCommands(run, deployment.deploymentId, deployment.plan);
    const enter = (stage: string) => enterStage(deployment, run, stage);
    try {
      await enter('verify');
      await verifyVersion(deployment);
      const { state, reason } = await tryOut(deployment, run, commands);
      await commands.writeDown();
      if (state !== 'promoted') return await closeDeployment({ ...deployment, state, reason });
      // A trial is decided: what is paused after that is not held at a share of which nobody looks at the evidence.
      if (deployment.plan.strategy === 'immediate') await enter('switch');
      else run.nameStage('switch');
      await switchRoute({ ...deployment, reason });
      if (deployment.plan.strategy === 'immediate') await enter('confirm');
      else run.nameStage('confirm');
      await confirmServed(deployment);
      return await closeDeployment({ ...deployment, state, reason });
    } catch (error) {
      const state = isCancellation(error) ? ('aborted' as const) : ('failed' as const);
      const reason = state === 'aborted' ? 'The rollout was aborted by a person.' : describeFailure(error).detail;
      await CancellationScope.nonCancellable(async () => {
        await commands.writeDown();
        await closeDeployment({ ...deployment, state, reason });
      });
      throw error;
    }
  });
}

/** Names the next step; a rollout that is paused waits before it, and says so. */
async function enterStage({ deploymentId }: Deployment, run: JobRun, stage: string): Promise<void> {
  const isPaused = run.isPaused();
  if (isPaused) await noteDeployment({ deploymentId, state: 'paused' });
  await run.enterStage(stage);
  if (isPaused) await noteDeployment({ deploymentId, state: 'running' });
}

/** Rollouts that an earlier release has opened have no plan: they were all immediate. */
function withPlan(deployment: Omit<Deployment, 'plan'> & Partial<Pick<Deployment, 'plan'>>): Deployment {
  return { plan: { strategy: 'immediate' }, ...deployment };
}

/** What comes before all traffic: the comparison offline, and what the strategy asks for. */
async function tryOut(deployment: Deployment, run: JobRun, commands: RolloutCommands): Promise<Outcome> {
  const { plan } = deployment;
  // Rollouts that began before there were these checks go on without them.
  if (patched('holdout-and-freezes')) {
    await enterStage(deployment, run, 'holdout');
    const { mayGoOn, reason } = await testHoldout(deployment);
    if (!mayGoOn) return { state: 'rolled_back', reason };
    if (plan.strategy === 'immediate') await waitOutFreeze(deployment, run, commands);
  }
  return plan.strategy === 'immediate'
    ? { state: 'promoted', reason: 'All traffic at once, as asked for.' }
    : new TrialRun(deployment, plan, run, commands).toEnd();
}
