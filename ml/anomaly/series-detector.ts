import { SeriesLooks, type ColumnLook } from './series-looks.js';
import { SortedWindow } from './sorted-window.js';

/** What one measurement of a series says. */
export interface SeriesVerdict {
  /** -ln of the p-value. */
  surprise: number;
  /** Share of the earlier measurements of this series that were at least as odd, in (0, 1]. */
  pValue: number;
  /** One at least as odd came shortly before, so that an alarm would tell nothing new. */
  isRepeat: boolean;
  columns: ColumnLook[];
}

export interface SeriesDetectorOptions {
  /** Values of a measurement; 1 by default. */
  columns?: number;
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
 * value is looked at in five ways: the value, its step from the last, level and spread of the last ones, and the residual from what
 * is usual at its time of day or of the week. How far out each lies in the tails of all earlier ones is added up as in ECOD, both tails counted
 * half, and of several columns the one with the largest sum speaks. The p-value is the share of earlier measurements with as large a
 * sum, which makes one threshold do for every series. Beyond the largest it falls in proportion, as `extendedPValue` says.
 */
export class SeriesDetector {
  private readonly looks: SeriesLooks[];
  private readonly sums: SortedWindow;
  private readonly steps = new SortedWindow(STEPS_REMEMBERED);
  private lastTime = NaN;
  /** Surprises of the last `quiet` measurements that no later one exceeds, the greatest first. */
  private readonly peaks: { at: number; surprise: number }[] = [];
  private seen = 0;
  private readonly window: number;
  private readonly quiet: number;

  /** @throws RangeError for options that are no whole numbers above 0 */
  constructor(options: SeriesDetectorOptions = {}) {
    const { columns = 1, window = 12, memory = 10_000, quiet = 144 } = options;
    for (const [name, value] of Object.entries({ columns, window, memory, quiet }))
      if (!(Number.isInteger(value) && value >= 1))
        throw new RangeError(`${name} must be a whole number above 0, got ${value}`);
    this.window = window;
    this.quiet = quiet;
    this.looks = Array.from({ length: columns }, () => new SeriesLooks(window, memory));
    this.sums = new SortedWindow(memory);
  }

  /**
   * Judges the next measurement by those before it, then remembers it. Measurements count in the order they are pushed, so that
   * repeated times and small steps back do no harm; after a gap of more than a window's usual time, level and spread begin anew.
   * @param values one a column; missing ones (NaN) count as ordinary ones, and a measurement of missing ones alone is skipped
   * @param timeMs milliseconds since 1970; NaN where unknown, then nothing is usual at any time
   * @param options.isLearned false for one that is known to be odd: it is judged, but nothing later is compared with it
   * @throws RangeError for another number of columns
   */
  push(values: ArrayLike<number>, timeMs = NaN, options: { isLearned?: boolean } = {}): SeriesVerdict {
    if (values.length !== this.looks.length)
      throw new RangeError(`the series has ${this.looks.length} columns, got ${values.length} values`);
    const { isLearned = true } = options;
    this.noteTime(timeMs);
    const columns = this.looks.map((look, column) => look.push(values[column]!, timeMs, isLearned));
    if (!Array.prototype.some.call(values, Number.isFinite))
      return { surprise: 0, pValue: 1, isRepeat: false, columns };
    const sum = columns.reduce((most, { surprise }) => Math.max(most, surprise), 0);
    const pValue = this.pValueOf(sum);
    if (isLearned) this.sums.add(sum);
    const surprise = 0 - Math.log(pValue);
    return { surprise, pValue, isRepeat: this.noteSurprise(surprise), columns };
  }

  private noteTime(timeMs: number): void {
    const step = timeMs - this.lastTime;
    if (step > this.steps.median() * this.window) for (const look of this.looks) look.noteGap();
    if (step > 0) this.steps.add(step);
    if (!Number.isNaN(timeMs)) this.lastTime = timeMs;
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
