import type { Configuration } from '../../ml/search/search-space.js';
import type { Trial } from '../../ml/search/trial.js';
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

  async #know(sweepId: string): Promise<Known> {
    const known = this.#known.get(sweepId) ?? { subject: await this.#readSubject(sweepId), ended: [] };
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
