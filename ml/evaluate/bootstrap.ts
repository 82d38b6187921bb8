import { createPrng } from '../random/prng.js';

/** The two ends of an interval. */
export interface Interval {
  lower: number;
  upper: number;
}

/** Resamples of an interval: the ends of a 95 % interval then rest on a dozen values each. */
const RESAMPLES = 500;
/** Longer tables are resampled at this size, and the spread is scaled to the real one. */
const MOST_ROWS = 20_000;

/**
 * A statistic of some rows, each counted as often as a resample drew it.
 * @param order the rows that take part; `counts[i]` belongs to `order[i]`
 */
export type ResampledStatistic = (order: Int32Array, counts: Uint8Array) => number;

/**
 * Percentile bootstrap intervals of several statistics from the same resamples (Efron 1979). The deviations from the statistic
 * of the table are scaled by √(resampled / all rows) where only a part is resampled, and an interval always holds its value.
 * @param values the statistics of the whole table
 * @param level for instance 0.95
 */
export function bootstrapIntervals(
  rows: number,
  statistics: readonly ResampledStatistic[],
  values: readonly number[],
  level: number,
  seed: number,
): Interval[] {
  const prng = createPrng(seed, 0x626f6f74);
  const order = chooseRows(rows, seed);
  const counts = new Uint8Array(order.length);
  const drawn = statistics.map(() => new Float64Array(RESAMPLES));
  for (let resample = 0; resample < RESAMPLES; resample++) {
    counts.fill(0);
    for (let i = 0; i < order.length; i++) counts[prng.nextInt(order.length)]!++;
    statistics.forEach((statistic, s) => (drawn[s]![resample] = statistic(order, counts)));
  }
  const scale = Math.sqrt(order.length / rows);
  const all = new Uint8Array(order.length).fill(1);
  return statistics.map((statistic, s) => {
    const defined = drawn[s]!.filter((value) => !Number.isNaN(value)).sort();
    const value = values[s]!;
    if (defined.length === 0 || Number.isNaN(value)) return { lower: NaN, upper: NaN };
    const centre = order.length === rows ? value : statistic(order, all);
    const at = (p: number): number => value + (quantileOfSorted(defined, p) - centre) * scale;
    return { lower: Math.min(value, at((1 - level) / 2)), upper: Math.max(value, at((1 + level) / 2)) };
  });
}

function chooseRows(rows: number, seed: number): Int32Array {
  if (rows <= MOST_ROWS) return Int32Array.from({ length: rows }, (_, row) => row);
  const prng = createPrng(seed, 0x726f7773);
  const stretch = rows / MOST_ROWS;
  return Int32Array.from({ length: MOST_ROWS }, (_, i) => Math.min(rows - 1, Math.floor((i + prng.next()) * stretch)));
}

/** The mean of per-row losses as a resampled statistic. */
export function resampledMean(losses: Float64Array): ResampledStatistic {
  return (order, counts) => {
    let sum = 0;
    let n = 0;
    for (let i = 0; i < order.length; i++) {
      sum += counts[i]! * losses[order[i]!]!;
      n += counts[i]!;
    }
    return sum / n;
  };
}

/**
 * A quantile of ascending numbers with linear interpolation (type 7 of Hyndman and Fan, the default of NumPy and R).
 * @param p 0 to 1
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return NaN;
  const at = p * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}
