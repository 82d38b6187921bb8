import { MISSING_BIN } from './binning.js';

/** Bins a column: 0 to 254 for values, 255 for missing. */
export const BINS = 256;

/** Packs a row's weight and weighted 0/1 target into one double, so that a histogram takes one addition a row. */
export const PACK = 67_108_864;

/**
 * Adds rows to the histograms of four columns at once: `histogram[slot * 256 + bin] += gradients[row]`.
 * Four at once so that each row number and its gradient are read once.
 */
export function addPackedFour(
  histogram: Float64Array,
  bins: Uint8Array,
  columns: readonly [number, number, number, number],
  rowCount: number,
  gradients: Float64Array,
  rows: Int32Array,
  start: number,
  end: number,
): void {
  const c0 = columns[0] * rowCount;
  const c1 = columns[1] * rowCount;
  const c2 = columns[2] * rowCount;
  const c3 = columns[3] * rowCount;
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const g = gradients[row]!;
    histogram[bins[c0 + row]!]! += g;
    histogram[256 + bins[c1 + row]!]! += g;
    histogram[512 + bins[c2 + row]!]! += g;
    histogram[768 + bins[c3 + row]!]! += g;
  }
}

/** The same for one column, into the histogram that begins at `at`. */
export function addPacked(
  histogram: Float64Array,
  at: number,
  bins: Uint8Array,
  offset: number,
  gradients: Float64Array,
  rows: Int32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    histogram[at + bins[offset + row]!]! += gradients[row]!;
  }
}

/** Adds rows to the histogram of one column with a channel a class: `histogram[at + bin * classes + class] += weight`. */
export function addClasses(
  histogram: Float64Array,
  at: number,
  bins: Uint8Array,
  offset: number,
  labels: Int32Array,
  classes: number,
  weights: Float64Array,
  rows: Int32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    histogram[at + bins[offset + row]! * classes + labels[row]!]! += weights[row]!;
  }
}

/** Adds rows to the histogram of one column with the channels weight and weighted target. */
export function addValues(
  histogram: Float64Array,
  at: number,
  bins: Uint8Array,
  offset: number,
  weightedTargets: Float64Array,
  weights: Float64Array,
  rows: Int32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const cell = at + 2 * bins[offset + row]!;
    histogram[cell]! += weights[row]!;
    histogram[cell + 1]! += weightedTargets[row]!;
  }
}

/** Turns a parent's histogram into one child's by taking the other child's away, cell by cell. */
export function subtractHistogram(parent: Float64Array, child: Float64Array): void {
  for (let i = 0; i < parent.length; i++) parent[i]! -= child[i]!;
}

/**
 * Moves the rows whose bin the table sends left (1) to the front of [start, end), keeping the order on both sides, and
 * returns where the right side begins. Writes to both sides every time, because a branch would be mispredicted half the time.
 * @param scratch room for at least end - start numbers
 */
export function partitionRows(
  rows: Int32Array,
  start: number,
  end: number,
  bins: Uint8Array,
  offset: number,
  goesLeft: Uint8Array,
  scratch: Int32Array,
): number {
  let left = start;
  let right = 0;
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const go = goesLeft[bins[offset + row]!]!;
    rows[left] = row;
    scratch[right] = row;
    left += go;
    right += 1 - go;
  }
  rows.set(scratch.subarray(0, right), left);
  return left;
}

/** Fills the table that `partitionRows` reads: 1 for every bin up to `bin`, and for the missing bin as told. */
export function fillDirections(goesLeft: Uint8Array, bin: number, missingLeft: boolean): void {
  goesLeft.fill(0);
  goesLeft.fill(1, 0, bin + 1);
  goesLeft[MISSING_BIN] = missingLeft ? 1 : 0;
}
