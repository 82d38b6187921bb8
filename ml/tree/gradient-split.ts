import type { GradientBins } from './gradient-bins.js';
import type { FixedPoint } from './gradient-histogram.js';

/** What bounds a split. */
export interface SplitLimits {
  minSamplesLeaf: number;
  minChildHessian: number;
  l2: number;
  minSplitGain: number;
}

/** Sums over the rows of a node, in whole numbers: see `FixedPoint`. */
export interface NodeSums {
  gradient: number;
  /** Hessians and count in one number. */
  rest: number;
}

/** The answers that a node may give, where monotone columns above it bound them. */
export interface Bounds {
  lower: number;
  upper: number;
}

export interface GradientSplit {
  gain: number;
  column: number;
  /** Of a numeric column: bins up to this one go left. */
  bin: number;
  missingLeft: boolean;
  /** Of a categorical column: a bit a code, 1 = left. */
  codes?: Uint32Array;
  left: NodeSums;
}

/** More categories than this are split by few-against-rest of the sorted list only. */
const MOST_CODES_A_SIDE = 32;
/** Added to a category's hessians before categories are sorted, and to both sides' (as LightGBM's cat_smooth and cat_l2). */
const CATEGORY_SMOOTHING = 10;
const CATEGORY_L2 = 10;
/** Up to so many categories each is tried against all others, without the extra shrinkage. */
const FEW_CATEGORIES = 4;

/** Finds the best split of a node from its histograms. One instance a fit; it is the innermost step but for adding rows. */
export class SplitFinder {
  #best: GradientSplit | undefined;
  #bestGain = 0;
  #gradientScale = 1;
  #hessianScale = 1;
  #countUnit = 1;
  #parentScore = 0;

  constructor(
    private readonly data: GradientBins,
    private readonly limits: SplitLimits,
    private readonly monotone: Int8Array | undefined,
  ) {}

  /** The best split, or undefined where none gains enough. Of equal gains the first column and the lowest bin win. */
  find(
    histogram: Float64Array,
    fixed: FixedPoint,
    sums: NodeSums,
    columns: Int32Array,
    bounds: Bounds,
  ): GradientSplit | undefined {
    this.#best = undefined;
    this.#bestGain = this.limits.minSplitGain;
    this.#gradientScale = 1 / fixed.gradientUnit;
    this.#hessianScale = 1 / fixed.hessianUnit;
    this.#countUnit = fixed.countUnit;
    this.#parentScore = this.#score(sums.gradient, sums.rest, 0, bounds);
    for (const column of columns) {
      if (this.data.isCategorical[column] === 1) this.#scanCodes(histogram, sums, column, bounds);
      else this.#scanBins(histogram, sums, column, bounds);
    }
    return this.#best;
  }

