import type { FeatureMatrix } from '../matrix.js';
import { createPrng } from '../random/prng.js';

/** The bin of missing values; present values use bins 0 to at most 254. */
export const MISSING_BIN = 255;

/** A matrix whose values were replaced by the number of their quantile bin. */
export interface BinnedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** `bins[row * rowStep + column * columnStep]`. Behind the columns there is one more, free for the learner's use. */
  readonly bins: Uint8Array;
  readonly rowStep: number;
  readonly columnStep: number;
  /** Per column the ascending upper bounds of all bins but the last: a value v is in the first bin b with v <= edges[b]. */
  readonly edges: readonly Float64Array[];
  /** 1 where a column has both or several kinds of values (missing counts as one), 0 where it can split nothing. */
  readonly isSplittable: Uint8Array;
}

/** Columns longer than this are cut by the quantiles of a sample of that size: 128 sampled rows a bin. */
const QUANTILE_SAMPLE_ROWS = 32_768;

/**
 * Up to this many columns a row's bins lie side by side, so that deep nodes, whose rows are far apart, touch one cache line a
 * row; wider tables are stored column by column, so that shallow nodes do not stride through all of them.
 */
const MOST_COLUMNS_SIDE_BY_SIDE = 127;

/** A present value without infinities, so that every threshold is finite. */
export function clampFinite(value: number): number {
  return value > Number.MAX_VALUE ? Number.MAX_VALUE : value < -Number.MAX_VALUE ? -Number.MAX_VALUE : value;
}

/**
 * Cuts every column into at most `maxBins` bins of about equal weight (exactly one bin a value where a column has no more
 * distinct values than that), with edges midway between neighbouring values, as LightGBM and scikit-learn's
 * HistGradientBoosting do. Rows of weight 0 do not take part.
 * @param maxBins 2 to 255
 */
export function binMatrix(
  x: FeatureMatrix,
  weights: Float64Array | undefined,
  maxBins: number,
  seed: number,
): BinnedMatrix {
  const { rows, columns, values } = x;
  const isByRow = columns <= MOST_COLUMNS_SIDE_BY_SIDE;
  const rowStep = isByRow ? columns + 1 : 1;
  const columnStep = isByRow ? 1 : rows;
  const bins = new Uint8Array(rows * (columns + 1));
  const edges: Float64Array[] = [];
  const isSplittable = new Uint8Array(columns);
  const sample = sampleRows(rows, seed);
  const binned = new Uint8Array(rows);
  for (let column = 0; column < columns; column++) {
    const cells = values.subarray(column * rows, (column + 1) * rows);
    const columnEdges = findEdges(cells, weights, sample, maxBins);
    edges.push(columnEdges);
    assignBins(cells, columnEdges, binned);
    for (let row = 0; row < rows; row++) bins[row * rowStep + column * columnStep] = binned[row]!;
    isSplittable[column] = hasTwoBins(binned) ? 1 : 0;
  }
  return { rows, columns, bins, rowStep, columnStep, edges, isSplittable };
}

function hasTwoBins(binned: Uint8Array): boolean {
  const first = binned[0];
  for (let row = 1; row < binned.length; row++) if (binned[row] !== first) return true;
  return false;
}

/** The rows that quantiles are taken from: all, or one drawn from each of equally long stretches. */
export function sampleRows(rows: number, seed: number): Int32Array {
  if (rows <= QUANTILE_SAMPLE_ROWS) return Int32Array.from({ length: rows }, (_, row) => row);
  const prng = createPrng(seed, 0x62696e73);
  const sample = new Int32Array(QUANTILE_SAMPLE_ROWS);
  const stretch = rows / QUANTILE_SAMPLE_ROWS;
  for (let i = 0; i < sample.length; i++) sample[i] = Math.min(rows - 1, Math.floor((i + prng.next()) * stretch));
  return sample;
}

export function findEdges(
  cells: Float64Array,
  weights: Float64Array | undefined,
  sample: Int32Array,
  maxBins: number,
): Float64Array {
  const few = distinctValues(cells, weights, maxBins);
  if (few) return midpoints(few);
  const drawn = new Float64Array(sample.length);
  let count = 0;
  for (let i = 0; i < sample.length; i++) {
    const row = sample[i]!;
    const value = cells[row]!;
    if (value === value && (!weights || weights[row]! > 0)) drawn[count++] = clampFinite(value);
  }
  if (weights) return quantileEdges(...weightedDistinct(cells, weights, sample, count), maxBins);
  return quantileEdges(...countDistinct(drawn.subarray(0, count).sort()), maxBins);
}

