import { MISSING_BIN } from './binning.js';

/** Bins a column: 0 to 254 for values, 255 for missing. */
export const BINS = 256;

/** Packs a row's weight and weighted 0/1 target into one double, so that a histogram takes one addition a row. */
export const PACK = 67_108_864;

/** Where a learner finds the bins of some rows: `bins[rows[i] * rowStep + offset of the column]`, for i in [start, end). */
export interface BinnedRows {
  readonly bins: Uint8Array;
  readonly rowStep: number;
  readonly rows: Int32Array;
  start: number;
  end: number;
}

/**
 * Adds rows to the histograms of four columns, from the front of `histogram` on: `histogram[slot * 256 + bin] += gradient`.
 * Four at once so that each row is looked up once. A row's gradient is `gradients[code]`, its code stands in a column too,
 * so that it comes with the cache line of the row's bins.
 */
export function addPackedFour(
  histogram: Float64Array,
  data: BinnedRows,
  o0: number,
  o1: number,
  o2: number,
  o3: number,
  codes: number,
  gradients: Float64Array,
): void {
  const { bins, rowStep, rows, start, end } = data;
  for (let i = start; i < end; i++) {
    const at = Math.imul(rows[i]!, rowStep);
    const g = gradients[bins[at + codes]!]!;
    histogram[bins[at + o0]!]! += g;
    histogram[256 + bins[at + o1]!]! += g;
    histogram[512 + bins[at + o2]!]! += g;
    histogram[768 + bins[at + o3]!]! += g;
  }
}

/** The same for one column, into the histogram that begins at `first`. */
export function addPacked(
  histogram: Float64Array,
  first: number,
  data: BinnedRows,
  offset: number,
  codes: number,
  gradients: Float64Array,
): void {
  const { bins, rowStep, rows, start, end } = data;
  for (let i = start; i < end; i++) {
    const at = Math.imul(rows[i]!, rowStep);
    histogram[first + bins[at + offset]!]! += gradients[bins[at + codes]!]!;
  }
}

/**
 * Adds rows to the histograms of several columns with a channel a class:
 * `histogram[(slot * 256 + bin) * classes + class] += weight`.
 * @param offsets of the columns; few at a time, so that their histograms stay in the first-level cache
 */
export function addClasses(
  histogram: Float64Array,
  data: BinnedRows,
  offsets: Int32Array,
  labels: Int32Array,
  classes: number,
  weights: Float64Array,
): void {
  const { bins, rowStep, rows, start, end } = data;
  const count = offsets.length;
  const stride = BINS * classes;
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const at = Math.imul(row, rowStep);
    const weight = weights[row]!;
    let first = labels[row]!;
    for (let slot = 0; slot < count; slot++) {
      histogram[first + Math.imul(bins[at + offsets[slot]!]!, classes)]! += weight;
      first += stride;
    }
  }
}

/** The same with the channels weight and weighted target: `histogram[(slot * 256 + bin) * 2]` and the cell behind it. */
export function addValues(
  histogram: Float64Array,
  data: BinnedRows,
  offsets: Int32Array,
  weightedTargets: Float64Array,
  weights: Float64Array,
): void {
  const { bins, rowStep, rows, start, end } = data;
  const count = offsets.length;
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const at = Math.imul(row, rowStep);
    const weight = weights[row]!;
    const target = weightedTargets[row]!;
    let first = 0;
    for (let slot = 0; slot < count; slot++) {
      const cell = first + 2 * bins[at + offsets[slot]!]!;
      histogram[cell]! += weight;
      histogram[cell + 1]! += target;
      first += 2 * BINS;
    }
  }
}

/** Turns a parent's histogram into one child's by taking the other child's away, cell by cell. */
export function subtractHistogram(parent: Float64Array, child: Float64Array): void {
  for (let i = 0; i < parent.length; i++) parent[i]! -= child[i]!;
}

/**
 * Moves the rows whose bin the table sends left (1) to the front of [start, end), keeping the order on both sides, and
 * returns where the right side begins. Writes to both sides every time, because a branch would be mispredicted half the time.
 * @param leftRows room for at least end - start + 1 numbers, like `rightRows`
 */
export function partitionRows(
  data: BinnedRows,
  offset: number,
  goesLeft: Uint8Array,
  leftRows: Int32Array,
  rightRows: Int32Array,
): number {
  const { bins, rowStep, rows, start, end } = data;
  let left = 0;
  for (let i = 0; i < end - start; i++) {
    const row = rows[start + i]!;
    leftRows[left] = row;
    rightRows[i - left] = row;
    left += goesLeft[bins[Math.imul(row, rowStep) + offset]!]!;
  }
  rows.set(leftRows.subarray(0, left), start);
  rows.set(rightRows.subarray(0, end - start - left), start + left);
  return start + left;
}

/** Fills the table that `partitionRows` reads: 1 for every bin up to `bin`, and for the missing bin as told. */
export function fillDirections(goesLeft: Uint8Array, bin: number, missingLeft: boolean): void {
  goesLeft.fill(0);
  goesLeft.fill(1, 0, bin + 1);
  goesLeft[MISSING_BIN] = missingLeft ? 1 : 0;
}