  #scanBins(histogram: Float64Array, sums: NodeSums, column: number, bounds: Bounds): void {
    const { offsets } = this.data;
    const first = offsets[column]!;
    const missing = offsets[column + 1]! - 1;
    const missingGradient = histogram[2 * missing]!;
    const missingRest = histogram[2 * missing + 1]!;
    const isBounded = this.monotone !== undefined;
    let gradient = 0;
    let rest = 0;
    // The last present bin goes right, unless the missing values are what is left over.
    for (let bin = first; bin < missing; bin++) {
      gradient += histogram[2 * bin]!;
      rest += histogram[2 * bin + 1]!;
      if (histogram[2 * bin + 1] === 0) continue;
      if (isBounded) {
        this.#tryBounded(gradient, rest, sums, column, bin - first, false, bounds);
        if (missingRest > 0)
          this.#tryBounded(gradient + missingGradient, rest + missingRest, sums, column, bin - first, true, bounds);
      } else {
        this.#try(gradient, rest, sums, column, bin - first, false);
        if (missingRest > 0) this.#try(gradient + missingGradient, rest + missingRest, sums, column, bin - first, true);
      }
    }
  }

  #try(gradient: number, rest: number, sums: NodeSums, column: number, bin: number, missingLeft: boolean): void {
    const { minSamplesLeaf, minChildHessian, l2 } = this.limits;
    const unit = this.#countUnit;
    const leftHessian = Math.floor(rest / unit);
    if (rest - leftHessian * unit < minSamplesLeaf) return;
    const right = sums.rest - rest;
    const rightHessian = Math.floor(right / unit);
    if (right - rightHessian * unit < minSamplesLeaf) return;
    const hl = leftHessian * this.#hessianScale;
    const hr = rightHessian * this.#hessianScale;
    if (hl < minChildHessian || hr < minChildHessian) return;
    const gl = gradient * this.#gradientScale;
    const gr = (sums.gradient - gradient) * this.#gradientScale;
    const gain = (gl * gl) / (hl + l2) + (gr * gr) / (hr + l2) - this.#parentScore;
    if (gain > this.#bestGain) this.#take(gain, column, bin, missingLeft, gradient, rest);
  }

  #take(gain: number, column: number, bin: number, missingLeft: boolean, gradient: number, rest: number): void {
    this.#bestGain = gain;
    this.#best = { gain, column, bin, missingLeft, left: { gradient, rest } };
  }

  #tryBounded(
    gradient: number,
    rest: number,
    sums: NodeSums,
    column: number,
    bin: number,
    missingLeft: boolean,
    bounds: Bounds,
  ): void {
    if (!this.#isLargeEnough(rest) || !this.#isLargeEnough(sums.rest - rest)) return;
    const direction = this.monotone![column]!;
    const left = this.#answer(gradient, rest, 0, bounds);
    const right = this.#answer(sums.gradient - gradient, sums.rest - rest, 0, bounds);
    if ((direction > 0 && left > right) || (direction < 0 && left < right)) return;
    const gain =
      this.#score(gradient, rest, 0, bounds) +
      this.#score(sums.gradient - gradient, sums.rest - rest, 0, bounds) -
      this.#parentScore;
    if (gain > this.#bestGain) this.#take(gain, column, bin, missingLeft, gradient, rest);
  }

  #isLargeEnough(rest: number): boolean {
    const hessian = Math.floor(rest / this.#countUnit);
    return (
      rest - hessian * this.#countUnit >= this.limits.minSamplesLeaf &&
      hessian * this.#hessianScale >= this.limits.minChildHessian
    );
  }

  /** The answer of least loss within the bounds: a Newton step. */
  #answer(gradient: number, rest: number, extraL2: number, bounds: Bounds): number {
    const hessian = Math.floor(rest / this.#countUnit) * this.#hessianScale;
    const answer = (-gradient * this.#gradientScale) / (hessian + this.limits.l2 + extraL2);
    return Math.min(bounds.upper, Math.max(bounds.lower, answer));
  }

  /** By how much that answer lowers the loss, times two. */
  #score(gradient: number, rest: number, extraL2: number, bounds: Bounds): number {
    const hessian = Math.floor(rest / this.#countUnit) * this.#hessianScale;
    const g = gradient * this.#gradientScale;
    const penalised = hessian + this.limits.l2 + extraL2;
    if (bounds.lower === -Infinity && bounds.upper === Infinity) return penalised > 0 ? (g * g) / penalised : 0;
    const answer = this.#answer(gradient, rest, extraL2, bounds);
    return -(2 * g * answer + penalised * answer * answer);
  }

  /**
   * Categories sorted by their mean gradient: the best two sets are then neighbours in the list (Fisher 1958). Missing values are
   * a category like any other.
   */
  #scanCodes(histogram: Float64Array, sums: NodeSums, column: number, bounds: Bounds): void {
    const { offsets } = this.data;
    const first = offsets[column]!;
    const codes: number[] = [];
    for (let bin = first; bin < offsets[column + 1]!; bin++) {
      if (histogram[2 * bin + 1]! > 0) codes.push(bin - first);
    }
    if (codes.length < 2) return;
    if (codes.length <= FEW_CATEGORIES) {
      for (const code of codes) this.#tryCodes(histogram, sums, column, [code], 0, bounds);
      return;
    }
    const rank = (code: number): number => {
      const hessian = Math.floor(histogram[2 * (first + code) + 1]! / this.#countUnit) * this.#hessianScale;
      return (histogram[2 * (first + code)]! * this.#gradientScale) / (hessian + CATEGORY_SMOOTHING);
    };
    const ranks = new Map(codes.map((code) => [code, rank(code)]));
    codes.sort((a, b) => ranks.get(a)! - ranks.get(b)! || a - b);
    this.#scanSorted(histogram, sums, column, codes, bounds);
    this.#scanSorted(histogram, sums, column, codes.toReversed(), bounds);
  }

  #scanSorted(histogram: Float64Array, sums: NodeSums, column: number, codes: readonly number[], bounds: Bounds): void {
    const most = Math.min(MOST_CODES_A_SIDE, codes.length - 1);
    for (let count = 1; count <= most; count++)
      this.#tryCodes(histogram, sums, column, codes.slice(0, count), CATEGORY_L2, bounds);
  }

  #tryCodes(
    histogram: Float64Array,
    sums: NodeSums,
    column: number,
    codes: readonly number[],
    extraL2: number,
    bounds: Bounds,
  ): void {
    const first = this.data.offsets[column]!;
    let gradient = 0;
    let rest = 0;
    for (const code of codes) {
      gradient += histogram[2 * (first + code)]!;
      rest += histogram[2 * (first + code) + 1]!;
    }
    if (!this.#isLargeEnough(rest) || !this.#isLargeEnough(sums.rest - rest)) return;
    const gain =
      this.#score(gradient, rest, extraL2, bounds) +
      this.#score(sums.gradient - gradient, sums.rest - rest, extraL2, bounds) -
      this.#parentScore;
    if (!(gain > this.#bestGain)) return;
    const missing = this.data.offsets[column + 1]! - 1 - first;
    this.#take(gain, column, 0, codes.includes(missing), gradient, rest);
    this.#best!.codes = codeSet(codes.filter((code) => code !== missing));
  }
}

function codeSet(codes: readonly number[]): Uint32Array {
  const words = new Uint32Array(8);
  for (const code of codes) words[code >> 5]! |= 1 << (code & 31);
  return words;
}

/** Whether a set holds a code. */
export function hasCode(words: Uint32Array, at: number, code: number): boolean {
  return ((words[at + (code >> 5)]! >>> (code & 31)) & 1) === 1;
}
