import { condition, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { signedSentence } from '../core/policy/signature.js';
import { DEPLOY, EVALUATE, NOTE } from './activity-options.js';
import type { RolloutCommands } from './rollout-commands.js';
import type { JobRun } from './run-job.js';

const { setTrial } = proxyActivities<Activities>(DEPLOY);
const { evaluateWindow, findFreeze } = proxyActivities<Activities>(EVALUATE);
const { noteDeployment } = proxyActivities<Activities>(NOTE);

type Deployment = Awaited<ReturnType<Activities['openDeployment']>>;

/** How a trial ended: the version gets all the traffic, or the present one keeps it. */
export type Outcome = { state: 'promoted' | 'rolled_back' | 'aborted'; reason: string };

/** Waits for the end of the next window of a step and judges it. */
type Look = () => Promise<Outcome | { verdict: string; reason: string; isLastStep: boolean }>;

/** Windows grow with the age of a step, so that a rollout of weeks has a history of bounded size: by 1 % of it, later by less. */
const WINDOW_GROWTH = 0.01;
const LONG_WINDOW_SECONDS = 300;
const LATE_GROWTH = 0.002;

/** A freeze may be taken back at any time: it is looked at this often, and less often the longer it lasts. */
const FREEZE_LOOK_SECONDS = 5;
const FREEZE_LOOK_GROWTH = 0.02;
const LONGEST_FREEZE_LOOK_SECONDS = 900;

/** Waits until the model's traffic may be changed. For rollouts of which nothing is on trial yet: no harm can come meanwhile. */
export async function waitOutFreeze(deployment: Deployment, run: JobRun, commands: RolloutCommands): Promise<void> {
  const sinceMs = Date.now();
  let hasWaited = false;
  while (!deployment.overridesFreeze && commands.promotion?.overridesFreeze !== true) {
    const freeze = await findFreeze(deployment);
    if (freeze === null) break;
    hasWaited = true;
    run.nameStage('waits for the end of a freeze');
    await noteDeployment({ deploymentId: deployment.deploymentId, state: 'holding', reason: freeze });
    await commands.writeDown();
    const waited = (Date.now() - sinceMs) / 1000;
    const seconds = Math.max(FREEZE_LOOK_SECONDS, waited * FREEZE_LOOK_GROWTH);
    await condition(() => commands.hasNews(), Math.min(seconds, LONGEST_FREEZE_LOOK_SECONDS) * 1000);
  }
  if (hasWaited) await noteDeployment({ deploymentId: deployment.deploymentId, state: 'running' });
}

/** What is left to a person where evidence does not settle it. */
const CHOICE = 'Promote it or abort it.';

/** A version beside the present one: looked at window by window until the evidence, or a person, decides. */
export class TrialRun {
  #window = 0;
  readonly #startMs = Date.now();
  /** Why the rollout cannot go on by itself. */
  #held: string | undefined;
  #noted = 'running';

  constructor(
    private readonly deployment: Deployment,
    private readonly plan: Exclude<Deployment['plan'], { strategy: 'immediate' }>,
    private readonly run: JobRun,
    private readonly commands: RolloutCommands,
  ) {}

  /** The shares of the ladder; a shadow is one step that takes no traffic. */
  get #steps(): readonly number[] {
    return this.commands.ladder ?? (this.plan.strategy === 'canary' ? this.plan.steps : [0]);
  }

  async toEnd(): Promise<Outcome> {
    const { deployment, run, commands } = this;
    if (this.plan.strategy === 'canary') await waitOutFreeze(deployment, run, commands);
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
    const { deployment, plan, run, commands } = this;
    const phase = plan.strategy;
    run.nameStage(phase === 'shadow' ? 'shadow' : `canary ${share} %`);
    await setTrial({ ...deployment, phase, share });
    const look = this.#watch({ phase, share, step });
    for (;;) {
      const seen = await look();
      if ('state' in seen) return seen;
      if (run.isPaused()) continue;
      const { verdict, reason, isLastStep } = seen;
      this.#held = verdict === 'PROMOTE' ? await this.#freeze() : undefined;
      if (this.#held !== undefined) continue;
      if (verdict === 'PROMOTE') {
        const needsPerson = isLastStep && (plan.strategy === 'canary' ? plan.approval : plan.then === 'ask');
        if (!needsPerson) return undefined;
        if (commands.approval) return { state: 'promoted', reason: signedSentence('Approved', commands.approval) };
        return this.#ask(`${reason} A person has to agree before it gets all traffic.`, look, true);
      }
      if (verdict === 'ASK') return this.#ask(`${reason} ${CHOICE}`, look, false);
      if (Date.now() - this.#startMs > plan.mostSeconds * 1000)
        return this.#ask(`${reason} The rollout has had its ${plan.mostSeconds} s. ${CHOICE}`, look, false);
    }
  }

  async #freeze(): Promise<string | undefined> {
    const { deployment } = this;
    return deployment.overridesFreeze ? undefined : ((await findFreeze(deployment)) ?? undefined);
  }

  #watch(place: { phase: 'shadow' | 'canary'; share: number; step: number }): Look {
    const stepStartMs = Date.now();
    let windowsInStep = 0;
    return async () => {
      const decided = await this.#promotion();
      if (decided) return decided;
      await this.#wait((Date.now() - stepStartMs) / 1000);
      const promoted = await this.#promotion();
      if (promoted) return promoted;
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

  /** What a person has decided, unless a freeze stands against it. */
  async #promotion(): Promise<Outcome | undefined> {
    const { promotion } = this.commands;
    if (!promotion) return undefined;
    const frozen = promotion.overridesFreeze ? undefined : await this.#freeze();
    if (frozen === undefined) return { state: 'promoted', reason: signedSentence('Promoted', promotion) };
    this.#held = frozen;
    return undefined;
  }

  /** Waits for the end of a window, or for a person; while the rollout is paused its windows go on, as harm must be found all the same. */
  async #wait(ageSeconds: number): Promise<void> {
    const { windowSeconds } = this.plan;
    const longest = Math.max(LONG_WINDOW_SECONDS, ageSeconds * LATE_GROWTH);
    const grown = Math.min(ageSeconds * WINDOW_GROWTH, longest);
    const untilMs = Date.now() + Math.max(windowSeconds, grown) * 1000;
    const { promotion, approval } = this.commands;
    const isDecided = () => this.commands.promotion !== promotion || this.commands.approval !== approval;
    await this.#note();
    while (!isDecided() && Date.now() < untilMs) {
      await condition(() => this.commands.hasNews(), untilMs - Date.now());
      await this.commands.writeDown();
      await this.#note();
    }
  }

  /**
   * Nothing but harm changes the traffic until a person has decided. No answer is no agreement.
   * @param endsByApproval whether what is missing is that a person agrees; the evidence must still allow it then
   */
  async #ask(reason: string, look: Look, endsByApproval: boolean): Promise<Outcome> {
    const { askSeconds } = this.plan;
    this.#held = reason;
    await this.#note();
    this.run.nameStage('waits for a person');
    const untilMs = Date.now() + askSeconds * 1000;
    while (Date.now() < untilMs) {
      const seen = await look();
      if ('state' in seen) return seen;
      const { approval } = this.commands;
      if (!endsByApproval || !approval || seen.verdict !== 'PROMOTE' || this.run.isPaused()) continue;
      if ((await this.#freeze()) === undefined)
        return { state: 'promoted', reason: signedSentence('Approved', approval) };
    }
    return { state: 'aborted', reason: `${reason} Nobody decided within ${askSeconds} s.` };
  }

  async #note(): Promise<void> {
    const state = this.#held !== undefined ? 'holding' : this.run.isPaused() ? 'paused' : 'running';
    const noted = `${state} ${this.#held ?? ''}`;
    if (noted === this.#noted || (state === 'running' && this.#noted === 'running')) return;
    this.#noted = state === 'running' ? 'running' : noted;
    await noteDeployment({ deploymentId: this.deployment.deploymentId, state, reason: this.#held });
  }
}
