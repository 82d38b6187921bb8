import type { ChildProcess } from 'node:child_process';
import { ServiceError } from '../../core/errors.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Report, Trial } from '../../ml/search/trial.js';
import { createDeferred, type Deferred } from '../deferred.js';
import { describeExit, forkTrainer, stopChild, watchLimits } from '../training/trainer-guard.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { MemoryGate } from './memory-gate.js';
import type { Measurement } from './measure-trial.js';
import { SweepFolders } from './sweep-folders.js';
import type { TrialMessage, TrialOrder } from './trial-process.js';

export interface TrialTask {
  sweepId: string;
  plan: TrainingPlan;
  staging: string;
  index: number;
  configuration: Configuration;
  /** All ends that this trial may know, by number. */
  history: readonly Trial[];
  /** What a trial of this sweep needs, as long as none has shown it. */
  memoryMb: number;
}

export interface TrialLimits {
  seconds: number;
  signal: AbortSignal;
  onReport: (report: Report) => void;
}

/** A process that has the data of a sweep. */
interface Trainer {
  child: ChildProcess;
  sweepId: string;
  /** How many ends it has been told of. */
  told: number;
  /** What happens to it goes to the order under way. */
  order: Deferred<Measurement | undefined> | undefined;
  onReport: ((report: Report) => void) | undefined;
  idle: NodeJS.Timeout | undefined;
}

const IDLE_MS = 20_000;
const MEGABYTE = 2 ** 20;

/**
 * The trial processes of a worker. The first of a sweep reads its data, and leaves the numbers in a file to the others. Each runs one
 * trial after another; one that has had nothing to
 * do for a while, or whose room another sweep needs, is ended.
 */
export class TrialPool {
  readonly #gate: MemoryGate;
  readonly #idle: Trainer[] = [];
  /** The most that a trial of a sweep has needed here. */
  readonly #peaks = new Map<string, number>();
  readonly #folders = new SweepFolders();
  /** Until a process of the sweep has its data, which those that wait then need not make themselves. */
  readonly #opening = new Map<string, Promise<unknown>>();

  /** @param limits `trialMb`: what one trial may need; `totalMb`: what all of this worker may need together */
  constructor(private readonly limits: { trialMb: number; totalMb: number }) {
    this.#gate = new MemoryGate(limits.totalMb);
  }

  /**
   * Runs a trial in a process that has its data, once there is memory for it.
   * @throws ServiceError `training_timeout` or `training_out_of_memory`; TrainerCrash; what opening the data threw; or the reason of the
   * signal. The process is gone in each case.
   */
  async run(task: TrialTask, limits: TrialLimits): Promise<{ measurement: Measurement; peakMemoryMb: number }> {
    const needed = Math.min(this.#peaks.get(task.sweepId) ?? task.memoryMb, this.limits.trialMb);
    const leave = await this.#gate.enter(needed, limits.signal);
    let peak = 0;
    try {
      const shared = await this.#folders.of(task.sweepId);
      await this.#waitForData(task.sweepId, limits.signal);
      const trainer = this.#take(task.sweepId);
      try {
        const measurement = await this.#perform(
          trainer,
          { ...task, shared },
          limits,
          (bytes) => (peak = Math.max(peak, bytes)),
        );
        this.#keep(trainer);
        return { measurement, peakMemoryMb: Math.ceil(peak / MEGABYTE) };
      } catch (error) {
        await stopChild(trainer.child);
        throw error;
      }
    } finally {
      leave();
      if (peak > 0)
        this.#peaks.set(task.sweepId, Math.max(this.#peaks.get(task.sweepId) ?? 0, Math.ceil(peak / MEGABYTE)));
    }
  }

