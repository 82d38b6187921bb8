import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  log,
  patched,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { ERROR_TABLE, isPermanent, type ErrorCode } from '../core/errors.js';
import { NOTE, RECORD, trialOptions } from './activity-options.js';
import {
  changeBudget,
  pauseSweep,
  pause,
  resume,
  resumeSweep,
  setBudget,
  stop,
  stopSweep,
  sweepProgress,
} from './messages.js';
import { describeFailure } from './run-job.js';

const { openSweep } = proxyActivities<Activities>(RECORD);
const { noteSweep, closeSweep, failTrial, failTrialOf } = proxyActivities<Activities>(NOTE);

type Plan = Parameters<Activities['openSweep']>[0]['plan'];
type SweepResult = Awaited<ReturnType<Activities['closeSweep']>>;

/** In the first run what the sweep is about, in all others what the run before it has handed on. */
export type SweepInput = { plan: Plan; rows: number } | { state: SweepState };

interface Budget {
  trials?: number;
  timeout_seconds?: number;
}

interface SweepState {
  opened?: Awaited<ReturnType<Activities['openSweep']>>;
  /** The trial that begins next, as far as lanes have told. */
  next: number;
  trials: number;
  timeoutSeconds?: number;
  /** Time that has been used, without pauses, up to the beginning of this run. */
  usedMs: number;
  isPaused: boolean;
  revision: number;
  bestLoss: number | null;
}

/** A run has three events a lane, and three for each of its own steps: this stays far below Temporal's limits. */
const EVENTS_A_RUN = 4000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const STOPPED_BY_A_PERSON = 'A person stopped it at the best so far.';

/** Before a lane that found nothing to do is tried again, where no other lane can tell of a change. */
const LOOK_AGAIN_MS = 1000;

/**
 * The trials of a search on any number of workers, in lanes: each an activity that runs one trial after another for a few seconds. Trial `i`
 * starts when all trials up to `i - parallelism` have ended, and is drawn from these alone: so the table does not depend on how fast the
 * workers are. Which trial is next the table says; only numbers and scores pass through here.
 */
export async function runSweep(input: SweepInput): Promise<SweepResult> {
  return new Sweep(input).run();
}

class Sweep {
  #state: SweepState = { next: 0, trials: 0, usedMs: 0, isPaused: false, revision: 0, bestLoss: null };
  readonly #running = new Set<number>();
  /** Counts the lanes of this run. */
  #lane = 0;
  /** The last lane found nothing that may begin: others are not tried before something has changed. */
  #isIdle = false;
  /** Whether this run has lanes, as all that began on this release. */
  #hasLanes = false;
  /** Whether the table is being told of a change; no lane begins meanwhile, and no sweep ends. */
  #isNoting = false;
  readonly #trials = new CancellationScope();
  #startMs = Date.now();
  #stopReason: string | undefined;
  #failure: unknown;

  constructor(readonly input: SweepInput) {
    if ('state' in input) this.#state = input.state;
    this.#listen();
  }

