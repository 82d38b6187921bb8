import type { GradientBins } from './gradient-bins.js';

/**
 * The derivatives of one tree as whole numbers in doubles, so that every sum is exact: it does not matter in which order, or on
 * how many threads, rows are added, and a parent minus a child is the other child to the bit.
 * `pairs[2 * row]` is the gradient × `gradientUnit`; `pairs[2 * row + 1]` is the hessian × `hessianUnit` × `countUnit` + the count.
 */
export interface FixedPoint {
  readonly pairs: Float64Array;
  readonly gradientUnit: number;
  readonly hessianUnit: number;
  /** A power of two above the count of all rows. */
  readonly countUnit: number;
}

const EXACT_BITS = 52;

/**
 * Rounds derivatives to whole numbers, as finely as sums over all rows stay below 2^52. With a total weight of 100,000 that are
 * 35 bits for a gradient and 18 for a hessian.
 * @param weights of the rows; whole numbers count as that many rows
 */
export function toFixedPoint(
  gradients: Float64Array,
  hessians: Float64Array,
  weights: Float64Array,
  areWeightsWhole: boolean,
  pairs: Float64Array,
): FixedPoint {
  const rows = gradients.length;
  let most = 0;
  let mostHessian = 0;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    most = Math.max(most, Math.abs(gradients[row]!));
    mostHessian = Math.max(mostHessian, hessians[row]!);
    total += weights[row]!;
  }
  const whole = areWeightsWhole ? total : Math.max(total, rows);
  const countBits = Math.ceil(Math.log2(whole + 1)) + 1;
  const countUnit = 2 ** countBits;
  const gradientUnit = unitFor(most, whole, EXACT_BITS);
  const hessianUnit = unitFor(mostHessian, whole, EXACT_BITS - countBits);
  for (let row = 0; row < rows; row++) {
    const weight = weights[row]!;
    const count = areWeightsWhole ? weight : weight > 0 ? 1 : 0;
    // Rounded before it is weighted: a weight of 2 then counts exactly as the row given twice.
    const gradient = Math.round(gradients[row]! * gradientUnit) * weight;
    const hessian = Math.round(hessians[row]! * hessianUnit) * weight;
    pairs[2 * row] = areWeightsWhole ? gradient : Math.round(gradient);
    pairs[2 * row + 1] = (areWeightsWhole ? hessian : Math.round(hessian)) * countUnit + count;
  }
  return { pairs, gradientUnit, hessianUnit, countUnit };
}

/** The largest power of two by which `most` can be multiplied so that a sum of `total` of them has at most `bits` bits. */
function unitFor(most: number, total: number, bits: number): number {
  return most > 0 ? 2 ** Math.floor(bits - 1 - Math.log2(most) - Math.log2(Math.max(1, total))) : 1;
}

/**
 * Adds rows to histograms: `histogram[2 * bin]` sums gradients, `[2 * bin + 1]` hessians with counts.
 * Four columns at a time, so that what is written to stays in the first-level cache.
 * @param rows row numbers; those from `start` to `end` are added
 * @param ordered room for 2 numbers a row: the pairs in the order of `rows`
 * @param columns the columns to look at
 */
export function addRows(
  data: GradientBins,
  pairs: Float64Array,
  rows: Uint32Array,
  start: number,
  end: number,
  ordered: Float64Array,
  columns: Int32Array,
  histogram: Float64Array,
): void {
  const { bins, offsets, columns: step } = data;
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    ordered[2 * i] = pairs[2 * row]!;
    ordered[2 * i + 1] = pairs[2 * row + 1]!;
  }
  let c = 0;
  for (; c + 4 <= columns.length; c += 4) {
    addFour(bins, step, rows, start, end, ordered, columns, c, offsets, histogram);
  }
  for (; c < columns.length; c++) {
    const column = columns[c]!;
    const offset = offsets[column]!;
    for (let i = start; i < end; i++) {
      const at = (offset + bins[rows[i]! * step + column]!) << 1;
      histogram[at]! += ordered[2 * i]!;
      histogram[at + 1]! += ordered[2 * i + 1]!;
    }
  }
}

function addFour(
  bins: Uint8Array,
  step: number,
  rows: Uint32Array,
  start: number,
  end: number,
  ordered: Float64Array,
  columns: Int32Array,
  c: number,
  offsets: Int32Array,
  histogram: Float64Array,
): void {
  const c0 = columns[c]!;
  const c1 = columns[c + 1]! - c0;
  const c2 = columns[c + 2]! - c0;
  const c3 = columns[c + 3]! - c0;
  const o0 = offsets[columns[c]!]!;
  const o1 = offsets[columns[c + 1]!]!;
  const o2 = offsets[columns[c + 2]!]!;
  const o3 = offsets[columns[c + 3]!]!;
  for (let i = start; i < end; i++) {
    const base = rows[i]! * step + c0;
    const gradient = ordered[2 * i]!;
    const rest = ordered[2 * i + 1]!;
    const a = (o0 + bins[base]!) << 1;
    const b = (o1 + bins[base + c1]!) << 1;
    const d = (o2 + bins[base + c2]!) << 1;
    const e = (o3 + bins[base + c3]!) << 1;
    histogram[a]! += gradient;
    histogram[a + 1]! += rest;
    histogram[b]! += gradient;
    histogram[b + 1]! += rest;
    histogram[d]! += gradient;
    histogram[d + 1]! += rest;
    histogram[e]! += gradient;
    histogram[e + 1]! += rest;
  }
}

/** Turns the histogram of a parent into that of the other child. */
export function subtractHistogram(parent: Float64Array, child: Float64Array): void {
  for (let i = 0; i < parent.length; i++) parent[i]! -= child[i]!;
}
