import type { GradientPlan } from './gradient-plan.js';
import { BIN_BYTES, FOUND_BYTES } from './gradient-plan.js';

/** What decides whether a split may be made; in the units of the loss. */
export interface SplitRules {
  l2: number;
  minSplitGain: number;
  minChildHessian: number;
  minSamplesLeaf: number;
  /** By column 1, -1 or 0; absent where no column is constrained. */
  monotone?: Int8Array;
}

/** Sums over the rows of a node, in whole units, and the bounds that monotone splits above put on its value. */
export interface NodeSums {
  gradient: number;
  hessian: number;
  count: number;
  lower: number;
  upper: number;
}

/** The rules in whole units of the gradients and hessians of one tree. */
export interface ScanRules {
  l2: number;
  minSplitGain: number;
  minHessian: number;
  minCount: number;
  monotone: Int8Array | undefined;
  /** Units of a hessian in one of the loss. */
  hessianUnit: number;
}

/** A split of one column as `readFound` gives it. */
export interface FoundSplit {
  /** By how much it lowers the loss, in whole units; 0 where there is none. */
  gain: number;
  column: number;
  /** The last bin on the left, of a numeric column. */
  bin: number;
  missingLeft: boolean;
  gradient: number;
  hessian: number;
  count: number;
  /** Bins on the left as 256 bits, of a categorical column. */
  leftBins: Uint32Array | undefined;
}

/* How sets of categories are found, after LightGBM (Ke et al. 2017): rare ones stay out, others are ordered by gradient over
 * smoothed hessian, and only so many may stand on the smaller side. */
const LEAST_CATEGORY_ROWS = 10;
const CATEGORY_SMOOTHING = 10;
const CATEGORY_L2 = 10;
const MOST_CATEGORIES_LEFT = 32;
/** Between two cuts that are tried: 100 rows, in a small node a twentieth of its rows. */
const LEAST_GROUP_ROWS = 100;
const LEAST_GROUP_SHARE = 0.05;
/** So few categories are ordered without smoothing: their statistics are good enough. */
const FEW_CATEGORIES = 4;

/** Twice the loss that the best value within the bounds takes away. */
function gainOf(gradient: number, hessian: number, lower: number, upper: number): number {
  const value = Math.min(upper, Math.max(lower, -gradient / hessian));
  return -(2 * gradient + hessian * value) * value;
}

/** The best value of a node, in whole units of gradient over hessian. */
export function valueOf(node: NodeSums, l2: number): number {
  return Math.min(node.upper, Math.max(node.lower, -node.gradient / (node.hessian + l2)));
}

/** What a split must beat: the node as one leaf. The last digits of the sums are noise. */
export function gainToBeat(node: NodeSums, rules: ScanRules): number {
  return gainOf(node.gradient, node.hessian + rules.l2, node.lower, node.upper) * (1 + 1e-12) + rules.minSplitGain;
}

/** Reads and writes the memory that histograms and found splits lie in. */
export class HistogramReader {
  private readonly words: Int32Array;
  private readonly numbers: Float64Array;
  private readonly occupied = new Int32Array(256);
  private readonly ranks = new Float64Array(256);
  /** The sums of the bin read last. */
  gradient = 0;
  hessian = 0;
  count = 0;

  constructor(
    readonly plan: GradientPlan,
    memory: ArrayBufferLike,
  ) {
    this.words = new Int32Array(memory);
    this.numbers = new Float64Array(memory);
  }

  /** Reads the bin at an address. Both numbers are exact: a gradient has at most 53 bits, a hessian what the count leaves. */
  read(address: number): void {
    const { words, plan } = this;
    const at = address / 4;
    this.gradient = words[at + 1]! * 4294967296 + (words[at]! >>> 0);
    this.count = words[at + 2]! & (2 ** plan.countBits - 1);
    this.hessian = words[at + 3]! * 2 ** (32 - plan.countBits) + (words[at + 2]! >>> plan.countBits);
  }

  /** The sums over all rows, from any column's histogram. */
  total(histogram: number, column: number): NodeSums {
    const { binCounts, hasMissing, histogramOffsets } = this.plan;
    const node = { gradient: 0, hessian: 0, count: 0, lower: -Infinity, upper: Infinity };
    for (let bin = 0; bin < binCounts[column]! + hasMissing[column]!; bin++) {
      this.read(histogram + histogramOffsets[column]! + bin * BIN_BYTES);
      node.gradient += this.gradient;
      node.hessian += this.hessian;
      node.count += this.count;
    }
    return node;
  }

  private foundAt(which: number, column: number): number {
    return this.plan.at.found + (which * this.plan.columns + column) * FOUND_BYTES;
  }

  /** Where the scan kernel writes what it finds for a column. */
  kernelFoundAt(which: number, column: number): number {
    return this.foundAt(which, column);
  }