  get #sweepId(): string {
    return workflowInfo().workflowId;
  }

  /** Messages may come before the first line of the run, so this comes first. */
  #listen(): void {
    setHandler(sweepProgress, () => {
      const { next, trials, timeoutSeconds, isPaused, bestLoss } = this.#state;
      return {
        next,
        trials,
        timeoutSeconds,
        isPaused,
        bestLoss,
        lanes: this.#running.size,
        stopping: this.#stopReason,
      };
    });
    setHandler(pause, () => this.#setPaused(true));
    setHandler(resume, () => this.#setPaused(false));
    setHandler(stop, () => this.#stop(STOPPED_BY_A_PERSON));
    setHandler(setBudget, (budget) => this.#tryBudget(budget));
    setHandler(pauseSweep, () => this.#setPaused(true), { validator: () => this.#refuseWhenOver() });
    setHandler(resumeSweep, () => this.#setPaused(false), { validator: () => this.#refuseWhenOver() });
    setHandler(stopSweep, () => this.#stop(STOPPED_BY_A_PERSON), {
      validator: () => this.#refuseWhenOver(),
    });
    setHandler(changeBudget, (budget) => this.#changeBudget(budget), {
      validator: (budget) => this.#checkBudget(budget),
    });
  }

  async run(): Promise<SweepResult> {
    const sweepId = this.#sweepId;
    this.#hasLanes = patched('lanes');
    try {
      if (!('state' in this.input)) await this.#open(this.input);
      const isOver = this.#hasLanes ? await this.#runLanes() : await this.#runTrials();
      await condition(allHandlersFinished);
      if (!isOver) await continueAsNew<typeof runSweep>({ state: this.#carry() });
      const end = this.#stopReason
        ? { state: 'stopped' as const, reason: this.#stopReason }
        : { state: 'completed' as const, reason: 'All trials were run.' };
      const result = await closeSweep({ sweepId, end });
      if (result.state !== 'failed') return result;
      throw ApplicationFailure.nonRetryable(result.reason, 'sweep_failed');
    } catch (error) {
      if (error instanceof ContinueAsNew) throw error;
      const end = isCancellation(error)
        ? { state: 'cancelled' as const, reason: 'The job was cancelled.' }
        : { state: 'failed' as const, reason: describeFailure(error).detail };
      await CancellationScope.nonCancellable(() => closeSweep({ sweepId, end }));
      throw error;
    }
  }

  async #open(subject: { plan: Plan; rows: number }): Promise<void> {
    const opened = await openSweep(subject);
    const { trials, timeoutSeconds } = opened;
    this.#state = { ...this.#state, opened, trials, timeoutSeconds };
  }

  /** @returns false where the history has grown enough, and another run must go on */
  async #runLanes(): Promise<boolean> {
    for (;;) {
      const isFull = this.#isFull();
      if (!isFull) while (this.#canStartLane()) this.#startLane(this.#lane++);
      const isEmpty = this.#running.size === 0;
      if (isEmpty && !this.#isNoting && (isFull || this.#isDone())) return this.#isDone();
      if (isEmpty && this.#isIdle && !this.#state.isPaused && !this.#isNoting) {
        await sleep(LOOK_AGAIN_MS);
        this.#isIdle = false;
      } else await this.#waitForChange();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#stopReason) {
        this.#trials.cancel();
        return true;
      }
    }
  }

  /** No more lanes than trials that may run side by side, or that are left. */
  #canStartLane(): boolean {
    if (this.#isIdle || this.#isNoting || this.#state.isPaused || this.#isDone()) return false;
    const left = this.#state.trials - this.#state.next;
    return this.#running.size < Math.min(this.#state.opened!.parallelism, left);
  }

  #startLane(index: number): void {
    const { jobId, trialSeconds } = this.#state.opened!;
    const sweepId = this.#sweepId;
    const { runTrials } = proxyActivities<Activities>(trialOptions(trialSeconds, sweepId));
    const lane = `${workflowInfo().runId}/${index}`;
    this.#running.add(index);
    this.#trials
      .run(() => runTrials({ sweepId, jobId, lane, trials: this.#state.trials }))
      .then(
        ({ begun, loss, end }) => {
          this.#state.next = Math.max(begun, this.#state.next);
          if (loss !== null) this.#state.bestLoss = Math.min(loss, this.#state.bestLoss ?? Infinity);
          this.#isIdle = end !== 'more';
        },
        async (error: unknown) => {
          throwWhereAllFail(error);
          const reason = `It could not be run: ${describeFailure(error).detail}`;
          await failTrialOf({ sweepId, lane, reason });
          this.#isIdle = false;
        },
      )
      .catch((error: unknown) => (this.#failure ??= error))
      .finally(() => this.#running.delete(index));
  }

  /** As runs did that began on a former release: each trial an activity of its own. */
  async #runTrials(): Promise<boolean> {
    for (;;) {
      const isFull = this.#isFull();
      if (!isFull) while (this.#canStart()) this.#start(this.#state.next++);
      if (this.#running.size === 0 && (isFull || this.#isDone())) return this.#isDone();
      await this.#waitForChange();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#stopReason) {
        this.#trials.cancel();
        return true;
      }
    }
  }

  #isFull = () => {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return continueAsNewSuggested || historyLength > EVENTS_A_RUN;
  };

  #isDone = () => this.#state.next >= this.#state.trials || this.#stopReason !== undefined;

  #canStart(): boolean {
    if (this.#state.isPaused || this.#isDone()) return false;
    const oldest = Math.min(...this.#running);
    return oldest > this.#state.next - this.#state.opened!.parallelism;
  }

  /** Until a trial has ended, somebody has said something, or the time is over. */
  async #waitForChange(): Promise<void> {
    const seen = this.#fingerprint();
    const isChanged = () =>
      this.#fingerprint() !== seen || this.#failure !== undefined || this.#stopReason !== undefined;
    const leftMs = this.#leftMs();
    if (leftMs === undefined) return condition(isChanged);
    const isInTime = leftMs > 0 && (await condition(isChanged, Math.min(leftMs, LONGEST_TIMER_MS)));
    if (!isInTime && (this.#leftMs() ?? 1) <= 0) this.#stop('Its time was over.');
  }

  #fingerprint = () =>
    `${this.#running.size} ${this.#state.next} ${this.#state.revision} ${this.#hasLanes && this.#isNoting}`;

  #usedMs = () => this.#state.usedMs + (this.#state.isPaused ? 0 : Date.now() - this.#startMs);

  #leftMs(): number | undefined {
    const { timeoutSeconds, isPaused } = this.#state;
    return timeoutSeconds === undefined || isPaused ? undefined : timeoutSeconds * 1000 - this.#usedMs();
  }

  #carry = (): SweepState => ({ ...this.#state, usedMs: this.#usedMs() });

  #start(index: number): void {
    const { jobId, trialSeconds } = this.#state.opened!;
    const sweepId = this.#sweepId;
    const { runTrial } = proxyActivities<Activities>(trialOptions(trialSeconds, sweepId));
    this.#running.add(index);
    const input = { sweepId, jobId, index, trials: this.#state.trials };
    this.#trials
      .run(() => runTrial(input))
      .then(
        ({ loss }) => {
          if (loss !== null) this.#state.bestLoss = Math.min(loss, this.#state.bestLoss ?? Infinity);
        },
        (error: unknown) => this.#handleFailure(index, error),
      )
      .catch((error: unknown) => (this.#failure ??= error))
      .finally(() => this.#running.delete(index));
  }

  async #handleFailure(index: number, error: unknown): Promise<void> {
    throwWhereAllFail(error);
    const { detail } = describeFailure(error);
    await failTrial({ sweepId: this.#sweepId, index, reason: `It could not be run: ${detail}` });
  }

  async #setPaused(isPaused: boolean): Promise<void> {
    await this.#whileQuiet();
    if (isPaused === this.#state.isPaused) return;
    const usedMs = this.#usedMs();
    this.#startMs = Date.now();
    this.#state = { ...this.#state, isPaused, usedMs };
    await this.#note();
  }

  #stop(reason: string): void {
    this.#stopReason ??= reason;
  }

  /** Nobody waits for the answer to a signal: what is wrong with it goes to the log, and the sweep goes on as it was. */
  async #tryBudget(budget: unknown): Promise<void> {
    try {
      this.#checkBudget(budget);
      await this.#changeBudget(budget as Budget);
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn(`the budget of a signal was not taken: ${describeFailure(error).detail}`);
    }
  }

  async #changeBudget({ trials, timeout_seconds: timeoutSeconds }: Budget) {
    await this.#whileQuiet();
    const before = this.#state;
    this.#state = {
      ...before,
      trials: trials ?? before.trials,
      timeoutSeconds: timeoutSeconds ?? before.timeoutSeconds,
    };
    try {
      await this.#note();
    } catch (error) {
      this.#state = { ...this.#state, trials: before.trials, timeoutSeconds: before.timeoutSeconds };
      const { code, detail } = describeFailure(error);
      throw ApplicationFailure.nonRetryable(detail, code);
    }
  }

  /** Until there is a table, and it knows of the change before. */
  async #whileQuiet(): Promise<void> {
    const isQuiet = () => this.#state.opened !== undefined && !(this.#hasLanes && this.#isNoting);
    if (!isQuiet()) await condition(isQuiet);
  }

  /** What the table is told holds for lanes under way, too. */
  async #note(): Promise<void> {
    const { isPaused, trials, timeoutSeconds } = this.#state;
    const revision = ++this.#state.revision;
    this.#isNoting = true;
    try {
      await noteSweep({ sweepId: this.#sweepId, revision, isPaused, trials, timeoutSeconds });
    } finally {
      this.#isNoting = false;
      this.#isIdle = false;
    }
  }

  #refuseWhenOver(): void {
    if (this.#stopReason !== undefined) throw ApplicationFailure.nonRetryable('The sweep is ending.', 'sweep_conflict');
  }

  #checkBudget(budget: unknown): void {
    this.#refuseWhenOver();
    const { trials, timeout_seconds: seconds } = (budget ?? {}) as { trials?: unknown; timeout_seconds?: unknown };
    const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 1;
    if (trials === undefined && seconds === undefined)
      throw ApplicationFailure.nonRetryable('A budget needs trials or timeout_seconds.', 'request_invalid');
    if (trials !== undefined && !(isCount(trials) && (trials as number) <= 10_000))
      throw ApplicationFailure.nonRetryable('trials must be a whole number from 1 to 10000.', 'request_invalid');
    if (seconds !== undefined && !isCount(seconds))
      throw ApplicationFailure.nonRetryable('timeout_seconds must be a whole number from 1.', 'request_invalid');
    if (trials !== undefined && (trials as number) < this.#state.next)
      throw ApplicationFailure.nonRetryable(
        `${this.#state.next} trials have begun already; ask for as many or more, or stop the sweep.`,
        'sweep_conflict',
      );
  }
}

/** What is wrong with the data is wrong for all trials; one that takes its workers with it is wrong by itself. */
function throwWhereAllFail(error: unknown): void {
  const { code } = describeFailure(error);
  if (isCancellation(error) || (code in ERROR_TABLE && isPermanent(code as ErrorCode))) throw error;
}
