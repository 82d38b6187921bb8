import type { FeatureMatrix } from '../matrix.js';
import { binMatrix, MISSING_BIN } from './binning.js';

/**
 * A matrix as boosting reads it: the bins of a row side by side, each column's bins counted from 0 with the missing values in
 * the last one. Histograms of all columns lie one after the other.
 */
export interface GradientBins {
  readonly rows: number;
  readonly columns: number;
  /** `bins[row * columns + column]` */
  readonly bins: Uint8Array;
  /** Where a column's histogram begins, in bins; one more entry than columns. */
  readonly offsets: Int32Array;
  /** Upper bounds of a numeric column's bins but the last. */
  readonly edges: readonly Float64Array[];
  readonly isCategorical: Uint8Array;
}

/** Codes of categories that keep a bin of their own; all others count as missing. */
export const MOST_CODES = 254;

/**
 * Cuts numeric columns by quantiles, as the forest does, and gives each category code its own bin.
 * @param categorical columns that hold codes 0 to 253; others, fractions and NaN count as missing
 */
export function binForGradients(
  x: FeatureMatrix,
  weights: Float64Array | undefined,
  maxBins: number,
  seed: number,
  categorical: readonly number[] = [],
): GradientBins {
  const { rows, columns, values } = x;
  const isCategorical = new Uint8Array(columns);
  for (const column of categorical) {
    if (!(Number.isInteger(column) && column >= 0 && column < columns))
      throw new RangeError(`the categorical column ${column} is not one of the ${columns} columns`);
    isCategorical[column] = 1;
  }
  const quantiles = binMatrix(x, weights, maxBins, seed);
  const bins = new Uint8Array(rows * columns);
  const offsets = new Int32Array(columns + 1);
  const edges: Float64Array[] = [];
  for (let column = 0; column < columns; column++) {
    let last: number;
    if (isCategorical[column] === 1) {
      last = codeBins(values.subarray(column * rows, (column + 1) * rows), bins, column, columns);
      edges.push(new Float64Array(0));
    } else {
      edges.push(quantiles.edges[column]!);
      last = quantiles.edges[column]!.length + 1;
      const { rowStep, columnStep } = quantiles;
      for (let row = 0; row < rows; row++) {
        const bin = quantiles.bins[row * rowStep + column * columnStep]!;
        bins[row * columns + column] = bin === MISSING_BIN ? last : bin;
      }
    }
    offsets[column + 1] = offsets[column]! + last + 1;
  }
  return { rows, columns, bins, offsets, edges, isCategorical };
}

/** Writes a column of codes and returns the bin of the missing ones. */
function codeBins(cells: Float64Array, bins: Uint8Array, column: number, columns: number): number {
  let codes = 0;
  for (const code of cells) if (isCode(code)) codes = Math.max(codes, code + 1);
  for (let row = 0; row < cells.length; row++)
    bins[row * columns + column] = isCode(cells[row]!) ? cells[row]! : codes;
  return codes;
}

/** Whether a value is a category code that has a bin of its own. */
export function isCode(value: number): boolean {
  return value >= 0 && value < MOST_CODES && Math.floor(value) === value;
}
