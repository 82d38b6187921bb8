import type { FeatureMatrix } from '../matrix.js';

/** How one column of the matrix enters a network; plain JSON. */
export type TabularColumn =
  | {
      kind: 'number';
      /** The median of the training rows. */
      centre: number;
      /** One over the distance between the quartiles; 0 for a column that never changed. */
      inverseScale: number;
      /** Some training rows lacked it, so that "missing" has an input of its own. */
      hasMissing: boolean;
    }
  | {
      kind: 'category';
      /** Codes 0 to `categories - 1`; any other value counts as unknown. */
      categories: number;
      /** Numbers that stand for one category. */
      width: number;
    };

/** Rows as a network takes them: `dense[row * denseWidth + i]`, `codes[row * categoryColumns + i]`, 0 = unknown. */
export interface TabularInputs {
  rows: number;
  dense: Float32Array;
  codes: Int32Array;
}

/** Most numbers for one category; the rule is that of fastai: 1.6 times the number of categories to the power of 0.56. */
const WIDEST_EMBEDDING = 24;

/**
 * Learns from the training rows how columns are scaled. Median and quartiles instead of mean and deviation, since one wild
 * value must not flatten all others (Holzmüller, Grinsztajn, Steinwart 2024, "Better by default").
 * @param categories codes of each column that holds categories, 0 for one that holds numbers
 */
export function fitTabularColumns(
  matrix: FeatureMatrix,
  categories: ArrayLike<number>,
  trainingRows: Uint32Array,
): TabularColumn[] {
  return Array.from({ length: matrix.columns }, (_, column): TabularColumn => {
    const count = categories[column]!;
    if (count > 0) {
      const width = Math.min(WIDEST_EMBEDDING, Math.ceil(1.6 * count ** 0.56));
      return { kind: 'category', categories: count, width };
    }
    const all = Float64Array.from(trainingRows, (row) => matrix.values[column * matrix.rows + row]!);
    return fitNumberColumn(all);
  });
}

function fitNumberColumn(all: Float64Array): TabularColumn {
  const known = all.filter((value) => Number.isFinite(value)).sort();
  const hasMissing = all.some((value) => Number.isNaN(value));
  if (known.length === 0) return { kind: 'number', centre: 0, inverseScale: 0, hasMissing };
  const quantile = (share: number): number => known[Math.round(share * (known.length - 1))]!;
  const quartiles = quantile(0.75) - quantile(0.25);
  // Where more than half of the rows have one value, the quartiles coincide.
  const scale = quartiles > 0 ? quartiles : (known.at(-1)! - known[0]!) / 2;
  const inverse = 1 / scale;
  return {
    kind: 'number',
    centre: quantile(0.5),
    inverseScale: scale > 0 && Number.isFinite(inverse) ? inverse : 0,
    hasMissing,
  };
}

/** Inputs that are plain numbers: values and their "missing" flags. */
export function denseWidth(columns: readonly TabularColumn[]): number {
  return columns.reduce((sum, column) => sum + (column.kind === 'number' ? (column.hasMissing ? 2 : 1) : 0), 0);
}

/** Columns that hold categories. */
export function categoryColumns(columns: readonly TabularColumn[]): Extract<TabularColumn, { kind: 'category' }>[] {
  return columns.filter((column) => column.kind === 'category');
}

/** Inputs of the first layer: plain numbers, then what stands for the categories. */
export function inputWidth(columns: readonly TabularColumn[]): number {
  return denseWidth(columns) + categoryColumns(columns).reduce((sum, { width }) => sum + width, 0);
}

/**
 * The scaled value, bent so that it stays within ±`bound` and changes smoothly: far outliers are still the farthest. Missing
 * is 0, the median.
 */
export function scaleNumber(column: Extract<TabularColumn, { kind: 'number' }>, value: number, bound: number): number {
  if (Number.isNaN(value) || column.inverseScale === 0) return 0;
  const scaled = (value - column.centre) * column.inverseScale;
  if (Math.abs(scaled) > 1e9) return Math.sign(scaled) * bound;
  return scaled / Math.sqrt(1 + (scaled / bound) ** 2);
}

/** The row of an embedding that a value stands for: 0 for missing and unknown ones. */
export function categoryCode(categories: number, value: number): number {
  return Number.isInteger(value) && value >= 0 && value < categories ? value + 1 : 0;
}

/**
 * Encodes one row without allocating.
 * @param row a number a column, NaN = missing
 * @param dense receives the plain numbers from `denseAt` on, `codes` the category codes from `codesAt` on
 */
export function encodeTabularRow(
  columns: readonly TabularColumn[],
  bound: number,
  row: ArrayLike<number>,
  dense: Float32Array,
  denseAt: number,
  codes: Int32Array,
  codesAt: number,
): void {
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const value = row[i]!;
    if (column.kind === 'category') {
      codes[codesAt++] = categoryCode(column.categories, value);
      continue;
    }
    dense[denseAt++] = scaleNumber(column, value, bound);
    if (column.hasMissing) dense[denseAt++] = Number.isNaN(value) ? 1 : 0;
  }
}

/** Encodes some rows of a matrix. */
export function encodeTabularRows(
  columns: readonly TabularColumn[],
  bound: number,
  matrix: FeatureMatrix,
  rows: Uint32Array,
): TabularInputs {
  const width = denseWidth(columns);
  const categories = categoryColumns(columns).length;
  const dense = new Float32Array(rows.length * width);
  const codes = new Int32Array(rows.length * categories);
  const cells = new Float64Array(matrix.columns);
  rows.forEach((row, i) => {
    for (let column = 0; column < matrix.columns; column++) cells[column] = matrix.values[column * matrix.rows + row]!;
    encodeTabularRow(columns, bound, cells, dense, i * width, codes, i * categories);
  });
  return { rows: rows.length, dense, codes };
}
