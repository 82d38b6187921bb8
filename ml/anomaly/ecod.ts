import type { FeatureMatrix } from '../matrix.js';

/**
 * Empirical cumulative outlier detection (Li, Zhao, Hu, Botta, Ionescu and Chen 2022): how far out in the tails of each column a
 * row lies. No parameters, and each column's share in the score is known.
 */
export interface Ecod {
  readonly columns: readonly EcodColumn[];
}

export interface EcodColumn {
  /** Sorted present values of the training rows, thinned to at most 10,000 at equal distances. */
  readonly sorted: Float64Array;
  /** -1, 0 or 1: the longer tail. */
  readonly skewness: number;
}

/** A value beyond all that was seen is not believed to be rarer than this. */
const LEAST_SHARE = 1e-12;
/** Share of the values at each end whose mean excess says how fast a tail falls beyond what was seen. */
const TAIL_SHARE = 0.05;

/** So many values of a column are kept: a tail is then known to a hundredth of a percent. */
const MOST_VALUES = 10_000;

/** @throws RangeError for an empty matrix */
export function fitEcod(x: FeatureMatrix): Ecod {
  if (x.rows < 1 || x.columns < 1) throw new RangeError(`ECOD needs rows and columns, got ${x.rows} x ${x.columns}`);
  const columns = Array.from({ length: x.columns }, (_, column): EcodColumn => {
    const present = x.values.slice(column * x.rows, (column + 1) * x.rows).filter((value) => !Number.isNaN(value));
    present.sort();
    return { sorted: thin(present), skewness: signOfSkewness(present) };
  });
  return { columns };
}

function thin(sorted: Float64Array): Float64Array {
  if (sorted.length <= MOST_VALUES) return sorted;
  // Both ends stay: they say where nothing was ever seen.
  return Float64Array.from(
    { length: MOST_VALUES },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MOST_VALUES - 1))]!,
  );
}

function signOfSkewness(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  let third = 0;
  let size = 0;
  for (const value of values) {
    third += (value - mean) ** 3;
    size += Math.abs(value - mean) ** 3;
  }
  // Of an even distribution rounding alone would choose a side.
  return Math.abs(third) <= 1e-9 * size ? 0 : Math.sign(third);
}

/** How far out one value lies. */
export interface Tail {
  /** Negative natural logarithm of the share of values at least as far out; beyond all that was seen the tail is extended. */
  score: number;
  /** The same without the extension: at most the logarithm of the count of values, so that all values beyond are alike. */
  seen: number;
  side: 'low' | 'high';
}

/**
 * Missing values and columns without values say nothing. Within what was seen the score is that of the paper; beyond it the share
 * goes on falling exponentially with the mean excess of the outer 5 %, as tails without a bound do at least (Pickands 1975).
 */
export function tailOf(column: EcodColumn, value: number): Tail {
  const { sorted, skewness } = column;
  if (value !== value || sorted.length === 0) return { score: 0, seen: 0, side: 'high' };
  const n = sorted.length;
  const low = -Math.log(Math.max(1 / (n + 1), countAtMost(sorted, value) / n));
  const high = -Math.log(Math.max(1 / (n + 1), (n - countBelow(sorted, value)) / n));
  const bySkewness = skewness < 0 ? low : skewness > 0 ? high : low + high;
  const seen = Math.max(low, high, bySkewness);
  return { score: seen + excessOf(column, value), seen, side: low > high ? 'low' : 'high' };
}

/** By how much the logarithm falls between the outermost value that was seen and one beyond it. */
function excessOf({ sorted }: EcodColumn, value: number): number {
  const n = sorted.length;
  const beyond = Math.max(sorted[0]! - value, value - sorted[n - 1]!);
  if (!(beyond > 0)) return 0;
  const most = -Math.log(LEAST_SHARE) - Math.log(n + 1);
  const outer = Math.max(1, Math.floor(n * TAIL_SHARE));
  const isHigh = value > sorted[n - 1]!;
  const edge = isHigh ? sorted[n - 1 - outer]! : sorted[outer]!;
  let sum = 0;
  for (let i = 0; i < outer; i++) sum += isHigh ? sorted[n - 1 - i]! - (edge ?? 0) : (edge ?? 0) - sorted[i]!;
  const meanExcess = sum / outer;
  // A constant column has no tail: anything else is as far out as it gets.
  return meanExcess > 0 ? Math.min(Math.max(0, most), beyond / meanExcess) : Math.max(0, most);
}

function countAtMost(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countBelow(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The sum over the columns: the larger, the odder. @param row one number a column, NaN = missing */
export function ecodScore(model: Ecod, row: Float64Array): number {
  let sum = 0;
  for (let column = 0; column < model.columns.length; column++)
    sum += tailOf(model.columns[column]!, row[column]!).score;
  return sum;
}

/** The score of every row of a matrix. @throws RangeError for another count of columns */
export function ecodScores(model: Ecod, x: FeatureMatrix): Float64Array {
  if (x.columns !== model.columns.length)
    throw new RangeError(`ECOD was fitted on ${model.columns.length} columns but the matrix has ${x.columns}`);
  const row = new Float64Array(x.columns);
  return Float64Array.from({ length: x.rows }, (_, at) => {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + at]!;
    return ecodScore(model, row);
  });
}
