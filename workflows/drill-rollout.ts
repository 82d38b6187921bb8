import {
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DRILL, EVALUATE, NOTE, RECORD, REPLAY } from './activity-options.js';
import type { deployModel } from './deploy-model.js';
import { describeFailure, runJob, type JobRun } from './run-job.js';
import type { trainModel } from './train-model.js';

const { openDrill, prepareSandbox, makeFaultyVersion } = proxyActivities<Activities>(RECORD);
const { judgeTrial } = proxyActivities<Activities>(EVALUATE);
const { driveTraffic } = proxyActivities<Activities>(DRILL);
const { replayDrill } = proxyActivities<Activities>(REPLAY);
const { closeDrill } = proxyActivities<Activities>(NOTE);

type Drill = Awaited<ReturnType<typeof openDrill>>;
type RolloutDrill = Drill & { request: Extract<Drill['request'], { kind: 'rollout' }> };
type Trial = { fault: Parameters<typeof judgeTrial>[0]['fault']; strategy: 'shadow' | 'canary'; version: string };

/** The slow version may keep one process busy for this share of the time, so that others' requests do not wait. */
const BUSY_SHARE = 0.3;
const GRACE_SECONDS = 20;

/**
 * Rehearses that a bad version is taken back: known-bad versions of the sandbox model go into shadow and canary by the very workflow that
 * rolls out any other, under traffic that the drill makes. Or, of the kind `aa_replay`, splits the real log of a model at random and counts
 * how often the rules would have rolled back without a reason. The input is the body of `POST /drills`.
 */
export async function drillRollout(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('drill', input, async (run) => {
    await run.enterStage('open');
    const drill = await openDrill({ jobId, request: input });
    const { drillId } = drill;
    run.label({ model: drill.model });
    try {
      const result =
        drill.request.kind === 'rollout' ? await rehearse(drill as RolloutDrill, run) : await replay(drill, run);
      const closed = await closeDrill({ drillId, result });
      if (closed.state === 'passed') return closed;
      throw ApplicationFailure.nonRetryable(closed.reason, 'drill_failed');
    } catch (error) {
      const end = isCancellation(error)
        ? { state: 'cancelled' as const, reason: 'The drill was cancelled by a person.' }
        : { state: 'failed' as const, reason: describeFailure(error).detail };
      await CancellationScope.nonCancellable(() => closeDrill({ drillId, end }));
      throw error;
    }
  });
}

async function replay(drill: Drill, run: JobRun) {
  await run.enterStage('replay');
  return replayDrill(drill);
}

async function rehearse(drill: RolloutDrill, run: JobRun): Promise<undefined> {
  await run.enterStage('sandbox');
  const versions = await makeVersions(drill);
  const { faults } = drill.request;
  // A canary of the twin gives it the traffic, so nothing may come after it that needs another present version.
  const strategies = (['shadow', 'canary'] as const).filter((strategy) => drill.request.strategies.includes(strategy));
  await deploy(drill, { version: versions.good }, 'good');
  const trials = strategies.flatMap((strategy): Trial[] => [
    ...faults.map((fault) => ({ fault, strategy, version: versions[fault]! })),
    // The good one's twin must be left alone in both.
    { fault: 'none', strategy, version: versions.twin },
  ]);
  for (const [at, trial] of trials.entries()) {
    const stage = `${trial.fault === 'none' ? 'good' : trial.fault} in ${trial.strategy}`;
    await run.enterStage(stage);
    await tryOut(drill, trial, { stage, seed: at + 1, progress: 0.2 + (0.75 * at) / trials.length });
  }
}

/** The good versions and the wrong one are trained, unless an earlier drill has; the others are the good one with a fault. */
async function makeVersions(
  drill: RolloutDrill,
): Promise<Record<'good' | 'twin' | 'wrong' | 'slow' | 'error', string>> {
  const wanted = await prepareSandbox(drill);
  const train = async (name: keyof typeof wanted) =>
    wanted[name].version ??
    (
      await executeChild<typeof trainModel>('trainModel', {
        args: [wanted[name].request],
        workflowId: `train-${drill.jobId}-${name}`,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      })
    ).version;
  const good = await train('good');
  const twin = await train('twin');
  const wrong = await train('wrong');
  const slow = await makeFaultyVersion({ drill, good, fault: 'slow' });
  const error = await makeFaultyVersion({ drill, good, fault: 'error' });
  return { good, twin, wrong, slow, error };
}

const rolloutId = ({ jobId }: Drill, name: string) => ({
  workflowId: `deploy-${jobId}-${name}`,
  deploymentId: `dep-${jobId}-${name}`,
});

function startRollout(drill: Drill, request: object, name: string) {
  return startChild<typeof deployModel>('deployModel', {
    // What is rehearsed is live traffic, and the sandbox has no users that a freeze could be meant for.
    args: [{ model: drill.model, allow_unpromotable: true, holdout: 'off', override_freeze: true, ...request }],
    workflowId: rolloutId(drill, name).workflowId,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
}

async function deploy(drill: Drill, request: object, name: string): Promise<void> {
  await (await startRollout(drill, request, name)).result();
}

async function tryOut(
  drill: RolloutDrill,
  { fault, strategy, version }: Trial,
  { stage, seed, progress }: { stage: string; seed: number; progress: number },
): Promise<void> {
  const { slow_ms: slowMs, limit_seconds: limitSeconds, requests_per_second: most } = drill.request;
  const name = `${fault}-${strategy}`;
  const { deploymentId } = rolloutId(drill, name);
  // In a shadow the slow version scores all requests, in a canary half of them.
  const slowest = (BUSY_SHARE / slowMs) * 1000 * (strategy === 'canary' ? 2 : 1);
  const child = await startRollout(drill, { version, strategy, ...rolloutSettings(drill, strategy) }, name);
  // How it ended is in its row, whichever way that was.
  const ended = child.result().then(
    () => undefined,
    () => undefined,
  );
  const traffic = await driveTraffic({
    jobId: drill.jobId,
    stage,
    progress,
    deploymentId,
    requestsPerSecond: fault === 'slow' ? Math.min(most, slowest) : most,
    // A rollout that is not settled by its limit asks, and ends by itself; this is the net below it.
    limitSeconds: limitSeconds + GRACE_SECONDS,
    seed,
  });
  await ended;
  await judgeTrial({ drill, fault, strategy, version, deploymentId, traffic });
}

/** As anyone might ask for it, but for the pace: harm that is shown ends a rollout whatever these say. */
function rolloutSettings({ request }: RolloutDrill, strategy: 'shadow' | 'canary') {
  const watched = {
    max_seconds: request.limit_seconds,
    ask_seconds: 1,
    slow_ms: request.slow_ms / 3,
    guardrails: { error_rate: { margin: 0.02 }, slow_rate: { margin: 0.02 }, 'loss:label': { margin: 0.1 } },
  };
  return strategy === 'canary'
    ? { canary: { ...watched, steps: [50, 100], step_seconds: 3, min_samples: 200 } }
    : { shadow: { ...watched, pairs: 200, window_seconds: 1, then: 'ask' } };
}