  writeNothing(which: number, column: number): void {
    this.numbers[this.foundAt(which, column) / 8] = 0;
  }

  /** Writes a split; the sums on its left were read last. */
  private write(which: number, column: number, gain: number, bin: number, missingLeft: boolean): void {
    const at = this.foundAt(which, column) / 8;
    const numbers = this.numbers;
    numbers[at] = gain;
    numbers[at + 1] = bin;
    numbers[at + 2] = missingLeft ? 1 : 0;
    numbers[at + 3] = this.gradient;
    numbers[at + 4] = this.hessian;
    numbers[at + 5] = this.count;
  }

  /** Room for the answer of a second scan, behind the numbers of the first. */
  spareFoundAt(which: number, column: number): number {
    return this.foundAt(which, column) + 48;
  }

  /** Takes over what the kernel found; `side` is where missing values went, -1 where the node has none. @returns its gain */
  takeFromKernel(
    which: number,
    column: number,
    histogram: number,
    node: NodeSums,
    floor: number,
    side: number,
    at = this.foundAt(which, column),
  ): number {
    const address = this.words[at / 4 + 2]! >>> 0;
    const gain = this.numbers[at / 8]!;
    if (address === 0) return 0;
    this.read(at + 16);
    const bin = (address - histogram - this.plan.histogramOffsets[column]!) / BIN_BYTES;
    const isLeft = side < 0 ? 2 * this.count >= node.count : side === 1;
    this.write(which, column, gain - floor, bin, isLeft);
    return gain;
  }

  /** The split that was written for a column, or undefined. */
  readFound(which: number, column: number): FoundSplit | undefined {
    const at = this.foundAt(which, column) / 8;
    const numbers = this.numbers;
    if (!(numbers[at]! > 0)) return undefined;
    const isSet = this.plan.isCategorical[column] === 1;
    return {
      gain: numbers[at]!,
      column,
      bin: numbers[at + 1]!,
      missingLeft: numbers[at + 2] === 1,
      gradient: numbers[at + 3]!,
      hessian: numbers[at + 4]!,
      count: numbers[at + 5]!,
      leftBins: isSet ? new Uint32Array(this.words.slice(at * 2 + 12, at * 2 + 20).buffer) : undefined,
    };
  }

  /** The gain of the split that was written for a column. */
  gainFound(which: number, column: number): number {
    return this.numbers[this.foundAt(which, column) / 8]!;
  }

  /** The scan for numeric columns of models with monotone constraints: values are bounded, and their order is checked. */
  scanBounded(which: number, column: number, histogram: number, node: NodeSums, rules: ScanRules): void {
    const { binCounts, hasMissing, histogramOffsets } = this.plan;
    const first = histogram + histogramOffsets[column]!;
    const bins = binCounts[column]!;
    const floor = gainToBeat(node, rules);
    let best = floor;
    this.writeNothing(which, column);
    let [missingGradient, missingHessian, missingCount] = [0, 0, 0];
    if (hasMissing[column] === 1) {
      this.read(first + bins * BIN_BYTES);
      [missingGradient, missingHessian, missingCount] = [this.gradient, this.hessian, this.count];
    }
    for (let side = missingCount > 0 ? 1 : 0; side >= 0; side--) {
      let [gradient, hessian, count] = side === 1 ? [missingGradient, missingHessian, missingCount] : [0, 0, 0];
      for (let bin = 0; bin < (side === 0 && missingCount > 0 ? bins : bins - 1); bin++) {
        this.read(first + bin * BIN_BYTES);
        gradient += this.gradient;
        hessian += this.hessian;
        count += this.count;
        const gain = this.gainOfParts(column, gradient, hessian, count, node, rules, rules.l2);
        if (!(gain > best)) continue;
        best = gain;
        [this.gradient, this.hessian, this.count] = [gradient, hessian, count];
        const isLeft = missingCount > 0 ? side === 1 : 2 * count >= node.count;
        this.write(which, column, gain - floor, bin, isLeft);
      }
    }
  }

  /** The gain with these sums on the left, or NaN where the rules forbid it. */
  private gainOfParts(
    column: number,
    gradient: number,
    hessian: number,
    count: number,
    node: NodeSums,
    rules: ScanRules,
    l2: number,
  ): number {
    const restHessian = node.hessian - hessian;
    if (count < rules.minCount || node.count - count < rules.minCount) return NaN;
    if (hessian < rules.minHessian || restHessian < rules.minHessian) return NaN;
    const rest = node.gradient - gradient;
    const direction = rules.monotone?.[column] ?? 0;
    if (direction !== 0) {
      const left = Math.min(node.upper, Math.max(node.lower, -gradient / (hessian + l2)));
      const right = Math.min(node.upper, Math.max(node.lower, -rest / (restHessian + l2)));
      if ((right - left) * direction < 0) return NaN;
    }
    return (
      gainOf(gradient, hessian + l2, node.lower, node.upper) + gainOf(rest, restHessian + l2, node.lower, node.upper)
    );
  }

