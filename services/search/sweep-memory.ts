import type { Configuration } from '../../ml/search/search-space.js';
import type { Trial } from '../../ml/search/trial.js';
import type { Database } from '../database/database.js';
import type { TrainingPlan } from '../training/training-plan.js';
import { readTrials } from './trial-table.js';

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

  /** The first ends of a sweep by number. @param count of ends, all of which must be there */
  async ended(sweepId: string, count: number): Promise<readonly Trial[]> {
    const { ended } = await this.#know(sweepId);
    const from = ended.length;
    const next = await readTrials(this.database, sweepId, from, count);
    // Another trial may have read the same meanwhile.
    ended.push(...next.slice(ended.length - from));
    return ended.slice(0, count);
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
