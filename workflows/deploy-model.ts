import {
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DEPLOY, EVALUATE, NOTE, RECORD } from './activity-options.js';
import { promote, setLadder } from './messages.js';
import { describeFailure, runJob, type JobRun } from './run-job.js';

const { openDeployment } = proxyActivities<Activities>(RECORD);
const { verifyVersion, setTrial, switchRoute, confirmServed } = proxyActivities<Activities>(DEPLOY);
const { evaluateWindow } = proxyActivities<Activities>(EVALUATE);
const { closeDeployment, noteDeployment } = proxyActivities<Activities>(NOTE);

type Deployment = Awaited<ReturnType<typeof openDeployment>>;

/** How a trial ended: the version gets all the traffic, or the present one keeps it. */
type Outcome = { state: 'promoted' | 'rolled_back' | 'aborted'; reason: string };

/** Waits for the end of the next window of a step and judges it. */
type Look = () => Promise<Outcome | { verdict: string; reason: string; isLastStep: boolean }>;

/** Windows grow with the age of a step, by this share of it, so that a rollout of days has a history of bounded size. */
const WINDOW_GROWTH = 0.01;
const LONGEST_WINDOW_SECONDS = 300;

/**
 * Rolls a version out: its artifact is verified and tested first. Depending on the strategy it then gets all the traffic, or is
 * tried beside the present version and gets the traffic only when the evidence allows it. The version that is really served is
 * read back before this says "promoted". When a step fails, the former version has the traffic again.
 * The input is `{model, version, strategy?, canary?, shadow?}`.
 */
export async function deployModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('deploy', input, async (run) => {
    await run.enterStage('open');
    const deployment = await openDeployment({ jobId, request: input });
    run.label({ model: deployment.model });
    try {
      await run.enterStage('verify');
      await verifyVersion(deployment);
      const { state, reason } = await tryOut(deployment, run);
      if (state !== 'promoted') return await closeDeployment({ ...deployment, state, reason });
      await run.enterStage('switch');
      await switchRoute(deployment);
      await run.enterStage('confirm');
      await confirmServed(deployment);
      return await closeDeployment({ ...deployment, state, reason });
    } catch (error) {
      const state = isCancellation(error) ? ('aborted' as const) : ('failed' as const);
      const reason = state === 'aborted' ? 'The rollout was aborted by a person.' : describeFailure(error).detail;
      await CancellationScope.nonCancellable(() => closeDeployment({ ...deployment, state, reason }));
      throw error;
    }
  });
}

function tryOut(deployment: Deployment, run: JobRun): Promise<Outcome> {
  const { plan } = deployment;
  return plan.strategy === 'immediate'
    ? Promise.resolve({ state: 'promoted', reason: 'All traffic at once, as asked for.' })
    : new TrialRun(deployment, plan, run).toEnd();
}

/** A version beside the present one: looked at window by window until the evidence, or a person, decides. */
class TrialRun {
  #window = 0;
  #steps: number[];
  readonly #startMs = Date.now();
  #isPromoted = false;
  #isAsking = false;
  #noted = 'running';

  constructor(
    private readonly deployment: Deployment,
    private readonly plan: Exclude<Deployment['plan'], { strategy: 'immediate' }>,
    private readonly run: JobRun,
  ) {
    // A shadow is one step that takes no traffic.
    this.#steps = plan.strategy === 'canary' ? plan.steps : [0];
    setHandler(promote, () => void (this.#isPromoted = true));
    if (plan.strategy === 'canary')
      setHandler(setLadder, (steps) => void (this.#steps = steps.filter((share) => share < 100)));
  }

  async toEnd(): Promise<Outcome> {
    let share = -1;
    for (let step = 0; ; step++) {
      // By share and not by place, since the ladder may have been changed meanwhile.
      const next = this.#steps.find((candidate) => candidate > share);
      if (next === undefined) return { state: 'promoted', reason: 'Every step showed the version to be safe.' };
      share = next;
      const outcome = await this.#take(step, share);
      if (outcome) return outcome;
    }
  }

  /** @returns undefined when the next step may follow */
  async #take(step: number, share: number): Promise<Outcome | undefined> {
    const { deployment, plan, run } = this;
    const phase = plan.strategy;
    const stage = phase === 'shadow' ? 'shadow' : `canary ${share} %`;
    run.nameStage(stage);
    await setTrial({ ...deployment, phase, share });
    const look = this.#watch({ phase, share, step });
    for (;;) {
      const seen = await look();
      if ('state' in seen) return seen;
      if (run.isPaused()) continue;
      const { verdict, reason, isLastStep } = seen;
      if (verdict === 'PROMOTE') {
        const needsPerson = isLastStep && (plan.strategy === 'canary' ? plan.approval : plan.then === 'ask');
        return needsPerson ? this.#ask(`${reason} A person has to agree before it gets all traffic.`, look) : undefined;
      }
      if (verdict === 'ASK') return this.#ask(reason, look);
      if (Date.now() - this.#startMs > plan.mostSeconds * 1000)
        return this.#ask(`${reason} The rollout has had its ${plan.mostSeconds} s.`, look);
    }
  }

  #watch(place: { phase: 'shadow' | 'canary'; share: number; step: number }): Look {
    const stepStartMs = Date.now();
    let windowsInStep = 0;
    return async () => {
      await this.#wait((Date.now() - stepStartMs) / 1000);
      if (this.#isPromoted) return BY_A_PERSON;
      const nextShare = this.#steps.find((candidate) => candidate > place.share) ?? 100;
      const isLastStep = nextShare === 100;
      const { verdict, reason } = await evaluateWindow({
        ...this.deployment,
        ...place,
        isLastStep,
        nextShare,
        window: ++this.#window,
        windowsInStep: ++windowsInStep,
      });
      return verdict === 'ROLLBACK' ? { state: 'rolled_back', reason } : { verdict, reason, isLastStep };
    };
  }

  /** Waits for the end of a window, or for a person; while the rollout is paused its windows go on, as harm must be found all the same. */
  async #wait(ageSeconds: number): Promise<void> {
    const { windowSeconds } = this.plan;
    const grown = Math.min(ageSeconds * WINDOW_GROWTH, LONGEST_WINDOW_SECONDS);
    const note = () => (this.#isAsking ? undefined : this.#note(this.run.isPaused() ? 'paused' : 'running'));
    await note();
    const wasPaused = this.run.isPaused();
    await condition(() => this.#isPromoted || this.run.isPaused() !== wasPaused, Math.max(windowSeconds, grown) * 1000);
    await note();
  }

  /** Nothing but harm changes the traffic until a person has decided. No answer is no agreement. */
  async #ask(reason: string, look: Look): Promise<Outcome> {
    const { askSeconds } = this.plan;
    this.#isAsking = true;
    await this.#note('holding', reason);
    this.run.nameStage('waits for a person');
    const untilMs = Date.now() + askSeconds * 1000;
    while (Date.now() < untilMs) {
      const seen = await look();
      if ('state' in seen) return seen;
    }
    return { state: 'aborted', reason: `${reason} Nobody decided within ${askSeconds} s.` };
  }

  async #note(state: 'running' | 'paused' | 'holding', reason?: string): Promise<void> {
    if (state === this.#noted) return;
    this.#noted = state;
    await noteDeployment({ deploymentId: this.deployment.deploymentId, state, reason });
  }
}

const BY_A_PERSON: Outcome = { state: 'promoted', reason: 'A person promoted it.' };
