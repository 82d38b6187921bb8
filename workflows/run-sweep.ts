import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { ERROR_TABLE, isPermanent, type ErrorCode } from '../core/errors.js';
import { NOTE, RECORD, trialOptions } from './activity-options.js';
import { changeBudget, pauseSweep, pause, resume, resumeSweep, stopSweep, sweepProgress } from './messages.js';
import { describeFailure } from './run-job.js';

const { openSweep } = proxyActivities<Activities>(RECORD);
const { noteSweep, closeSweep, failTrial } = proxyActivities<Activities>(NOTE);

type Plan = Parameters<Activities['openSweep']>[0]['plan'];
type SweepResult = Awaited<ReturnType<Activities['closeSweep']>>;

/** In the first run what the sweep is about, in all others what the run before it has handed on. */
export type SweepInput = { plan: Plan; rows: number } | { state: SweepState };

interface SweepState {
  opened?: Awaited<ReturnType<Activities['openSweep']>>;
  next: number;
  trials: number;
  timeoutSeconds?: number;
  /** Time that has been used, without pauses, up to the beginning of this run. */
  usedMs: number;
  isPaused: boolean;
  revision: number;
  bestLoss: number | null;
}

/** A run has three events a trial, and three for each of its own steps: this stays far below Temporal's limits. */
const EVENTS_A_RUN = 4000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The trials of a search, each an activity, on any number of workers. Trial `i` starts when all trials up to `i - parallelism` have ended,
 * and is drawn from these alone: so the table does not depend on how fast the workers are. Only numbers and scores pass through here.
 */
export async function runSweep(input: SweepInput): Promise<SweepResult> {
  return new Sweep(input).run();
}

class Sweep {
  #state: SweepState = { next: 0, trials: 0, usedMs: 0, isPaused: false, revision: 0, bestLoss: null };
  readonly #running = new Set<number>();
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
        running: [...this.#running],
        stopping: this.#stopReason,
      };
    });
    setHandler(pause, () => this.#setPaused(true));
    setHandler(resume, () => this.#setPaused(false));
    setHandler(pauseSweep, () => this.#setPaused(true), { validator: () => this.#refuseWhenOver() });
    setHandler(resumeSweep, () => this.#setPaused(false), { validator: () => this.#refuseWhenOver() });
    setHandler(stopSweep, () => this.#stop('A person stopped it at the best so far.'), {
      validator: () => this.#refuseWhenOver(),
    });
    setHandler(changeBudget, (budget) => this.#changeBudget(budget), {
      validator: (budget) => this.#checkBudget(budget),
    });
  }

  async run(): Promise<SweepResult> {
    const sweepId = this.#sweepId;
    try {
      if (!('state' in this.input)) await this.#open(this.input);
      const isOver = await this.#runTrials();
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
    // Somebody may have changed the budget meanwhile.
    const trials = this.#state.trials || opened.trials;
    this.#state = {
      ...this.#state,
      opened,
      trials,
      timeoutSeconds: this.#state.timeoutSeconds ?? opened.timeoutSeconds,
    };
  }

  /** @returns false where the history has grown enough, and another run must go on */
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

  #fingerprint = () => `${this.#running.size} ${this.#state.next} ${this.#state.revision}`;

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

  /** What is wrong with the data is wrong for all trials; one that takes its workers with it is wrong by itself. */
  async #handleFailure(index: number, error: unknown): Promise<void> {
    const { code, detail } = describeFailure(error);
    if (isCancellation(error) || (code in ERROR_TABLE && isPermanent(code as ErrorCode))) throw error;
    await failTrial({ sweepId: this.#sweepId, index, reason: `It could not be run: ${detail}` });
  }

  async #setPaused(isPaused: boolean): Promise<void> {
    if (isPaused === this.#state.isPaused) return;
    const usedMs = this.#usedMs();
    this.#startMs = Date.now();
    this.#state = { ...this.#state, isPaused, usedMs };
    await this.#note();
  }

  #stop(reason: string): void {
    this.#stopReason ??= reason;
  }

  async #changeBudget({ trials, timeout_seconds: timeoutSeconds }: { trials?: number; timeout_seconds?: number }) {
    this.#state = {
      ...this.#state,
      trials: trials ?? this.#state.trials,
      timeoutSeconds: timeoutSeconds ?? this.#state.timeoutSeconds,
    };
    await this.#note();
  }

  async #note(): Promise<void> {
    const { isPaused, trials, timeoutSeconds } = this.#state;
    const revision = ++this.#state.revision;
    await noteSweep({ sweepId: this.#sweepId, revision, isPaused, trials, timeoutSeconds });
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
