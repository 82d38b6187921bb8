import { DayProfile } from './day-profile.js';
import { SortedWindow } from './sorted-window.js';

/** What one measurement of a series says. */
export interface SeriesVerdict {
  /** -ln of the p-value. */
  surprise: number;
  /** Share of the earlier measurements of this series that were at least as odd, in (0, 1]. */
  pValue: number;
  /** One at least as odd came shortly before, so that an alarm would tell nothing new. */
  isRepeat: boolean;
  /** What the value usually is at this time of day; NaN before a first whole day, or without a time. */
  expected: number;
  /** The look at the series that is the oddest, on which side of the usual, and its part in the whole, 0 to 1. */
  cause: { feature: SeriesFeature; side: 'low' | 'high'; share: number };
}

/** The ways in which a measurement is looked at. */
export const SERIES_FEATURES = ['value', 'step', 'level', 'spread', 'residual'] as const;
export type SeriesFeature = (typeof SERIES_FEATURES)[number];

export interface SeriesDetectorOptions {
  /** Measurements that level and spread are taken over; 12 by default. */
  window?: number;
  /** Measurements that are remembered; 10,000 by default. */
  memory?: number;
  /** Measurements after which an odd one counts as new again; 144 by default. */
  quiet?: number;
}

/** Differences of time that tell what a usual step is. */
const STEPS_REMEMBERED = 101;

/**
 * Watches one series as it comes; nothing but the past of the series itself is compared with, so no two series share a scale. Each
 * measurement is looked at in five ways: the value, its step from the last, level and spread of the last ones, and the residual from
 * what is usual at its time of day. How far out each lies in the tails of all earlier ones is added up as in ECOD, both tails counted
 * half; and the p-value is the share of earlier sums that are at least as large, which makes one threshold do for every series.
 * Beyond the largest it falls in proportion, as `extendedPValue` says.
 */
export class SeriesDetector {
  private readonly past: SortedWindow[];
  private readonly sums: SortedWindow;
  private readonly steps = new SortedWindow(STEPS_REMEMBERED);
  private readonly profile = new DayProfile();
  /** The values since the last gap, at most the window. */
  private recent: number[] = [];
  private lastTime = NaN;
  /** Surprises of the last `quiet` measurements that no later one exceeds, the greatest first. */
  private peaks: { at: number; surprise: number }[] = [];
  private seen = 0;
  private readonly window: number;
  private readonly quiet: number;

  /** @throws RangeError for options that are no whole numbers above 0 */
  constructor(options: SeriesDetectorOptions = {}) {
    const { window = 12, memory = 10_000, quiet = 144 } = options;
    for (const [name, value] of Object.entries({ window, memory, quiet }))
      if (!(Number.isInteger(value) && value >= 1))
        throw new RangeError(`${name} must be a whole number above 0, got ${value}`);
    this.window = window;
    this.quiet = quiet;
    this.past = SERIES_FEATURES.map(() => new SortedWindow(memory));
    this.sums = new SortedWindow(memory);
  }

  /**
   * Judges the next measurement by those before it, then remembers it. Measurements count in the order they are pushed, so that
   * repeated times and small steps back do no harm; after a gap of more than a window's usual time, level and spread begin anew.
   * @param value a missing one (NaN) is skipped
   * @param timeMs milliseconds since 1970; NaN where unknown, then nothing is usual at a time of day
   */
  push(value: number, timeMs = NaN): SeriesVerdict {
    if (!Number.isFinite(value)) return NOTHING;
    this.noteTime(timeMs);
    const expected = Number.isNaN(timeMs) ? NaN : this.profile.expect(timeMs);
    const features = this.look(value, expected);
    let sum = 0;
    let cause: SeriesVerdict['cause'] = { feature: 'value', side: 'high', share: 0 };
    features.forEach((feature, k) => {
      const past = this.past[k]!;
      const rows = past.size + 1;
      const low = -Math.log((past.countAtMost(feature) + 1) / rows);
      const high = -Math.log((past.size - past.countBelow(feature) + 1) / rows);
      const part = (low + high) / 2;
      sum += part;
      if (part > cause.share) cause = { feature: SERIES_FEATURES[k]!, side: low > high ? 'low' : 'high', share: part };
      past.add(feature);
    });
    if (!Number.isNaN(timeMs)) this.profile.add(timeMs, value);
    const pValue = this.pValueOf(sum);
    this.sums.add(sum);
    const surprise = 0 - Math.log(pValue);
    const isRepeat = this.noteSurprise(surprise);
    return { surprise, pValue, isRepeat, expected, cause: { ...cause, share: sum > 0 ? cause.share / sum : 0 } };
  }

  private noteTime(timeMs: number): void {
    const step = timeMs - this.lastTime;
    const usual = this.steps.median();
    // A gap: what was measured before it says nothing of the level now.
    if (step > usual * this.window) this.recent = [];
    if (step > 0) this.steps.add(step);
    if (!Number.isNaN(timeMs)) this.lastTime = timeMs;
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

  private pValueOf(sum: number): number {
    const { sums } = this;
    const p = (1 + sums.size - sums.countBelow(sum)) / (sums.size + 1);
    const most = sums.greatest();
    return sum > most && most > 0 ? (p * most) / sum : p;
  }

  private noteSurprise(surprise: number): boolean {
    const { peaks } = this;
    const at = this.seen++;
    while (peaks.length > 0 && peaks[0]!.at < at - this.quiet) peaks.shift();
    const isRepeat = peaks.length > 0 && peaks[0]!.surprise >= surprise;
    while (peaks.length > 0 && peaks.at(-1)!.surprise <= surprise) peaks.pop();
    peaks.push({ at, surprise });
    return isRepeat;
  }
}

const NOTHING: SeriesVerdict = {
  surprise: 0,
  pValue: 1,
  isRepeat: false,
  expected: NaN,
  cause: { feature: 'value', side: 'high', share: 0 },
};
