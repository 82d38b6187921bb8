import { SortedWindow } from './sorted-window.js';
import { UsualProfile } from './usual-profile.js';

/** The ways in which a measurement of a series is looked at. */
export const SERIES_LOOKS = ['value', 'step', 'level', 'spread', 'residual'] as const;
export type SeriesLook = (typeof SERIES_LOOKS)[number];

/** How one measurement looks beside the earlier ones of its column. */
export interface ColumnLook {
  /** How far out it lies in all looks together, in nats: the mean of both tails, summed over the looks. */
  surprise: number;
  /** -ln of the smaller tail of the look that is farthest out. */
  farthest: number;
  look: SeriesLook;
  /** On which side of the usual the value itself lies. */
  side: 'low' | 'high';
  /** What the value usually is at this time of day or of the week, and between what 99 of 100 lay; NaN before a first whole day, or without a time. */
  expected: number;
  lower: number;
  upper: number;
}

/** Outside of these shares of the earlier residuals a value counts as unusual for its time of day. */
const BAND = [0.005, 0.995] as const;

/** One column of a series, seen value by value. */
export class SeriesLooks {
  private readonly past: SortedWindow[];
  private readonly profile = new UsualProfile();
  /** The values since the last gap, at most the window. */
  private recent: number[] = [];
  private sum = 0;
  private count = 0;

  constructor(
    private readonly window: number,
    memory: number,
  ) {
    this.past = SERIES_LOOKS.map(() => new SortedWindow(memory));
  }

  /** Forgets the last values, which say nothing of the level after a gap. */
  noteGap(): void {
    this.recent = [];
  }

  /**
   * Judges a value by those before it, then remembers it.
   * @param value NaN for a missing one, which counts as an ordinary one
   * @param isLearned whether later values are compared with this one
   */
  push(value: number, timeMs: number, isLearned: boolean): ColumnLook {
    const expected = Number.isNaN(timeMs) ? NaN : this.profile.expect(timeMs);
    const residuals = this.past[4]!;
    const [lower, upper] = BAND.map((share) => expected + residuals.quantile(share)) as [number, number];
    const none = { look: 'value', side: 'high', expected, lower, upper } as const;
    if (!Number.isFinite(value)) return { ...none, surprise: this.count > 0 ? this.sum / this.count : 0, farthest: 0 };
    const out: ColumnLook = { ...none, surprise: 0, farthest: 0 };
    let ofSide = 0;
    this.look(value, expected).forEach((one, k) => {
      const past = this.past[k]!;
      const rows = past.size + 1;
      const low = -Math.log((past.countAtMost(one) + 1) / rows);
      const high = -Math.log((past.size - past.countBelow(one) + 1) / rows);
      if (isLearned) past.add(one);
      out.surprise += (low + high) / 2;
      const farthest = Math.max(low, high);
      if (farthest > out.farthest) Object.assign(out, { farthest, look: SERIES_LOOKS[k]! });
      // More spread is neither high nor low.
      if (SERIES_LOOKS[k] === 'spread' || farthest <= ofSide) return;
      ofSide = farthest;
      out.side = low > high ? 'low' : 'high';
    });
    if (!isLearned) return out;
    if (!Number.isNaN(timeMs)) this.profile.add(timeMs, value);
    this.sum += out.surprise;
    this.count++;
    return out;
  }

  private look(value: number, expected: number): number[] {
    const last = this.recent.at(-1);
    this.recent.push(value);
    if (this.recent.length > this.window) this.recent.shift();
    const count = this.recent.length;
    // Counted from one of them, so that equal values have exactly their own mean.
    let mean = value;
    for (const one of this.recent) mean += (one - value) / count;
    let squares = 0;
    for (const one of this.recent) squares += (one - mean) ** 2;
    const spread = count > 1 ? Math.sqrt(squares / (count - 1)) : 0;
    return [value, last === undefined ? 0 : value - last, mean, spread, Number.isNaN(expected) ? 0 : value - expected];
  }
}
