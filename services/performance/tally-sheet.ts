import { addUp, type Tally } from '../../core/monitoring/tally.js';

/** What a tally is of. */
export interface TallyKey {
  model: string;
  /** Start of the hour (UTC) in which predictions were made, in milliseconds. */
  hourMs: number;
  version: string;
  /** Empty where there was no trial. */
  arm: string;
  /** Such as `plan=free`; empty for all rows. */
  segment: string;
}

export type TallyPart = 'answers' | 'outcomes';

export interface TallyLine extends TallyKey {
  answers: Tally;
  outcomes: Tally;
}

export const HOUR_MS = 3_600_000;
export const hourOf = (atMs: number) => Math.floor(atMs / HOUR_MS) * HOUR_MS;

/** Tallies by what they are of, in memory. */
export class TallySheet {
  readonly #lines = new Map<string, TallyLine>();

  get size(): number {
    return this.#lines.size;
  }

  lines(): TallyLine[] {
    return [...this.#lines.values()];
  }

  clear(): void {
    this.#lines.clear();
  }

  /** The tally of a key, to add to. */
  tally(key: TallyKey, part: TallyPart): Tally {
    const name = JSON.stringify([key.model, key.hourMs, key.version, key.arm, key.segment]);
    let line = this.#lines.get(name);
    if (!line) this.#lines.set(name, (line = { ...key, answers: {}, outcomes: {} }));
    return line[part];
  }

  /** Adds what one row adds up to under all rows and under each of its segments. */
  addToSegments(key: Omit<TallyKey, 'segment'>, segments: readonly string[], part: TallyPart, row: Tally): void {
    for (const segment of ['', ...segments]) addUp(this.tally({ ...key, segment }, part), row);
  }
}
