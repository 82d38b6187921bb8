import type { FeatureMatrix } from '../matrix.js';
import { requireFiniteMatrix } from './isolation-forest.js';
import { fitTailTable, tableContribution, type TailTable } from './tail-table.js';

/**
 * A detector without parameters: how far out in its column's tails each value of a row lies, added up over the columns
 * (Z. Li, Y. Zhao, X. Hu, N. Botta, C. Ionescu, G. H. Chen: ECOD, TKDE 2022). In nats; higher is more anomalous.
 */
export interface Ecod {
  readonly trainRows: number;
  readonly columns: readonly TailTable[];
}

/**
 * Fits the tails of each column. Missing values (NaN) are left out; a column with nothing but gaps never says anything.
 * @param options.maxKnots distinct values kept a column (2,048 by default): with fewer distinct values the tables are exact,
 * otherwise the outermost quarter on each side is exact and the middle is known to within about 1 / maxKnots
 * @throws RangeError for a matrix without rows or columns, or infinite values
 */
export function fitEcod(x: FeatureMatrix, options: { maxKnots?: number } = {}): Ecod {
  requireFiniteMatrix(x);
  const { maxKnots = 2048 } = options;
  if (!(Number.isInteger(maxKnots) && maxKnots >= 16))
    throw new RangeError(`maxKnots must be a whole number of at least 16, got ${maxKnots}`);
  const columns = Array.from({ length: x.columns }, (_, column) =>
    fitTailTable(x.values.subarray(column * x.rows, (column + 1) * x.rows), maxKnots),
  );
  return { trainRows: x.rows, columns };
}

/**
 * The score of a row that was not fitted on: its own values count as one more row, and beyond the least and greatest value
 * seen the tails go on as fitted generalised Pareto laws, so that farther out is always worse. Allocates nothing.
 * @param row one value a column; a missing one (NaN) counts what the column's values count on average
 * @param out where given, what each column adds; they sum to the score
 */
export function scoreEcodRow(ecod: Ecod, row: ArrayLike<number>, out?: Float64Array): number {
  const { columns } = ecod;
  let sum = 0;
  for (let column = 0; column < columns.length; column++) {
    const contribution = tableContribution(columns[column]!, row[column]!, true);
    if (out) out[column] = contribution;
    sum += contribution;
  }
  return sum;
}

/** The scores of the rows that it was fitted on, as the paper has them: a value's tail counts the value itself. */
export function ecodTrainingScores(ecod: Ecod, x: FeatureMatrix): Float64Array {
  return scoreColumns(ecod, x, false);
}

/** The scores of rows that it was not fitted on; see `scoreEcodRow`. @throws RangeError for another number of columns */
export function ecodScores(ecod: Ecod, x: FeatureMatrix): Float64Array {
  return scoreColumns(ecod, x, true);
}

function scoreColumns(ecod: Ecod, x: FeatureMatrix, isNew: boolean): Float64Array {
  if (x.columns !== ecod.columns.length)
    throw new RangeError(`the detector was fitted on ${ecod.columns.length} columns, got ${x.columns}`);
  const out = new Float64Array(x.rows);
  for (let column = 0; column < x.columns; column++) {
    const table = ecod.columns[column]!;
    for (let row = 0; row < x.rows; row++)
      out[row]! += tableContribution(table, x.values[column * x.rows + row]!, isNew);
  }
  return out;
}