  async #waitForData(sweepId: string, signal: AbortSignal): Promise<void> {
    const hasIdle = () => this.#idle.some((trainer) => trainer.sweepId === sweepId);
    for (let opening = this.#opening.get(sweepId); opening && !hasIdle(); opening = this.#opening.get(sweepId)) {
      const aborted = createDeferred<void>();
      signal.addEventListener('abort', () => aborted.resolve(), { once: true });
      await Promise.race([opening, aborted.promise]);
      signal.throwIfAborted();
    }
  }

  /** An idle process of the sweep, or a new one in place of the idle ones of others. */
  #take(sweepId: string): Trainer {
    const at = this.#idle.findLastIndex((trainer) => trainer.sweepId === sweepId);
    if (at >= 0) {
      const [trainer] = this.#idle.splice(at, 1);
      clearTimeout(trainer!.idle);
      return trainer!;
    }
    for (const other of this.#idle.splice(0)) this.#end(other);
    const child = forkTrainer('services/search/trial-process.js', this.limits.trialMb);
    const trainer: Trainer = { child, sweepId, told: -1, order: undefined, onReport: undefined, idle: undefined };
    child.on('message', (message) => handleMessage(trainer, message as TrialMessage));
    child.on('error', (error) => trainer.order?.reject(error));
    child.on('exit', (code, signal) => {
      trainer.order?.reject(describeExit(code, signal, this.limits.trialMb));
      const place = this.#idle.indexOf(trainer);
      if (place >= 0) this.#end(this.#idle.splice(place, 1)[0]!);
    });
    return trainer;
  }

  async #perform(
    trainer: Trainer,
    { sweepId, plan, staging, shared, index, configuration, history }: TrialTask & { shared: string },
    { seconds, signal, onReport }: TrialLimits,
    onMemory: (bytes: number) => void,
  ): Promise<Measurement> {
    signal.throwIfAborted();
    const onAbort = () => trainer.order?.reject(signal.reason);
    const fail = (error: Error) => trainer.order?.reject(error);
    const stopWatching = watchLimits(trainer.child, { seconds, memoryMb: this.limits.trialMb }, fail, onMemory);
    signal.addEventListener('abort', onAbort, { once: true });
    trainer.onReport = onReport;
    try {
      if (trainer.told < 0) {
        const opening = giveOrder(trainer, { type: 'open', plan, staging, shared });
        const settled = opening.catch(() => undefined);
        this.#opening.set(sweepId, settled);
        await opening.finally(() => this.#opening.get(sweepId) === settled && this.#opening.delete(sweepId));
        trainer.told = 0;
      }
      const ended = history.slice(trainer.told);
      trainer.told = Math.max(trainer.told, history.length);
      return (await giveOrder(trainer, { type: 'run', index, configuration, ended }))!;
    } finally {
      trainer.onReport = undefined;
      signal.removeEventListener('abort', onAbort);
      stopWatching();
    }
  }

  #keep(trainer: Trainer): void {
    trainer.idle = setTimeout(() => {
      const at = this.#idle.indexOf(trainer);
      if (at >= 0) this.#end(this.#idle.splice(at, 1)[0]!);
    }, IDLE_MS).unref();
    this.#idle.push(trainer);
  }

  #end(trainer: Trainer): void {
    clearTimeout(trainer.idle);
    void stopChild(trainer.child);
  }
}

async function giveOrder(trainer: Trainer, order: TrialOrder): Promise<Measurement | undefined> {
  trainer.order = createDeferred<Measurement | undefined>();
  try {
    trainer.child.send(order, (error) => error && trainer.order?.reject(error));
    return await trainer.order.promise;
  } finally {
    trainer.order = undefined;
  }
}

function handleMessage(trainer: Trainer, message: TrialMessage): void {
  if (message.type === 'report') trainer.onReport?.(message.report);
  else if (message.type === 'opened') trainer.order?.resolve(undefined);
  else if (message.type === 'measured') trainer.order?.resolve(message.measurement);
  else {
    const { code, message: text, problems } = message;
    trainer.order?.reject(code ? new ServiceError(code, text, problems) : new Error(text));
  }
}
