/** Buckets of one size before the two oldest are joined. */
const BUCKETS_A_SIZE = 5;
/** Values between two looks for a cut. */
const LOOK_EVERY = 32;
const LEAST_SIDE = 5;

export interface AdaptiveBucket {
  count: number;
  total: number;
  /** Of squared deviations from the bucket's own mean. */
  squares: number;
}

/** What a window remembers; plain numbers, so that it can be kept. */
export interface AdaptiveWindowState {
  buckets: AdaptiveBucket[];
  seen: number;
}

/**
 * A window over a stream that drops its older part as soon as its mean differs from that of the newer (ADWIN2; Bifet and Gavaldà 2007, "Learning
 * from time-changing data with adaptive windowing"). It holds O(log n) numbers. The chance that a steady stream is ever cut at one look is
 * at most `delta`.
 */
export class AdaptiveWindow {
  /** Newest first; each a power of two of values, growing. */
  readonly #buckets: AdaptiveBucket[];
  readonly #delta: number;
  #seen: number;

  /**
   * @param delta chance of a false cut at a look, above 0 and below 1
   * @param state of a window that is gone on with
   */
  constructor(delta = 0.002, state: AdaptiveWindowState = { buckets: [], seen: 0 }) {
    if (!(delta > 0 && delta < 1)) throw new RangeError(`delta is ${delta} but must lie between 0 and 1`);
    this.#delta = delta;
    this.#buckets = state.buckets.map((bucket) => ({ ...bucket }));
    this.#seen = state.seen;
  }

  get state(): AdaptiveWindowState {
    return { buckets: this.#buckets, seen: this.#seen };
  }

  /** Values in the window, and their mean. */
  get window(): { count: number; mean: number } {
    const all = this.#sum(0);
    return { count: all.count, mean: all.count === 0 ? NaN : all.total / all.count };
  }

  /** @returns how far the mean went where the window was cut */
  add(value: number): { from: number; to: number; dropped: number } | undefined {
    this.#buckets.unshift({ count: 1, total: value, squares: 0 });
    this.#join();
    if (++this.#seen % LOOK_EVERY !== 0) return undefined;
    const before = this.window;
    let dropped = 0;
    while (this.#isCut()) dropped += this.#buckets.pop()!.count;
    if (dropped === 0) return undefined;
    const after = this.window;
    return { from: before.mean, to: after.mean, dropped };
  }

  #join(): void {
    let start = 0;
    for (let size = 1; ; size *= 2) {
      let end = start;
      while (end < this.#buckets.length && this.#buckets[end]!.count === size) end++;
      if (end - start <= BUCKETS_A_SIZE) return;
      this.#buckets.splice(end - 2, 2, merge(this.#buckets[end - 2]!, this.#buckets[end - 1]!));
      start = end - 2;
    }
  }

  #isCut(): boolean {
    const all = this.#sum(0);
    if (all.count < 2 * LEAST_SIDE) return false;
    const variance = all.squares / all.count;
    const chance = this.#delta / Math.log(Math.max(Math.E, all.count));
    const log = Math.log(2 / chance);
    let newer: AdaptiveBucket = { count: 0, total: 0, squares: 0 };
    for (let at = 0; at < this.#buckets.length - 1; at++) {
      newer = merge(newer, this.#buckets[at]!);
      const older = all.count - newer.count;
      if (newer.count < LEAST_SIDE || older < LEAST_SIDE) continue;
      const inverse = 1 / newer.count + 1 / older;
      const limit = Math.sqrt(2 * inverse * variance * log) + (2 / 3) * inverse * log;
      if (Math.abs(newer.total / newer.count - (all.total - newer.total) / older) > limit) return true;
    }
    return false;
  }

  #sum(from: number): AdaptiveBucket {
    return this.#buckets.slice(from).reduce(merge, { count: 0, total: 0, squares: 0 });
  }
}

function merge(a: AdaptiveBucket, b: AdaptiveBucket): AdaptiveBucket {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = b.total / b.count - a.total / a.count;
  return {
    count,
    total: a.total + b.total,
    squares: a.squares + b.squares + (delta * delta * a.count * b.count) / count,
  };
}
