import type { FeatureMatrix } from '../matrix.js';
import { createPrng, shuffle } from '../random/prng.js';
import { studentQuantile } from './normal-quantile.js';

/** How much a feature is worth to a model. */
export interface FeatureImportance {
  name: string;
  /** Mean loss with the feature shuffled minus mean loss with it as it is: above 0 the model needs it. */
  increase: number;
  lower: number;
  upper: number;
  /** True where the whole interval is above 0. */
  matters: boolean;
}

/** Matrix columns that belong to one original feature, and are shuffled together. */
export interface FeatureGroup {
  name: string;
  columns: readonly number[];
}

/**
 * How much worse a model answers held-out rows when the values of one feature are dealt out anew among them (Breiman 2001; Fisher,
 * Rudin and Dominici 2019). Features that stand for each other share what they are worth, so that each can seem to matter little.
 * The interval holds the chance of rows and shuffles both: each row's mean increase over the repeats is one observation.
 * @param predict answers of a whole matrix, `[row * outputs + output]`; a new array or one it reuses
 * @param lossOf per-row losses of such answers, lower is better, one finite number a row
 * @param repeats shuffles a feature, 1 or more; default 5
 * @param level of the intervals, default 0.95
 * @returns the largest increase first; equal ones in the order given
 * @throws RangeError for a column outside the matrix, an empty matrix, or losses that are not one finite number a row
 */
export function permutationImportance(input: {
  x: FeatureMatrix;
  predict: (x: FeatureMatrix) => Float64Array;
  lossOf: (answers: Float64Array) => Float64Array;
  groups: readonly FeatureGroup[];
  seed: number;
  repeats?: number;
  level?: number;
}): FeatureImportance[] {
  const { x, predict, lossOf, groups, seed, repeats = 5, level = 0.95 } = input;
  if (x.rows < 1) throw new RangeError('importance needs held-out rows, got none');
  if (!Number.isInteger(repeats) || repeats < 1)
    throw new RangeError(`repeats must be a whole number from 1, got ${repeats}`);
  for (const { name, columns } of groups) {
    const wrong = columns.find((column) => !Number.isInteger(column) || column < 0 || column >= x.columns);
    if (wrong !== undefined)
      throw new RangeError(`feature ${name} has column ${wrong}, but the matrix has ${x.columns} columns`);
  }
  const losses = checkLosses(lossOf(predict(x)), x.rows).slice();
  const values = x.values.slice();
  const shuffled = { rows: x.rows, columns: x.columns, values };
  const found = groups.map((group, index) => {
    const increases = new Float64Array(x.rows);
    for (let repeat = 0; repeat < repeats; repeat++) {
      shuffleColumns(x, values, group.columns, seed, index, repeat);
      const worse = checkLosses(lossOf(predict(shuffled)), x.rows);
      for (let row = 0; row < x.rows; row++) increases[row]! += (worse[row]! - losses[row]!) / repeats;
    }
    for (const column of group.columns) copyColumn(x, values, column);
    return { name: group.name, ...intervalOf(increases, level) };
  });
  return found.sort((a, b) => b.increase - a.increase);
}

function checkLosses(losses: Float64Array, rows: number): Float64Array {
  const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
  if (losses.length !== rows || wrong >= 0)
    throw new RangeError(
      `lossOf must give one finite loss a row: ${losses.length} for ${rows} rows${wrong >= 0 ? `, that of row ${wrong} is ${losses[wrong]}` : ''}`,
    );
  return losses;
}

function shuffleColumns(
  x: FeatureMatrix,
  values: Float64Array,
  columns: readonly number[],
  seed: number,
  group: number,
  repeat: number,
): void {
  const order = shuffle(
    Int32Array.from({ length: x.rows }, (_, row) => row),
    createPrng(seed, 0x7065726d, group, repeat),
  );
  for (const column of columns) {
    const at = column * x.rows;
    for (let row = 0; row < x.rows; row++) values[at + row] = x.values[at + order[row]!]!;
  }
}

function copyColumn(x: FeatureMatrix, values: Float64Array, column: number): void {
  values.set(x.values.subarray(column * x.rows, (column + 1) * x.rows), column * x.rows);
}

/** Student's interval of a mean. Nothing is known of the spread from one row. */
function intervalOf(increases: Float64Array, level: number): Omit<FeatureImportance, 'name'> {
  const n = increases.length;
  let increase = 0;
  for (const part of increases) increase += part / n;
  let variance = 0;
  for (const part of increases) variance += (part - increase) ** 2 / (n - 1);
  const half = n > 1 ? studentQuantile((1 + level) / 2, n - 1) * Math.sqrt(variance / n) : Infinity;
  const lower = increase - half;
  return { increase, lower, upper: increase + half, matters: lower > 0 };
}
