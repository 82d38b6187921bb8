import { inferColumnType, isMissing, parseCategory, parseDate, parseNumber } from '../preprocess/column-type.js';
import type { RawColumn } from '../preprocess/table-encoder.js';
import { quantileOfSorted } from './bootstrap.js';
import { selectByFalseDiscoveryRate } from './false-discovery-rate.js';
import { studentQuantile } from './normal-quantile.js';

/** How well the model does on some of the rows. */
export interface Slice {
  column: string;
  /** A value, `missing`, or a stretch such as `10 to 20`, which includes its upper end. */
  slice: string;
  rows: number;
  /** Mean loss of these rows. */
  loss: number;
  /** That minus the mean loss of all rows: above 0 is worse. */
  difference: number;
  lower: number;
  upper: number;
  /** Two-sided, of the difference to the other rows. */
  pValue: number;
  /** `worse` or `better` by more than chance among all slices looked at, else `same`. */
  verdict: 'worse' | 'better' | 'same';
}

/** Columns with more different values are cut into quartiles (numbers and dates) or left out. */
const MOST_VALUES = 20;

/**
 * Looks for groups of rows on which a model does worse than elsewhere: each value of columns with at most 20, each quarter of
 * numbers and dates, and the missing values. Welch's test against the other rows; which slices stand out is decided over all of them
 * at a false discovery rate of 5 % (Benjamini and Hochberg 1995).
 * @param columns raw columns of the judged rows; they need not be features
 * @param losses one finite loss a row, lower is better: 0/1 errors, log losses, absolute errors
 * @param minimumRows smaller slices are left out, at least 2; default 30
 * @param level of the intervals, default 0.95
 * @returns `worse` slices first, each kind by falling difference
 * @throws RangeError for columns of another length than the losses, or a loss that is not finite
 */
export function findSlices(input: {
  columns: readonly RawColumn[];
  losses: Float64Array;
  minimumRows?: number;
  falseDiscoveryRate?: number;
  level?: number;
}): Slice[] {
  const { columns, losses, minimumRows = 30, falseDiscoveryRate = 0.05, level = 0.95 } = input;
  const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
  if (wrong >= 0) throw new RangeError(`the loss of row ${wrong} is ${losses[wrong]}: losses must be finite`);
  const slices: Slice[] = [];
  for (const { name, values } of columns) {
    if (values.length !== losses.length)
      throw new RangeError(
        `column ${JSON.stringify(name)} has ${values.length} rows, but there are ${losses.length} losses`,
      );
    for (const [slice, rows] of cutColumn(values)) {
      if (rows.length < Math.max(2, minimumRows) || losses.length - rows.length < 2) continue;
      slices.push({ column: name, slice, rows: rows.length, ...compareToRest(losses, rows, level), verdict: 'same' });
    }
  }
  decide(slices, falseDiscoveryRate);
  const rank = { worse: 0, same: 1, better: 2 };
  return slices.sort((a, b) => rank[a.verdict] - rank[b.verdict] || b.difference - a.difference);
}

function cutColumn(values: readonly unknown[]): Map<string, number[]> {
  const names = new Map<string, number[]>();
  const add = (name: string, row: number): void => {
    const rows = names.get(name);
    if (rows) rows.push(row);
    else names.set(name, [row]);
  };
  const known = values.map((value) => (isMissing(value) ? undefined : parseCategory(value)));
  const distinct = new Set(known);
  distinct.delete(undefined);
  if (distinct.size <= MOST_VALUES) {
    known.forEach((name, row) => add(name ?? 'missing', row));
    return names;
  }
  const type = inferColumnType(values);
  const isDate = type === 'date';
  if (!isDate && type !== 'number' && type !== 'id') return names;
  const parse = isDate ? parseDate : parseNumber;
  const numbers = Float64Array.from(values, (value) => parse(value) ?? NaN);
  const sorted = numbers.filter((number) => number === number).sort();
  const ends = [0, 0.25, 0.5, 0.75, 1].map((p) => quantileOfSorted(sorted, p));
  const show = (number: number): string =>
    isDate ? new Date(number).toISOString().slice(0, 10) : String(Number(number.toPrecision(6)));
  numbers.forEach((number, row) => {
    if (number !== number) return add('missing', row);
    const quarter = ends.findIndex((end, i) => i > 0 && number <= end);
    add(`${show(ends[quarter - 1]!)} to ${show(ends[quarter]!)}`, row);
  });
  return names;
}

function compareToRest(
  losses: Float64Array,
  rows: readonly number[],
  level: number,
): Pick<Slice, 'loss' | 'difference' | 'lower' | 'upper' | 'pValue'> {
  const isInside = new Uint8Array(losses.length);
  for (const row of rows) isInside[row] = 1;
  const all = momentsOf(losses);
  const inside = momentsOf(losses.filter((_, row) => isInside[row] === 1));
  const outside = momentsOf(losses.filter((_, row) => isInside[row] === 0));
  // One row of the overall spread is lent to each side: a slice without a single error is not free of doubt.
  const errors = [inside, outside].map(({ n, squares }) => (squares + all.squares / all.n) / n / n);
  const error = Math.sqrt(errors[0]! + errors[1]!);
  const apart = inside.mean - outside.mean;
  const degrees = error > 0 ? error ** 4 / (errors[0]! ** 2 / (inside.n - 1) + errors[1]! ** 2 / (outside.n - 1)) : 1;
  // The mean of all rows has the slice in it, so the difference to it is a fixed part of the one to the rest.
  const part = outside.n / all.n;
  const half = studentQuantile((1 + level) / 2, degrees) * error;
  return {
    loss: inside.mean,
    difference: part * apart,
    lower: part * (apart - half),
    upper: part * (apart + half),
    // Where all losses are equal, only rounding is left to tell them apart.
    pValue: error > 1e-12 * Math.abs(all.mean) ? studentTails(apart / error, degrees) : 1,
  };
}

function momentsOf(values: Float64Array): { n: number; mean: number; squares: number } {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { n: values.length, mean, squares };
}

/** Both tails of Student's distribution by Wallace's (1959) transformation to a normal deviate, good to about 1 % of the tail. */
function studentTails(t: number, degrees: number): number {
  const z = ((8 * degrees + 1) / (8 * degrees + 3)) * Math.sqrt(degrees * Math.log1p((t * t) / degrees));
  return Math.min(1, complementaryError(z / Math.SQRT2));
}

/** erfc for x >= 0 by a Chebyshev fit, relative error below 1.2e-7 (Numerical Recipes, section 6.2). */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.5 * x);
  const terms = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
  ];
  return t * Math.exp(-x * x + terms.reduce((sum, term) => sum * t + term, 0));
}

function decide(slices: Slice[], rate: number): void {
  const stands = selectByFalseDiscoveryRate(
    Float64Array.from(slices, ({ pValue }) => pValue),
    rate,
  );
  slices.forEach((slice, i) => {
    if (stands[i] === 1) slice.verdict = slice.difference > 0 ? 'worse' : 'better';
  });
}