/** The sorted distinct present values, or undefined where there are more than `limit`. */
function distinctValues(
  cells: Float64Array,
  weights: Float64Array | undefined,
  limit: number,
): Float64Array | undefined {
  const seen = new Set<number>();
  for (let row = 0; row < cells.length; row++) {
    const value = cells[row]!;
    if (value !== value || (weights && !(weights[row]! > 0))) continue;
    seen.add(clampFinite(value));
    if (seen.size > limit) return undefined;
  }
  return Float64Array.from(seen).sort();
}

function countDistinct(sorted: Float64Array): [Float64Array, Float64Array] {
  const values = new Float64Array(sorted.length);
  const counts = new Float64Array(sorted.length);
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (i > 0 && sorted[i] === sorted[i - 1]) {
      counts[distinct - 1]!++;
    } else {
      values[distinct] = sorted[i]!;
      counts[distinct++] = 1;
    }
  }
  return [values.subarray(0, distinct), counts.subarray(0, distinct)];
}

function weightedDistinct(
  cells: Float64Array,
  weights: Float64Array,
  sample: Int32Array,
  count: number,
): [Float64Array, Float64Array] {
  const rows = sample
    .filter((row) => cells[row] === cells[row] && weights[row]! > 0)
    .sort((a, b) => cells[a]! - cells[b]! || a - b);
  const values = new Float64Array(count);
  const totals = new Float64Array(count);
  let distinct = 0;
  for (const row of rows) {
    const value = clampFinite(cells[row]!);
    if (distinct === 0 || value !== values[distinct - 1]) {
      values[distinct] = value;
      totals[distinct++] = 0;
    }
    totals[distinct - 1]! += weights[row]!;
  }
  return [values.subarray(0, distinct), totals.subarray(0, distinct)];
}

function midpoint(low: number, high: number): number {
  const middle = low / 2 + high / 2;
  // Rounding may push the middle of two neighbouring doubles onto the upper one, which belongs to the other side.
  return middle >= low && middle < high ? middle : low;
}

function midpoints(values: Float64Array): Float64Array {
  const edges = new Float64Array(Math.max(0, values.length - 1));
  for (let i = 0; i < edges.length; i++) edges[i] = midpoint(values[i]!, values[i + 1]!);
  return edges;
}

/** Closes a bin whenever it holds its share of the weight that is left, so that one heavy value does not starve the others. */
function quantileEdges(values: Float64Array, weights: Float64Array, maxBins: number): Float64Array {
  if (values.length <= maxBins) return midpoints(values);
  const edges = new Float64Array(maxBins - 1);
  let left = 0;
  for (const weight of weights) left += weight;
  let used = 0;
  let inBin = 0;
  let share = left / maxBins;
  for (let i = 0; i + 1 < values.length && used < maxBins - 1; i++) {
    inBin += weights[i]!;
    if (inBin < share) continue;
    edges[used++] = midpoint(values[i]!, values[i + 1]!);
    left -= inBin;
    inBin = 0;
    share = left / (maxBins - used);
  }
  return edges.slice(0, used);
}

/** Writes each value's bin: the count of edges below it, by a binary search without branches. */
export function assignBins(cells: Float64Array, edges: Float64Array, out: Uint8Array): void {
  // Padding to 256 entries makes every search exactly eight steps long.
  const padded = new Float64Array(256).fill(Infinity);
  padded.set(edges);
  for (let row = 0; row < cells.length; row++) {
    const value = cells[row]!;
    if (value !== value) {
      out[row] = MISSING_BIN;
      continue;
    }
    const clamped = clampFinite(value);
    let bin = +(clamped > padded[127]!) << 7;
    bin += +(clamped > padded[bin + 63]!) << 6;
    bin += +(clamped > padded[bin + 31]!) << 5;
    bin += +(clamped > padded[bin + 15]!) << 4;
    bin += +(clamped > padded[bin + 7]!) << 3;
    bin += +(clamped > padded[bin + 3]!) << 2;
    bin += +(clamped > padded[bin + 1]!) << 1;
    bin += +(clamped > padded[bin]!);
    out[row] = bin;
  }
}
