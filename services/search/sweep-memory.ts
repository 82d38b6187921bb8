import { setTimeout as sleep } from 'node:timers/promises';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Trial } from '../../ml/search/trial.js';
import { createDeferred, type Deferred } from '../deferred.js';
import type { Database } from '../database/database.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { readTrialsFrom, type OpenTrial } from './trial-table.js';

/** What all trials of a sweep have in common. */
export interface SweepSubject {
  plan: TrainingPlan;
  /** Rows of the staged table. */
  rows: number;
  /** What is tried before anything is drawn. */
  warm: readonly Configuration[];
}

interface Known {
  subject: SweepSubject;
  ended: Trial[];
  /** Resolved once all that asked for a turn have had theirs. */
  turns: Promise<unknown>;
  /** Resolved when the next trial ends in this process. */
  nextEnd: Deferred<void>;
}

const MOST_SWEEPS = 16;

/** What a worker has read of the sweeps that it works for. An end never changes, so it is read once. */
export class SweepMemory {
  readonly #known = new Map<string, Known>();

  constructor(private readonly database: Database) {}

  async subject(sweepId: string): Promise<SweepSubject> {
    return (await this.#know(sweepId)).subject;
  }

  /**
   * Every trial that has begun, by number: those of the beginning that have all ended, which never change, and the others as they are now.
   */
  async trials(sweepId: string): Promise<{ ended: readonly Trial[]; open: readonly OpenTrial[] }> {
    const known = (await this.#know(sweepId)).ended;
    const from = known.length;
    const next = await readTrialsFrom(this.database, sweepId, from);
    const running = next.findIndex(({ isRunning }) => isRunning);
    const more = running < 0 ? next.length : running;
    // Another trial may have read the same meanwhile.
    for (let at = known.length; at < from + more; at++) known.push(next[at - from]!);
    return { ended: known.slice(0, from + more), open: next.slice(more) };
  }

  /** One at a time: of several lanes that begin a trial at once all but one would draw in vain. */
  async inTurn<T>(sweepId: string, work: () => Promise<T>): Promise<T> {
    const known = await this.#know(sweepId);
    const mine = known.turns.then(work);
    known.turns = mine.catch(() => undefined);
    return mine;
  }

  async tellEnd(sweepId: string): Promise<void> {
    const known = await this.#know(sweepId);
    known.nextEnd.resolve();
    known.nextEnd = createDeferred<void>();
  }

  /** Until a trial of the sweep ends in this process, or `ms` have gone by, in which one may have ended in another. */
  async waitForEnd(sweepId: string, ms: number, signal: AbortSignal): Promise<void> {
    const known = await this.#know(sweepId);
    // Without the reason an activity would not be seen to be cancelled.
    await Promise.race([known.nextEnd.promise, sleep(ms, undefined, { signal })]).catch(() => signal.throwIfAborted());
  }

  async #know(sweepId: string): Promise<Known> {
    const known = this.#known.get(sweepId) ?? {
      subject: await this.#readSubject(sweepId),
      ended: [],
      turns: Promise.resolve(),
      nextEnd: createDeferred<void>(),
    };
    // The ones used last stay.
    this.#known.delete(sweepId);
    this.#known.set(sweepId, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_SWEEPS) break;
      this.#known.delete(oldest);
    }
    return known;
  }

  async #readSubject(sweepId: string): Promise<SweepSubject> {
    const sweep = await this.database.prisma.sweep.findUniqueOrThrow({ where: { id: sweepId } });
    const { configurations } = sweep.warmStart as unknown as { configurations: Configuration[] };
    return { plan: sweep.plan as unknown as TrainingPlan, rows: sweep.rows, warm: configurations };
  }
}