  /**
   * Finds the best set of categories: of all sets, the best one is a run at either end of the categories ordered by gradient
   * over hessian (Fisher 1958). The missing values take part as one more category.
   */
  scanCategories(which: number, column: number, histogram: number, node: NodeSums, rules: ScanRules): void {
    const { binCounts, hasMissing, histogramOffsets } = this.plan;
    const first = histogram + histogramOffsets[column]!;
    const bins = binCounts[column]! + hasMissing[column]!;
    this.writeNothing(which, column);
    let present = 0;
    for (let bin = 0; bin < bins; bin++) {
      this.read(first + bin * BIN_BYTES);
      if (this.count > 0) this.occupied[present++] = bin;
    }
    const isFew = present <= FEW_CATEGORIES;
    const smoothing = isFew ? 0 : CATEGORY_SMOOTHING * rules.hessianUnit;
    let used = 0;
    for (let i = 0; i < present; i++) {
      const bin = this.occupied[i]!;
      this.read(first + bin * BIN_BYTES);
      if (!isFew && this.count < LEAST_CATEGORY_ROWS) continue;
      this.ranks[bin] = this.gradient / (this.hessian + smoothing);
      this.occupied[used++] = bin;
    }
    const order = this.occupied.slice(0, used).sort((a, b) => this.ranks[a]! - this.ranks[b]! || a - b);
    const floor = gainToBeat(node, rules);
    const l2 = rules.l2 + (isFew ? 0 : CATEGORY_L2 * rules.hessianUnit);
    const most = isFew ? used : Math.min(MOST_CATEGORIES_LEFT, (used + 1) >> 1);
    const forward = this.scanRun(first, order, most, node, rules, l2, isFew, column, floor);
    const backward = this.scanRun(
      first,
      order.reverse(),
      most,
      node,
      rules,
      l2,
      isFew,
      column,
      Math.max(floor, forward.gain),
    );
    if (backward.length > 0) this.writeSet(which, column, first, order, backward.length, backward.gain - floor, node);
    else if (forward.length > 0)
      this.writeSet(which, column, first, order.reverse(), forward.length, forward.gain - floor, node);
  }

  private scanRun(
    first: number,
    order: Int32Array,
    most: number,
    node: NodeSums,
    rules: ScanRules,
    l2: number,
    isFew: boolean,
    column: number,
    floor: number,
  ): { gain: number; length: number } {
    let [gradient, hessian, count, inGroup] = [0, 0, 0, 0];
    const leastGroup = Math.min(LEAST_GROUP_ROWS, LEAST_GROUP_SHARE * node.count);
    let best = floor;
    let length = 0;
    for (let i = 0; i < Math.min(most, order.length); i++) {
      this.read(first + order[i]! * BIN_BYTES);
      gradient += this.gradient;
      hessian += this.hessian;
      count += this.count;
      inGroup += this.count;
      if (!isFew && (inGroup < leastGroup || node.count - count < leastGroup)) continue;
      const gain = this.gainOfParts(column, gradient, hessian, count, node, rules, l2);
      inGroup = gain >= 0 || gain < 0 ? 0 : inGroup;
      if (gain > best) {
        best = gain;
        length = i + 1;
      }
    }
    return { gain: best, length };
  }

  private writeSet(
    which: number,
    column: number,
    first: number,
    order: Int32Array,
    length: number,
    gain: number,
    node: NodeSums,
  ): void {
    const { binCounts, hasMissing } = this.plan;
    const bins = binCounts[column]!;
    let [gradient, hessian, count] = [0, 0, 0];
    const side = new Uint8Array(256);
    for (let i = 0; i < length; i++) {
      this.read(first + order[i]! * BIN_BYTES);
      gradient += this.gradient;
      hessian += this.hessian;
      count += this.count;
      side[order[i]!] = 1;
    }
    let missingCount = 0;
    if (hasMissing[column] === 1) {
      this.read(first + bins * BIN_BYTES);
      missingCount = this.count;
    }
    const missingLeft = missingCount > 0 ? side[bins] === 1 : 2 * count >= node.count;
    const at = this.foundAt(which, column) / 4 + 12;
    this.words.fill(0, at, at + 8);
    for (let bin = 0; bin < 256; bin++) {
      if (bin < bins) this.read(first + bin * BIN_BYTES);
      // A category that no row here has goes where missing values go; a rare one stays on the right, where it was counted.
      const isAbsent = bin >= bins || this.count === 0;
      if (isAbsent ? missingLeft : side[bin] === 1) this.words[at + (bin >> 5)]! |= 1 << (bin & 31);
    }
    [this.gradient, this.hessian, this.count] = [gradient, hessian, count];
    this.write(which, column, gain, -1, missingLeft);
  }
}
