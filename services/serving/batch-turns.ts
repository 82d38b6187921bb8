import { ServiceError } from '../../core/errors.js';

/** Batches that share the time of the process. More of them would only make each other late. */
const MOST_AT_ONCE = 4;
/** The weight of the latest batch in what a row is expected to take. */
const LATEST = 0.2;

/**
 * Batches take turns: a few are answered at a time, the others wait in the order in which they came. One that would wait too long is
 * refused at once, so that those who wait are answered in time.
 */
export class BatchTurns {
  #running = 0;
  #rowsAhead = 0;
  #msPerRow = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param maxWaitMs 0 = however long */
  constructor(private readonly maxWaitMs: number) {}

  /** How long the next batch would wait. */
  get waitMs(): number {
    return this.#running === MOST_AT_ONCE ? this.#rowsAhead * this.#msPerRow : 0;
  }

  /** Whether the next batch would wait too long. */
  get isFull(): boolean {
    return this.maxWaitMs > 0 && this.waitMs > this.maxWaitMs;
  }

  /** @throws ServiceError `overloaded`; whatever the work throws */
  async run<T>(rows: number, work: () => Promise<T>): Promise<T> {
    // A single row takes no longer than a request of its own would.
    if (rows <= 1) return work();
    if (this.isFull) throw batchOverload(this.maxWaitMs);
    this.#rowsAhead += rows;
    if (this.#running === MOST_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      this.#rowsAhead -= rows;
      // Those that ran beside it have had their share of the time.
      const ms = (performance.now() - startMs) / this.#running / Math.max(1, rows);
      this.#msPerRow += (this.#msPerRow === 0 ? 1 : LATEST) * (ms - this.#msPerRow);
      const next = this.#waiting.shift();
      // Whoever is next takes over the place.
      if (next) next();
      else this.#running--;
    }
  }
}

export const batchOverload = (maxWaitMs: number): ServiceError =>
  new ServiceError('overloaded', `The batch would have waited longer than ${maxWaitMs} ms. Try again shortly.`, [], 1);
