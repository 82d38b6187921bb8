import { MISSING_BIN } from './binning.js';
import { PACK } from './histogram.js';

/** The best way found so far to part the rows of one node; reused from node to node. */
export interface SplitChoice {
  /** Larger is better; -1 while nothing was found. Comparable only within one node. */
  score: number;
  /** Column to part by, or -1. */
  feature: number;
  /** Present values in this bin or a lower one go left. */
  bin: number;
  /** True where only missing values go right: no present value can tell the sides apart. */
  isMissingOnly: boolean;
  /** 1 where missing values go left, 0 where they go right, -1 where the node had none. */
  missingLeft: number;
  /** Sample weight and weighted target of the left side; NaN where the scan cannot tell them exactly. */
  leftCount: number;
  leftTarget: number;
}

/** What a scan needs to know about the node it looks at. */
export interface NodeTotals {
  /** Sum of the sample weights, before class weights. */
  count: number;
  /** Sum of the weights that impurity and cover are measured in (sample weight times class weight). */
  weight: number;
  /** True where no split could make the node purer. */
  isPure: boolean;
  /** Per channel of the histogram: the sum over the node. */
  sums: Float64Array;
}

/** Empties a choice before the next node. */
export function clearChoice(choice: SplitChoice): void {
  choice.score = -1;
  choice.feature = -1;
}

function record(
  choice: SplitChoice,
  score: number,
  feature: number,
  low: number,
  high: number,
  missingLeft: number,
): void {
  choice.score = score;
  choice.feature = feature;
  // Between two occupied bins every cut parts the node alike; the middle one generalises best.
  choice.bin = (low + high - 1) >> 1;
  choice.isMissingOnly = high > 255;
  choice.missingLeft = missingLeft;
  choice.leftCount = NaN;
}

/** The other half of `record`: a cut after the last occupied bin leaves only missing values on the right. */
const AFTER_LAST = 256;

/**
 * Looks for the best cut of one column by a two-channel criterion: weight and weighted target. The score is the
 * between-sides sum of squares (l·T − L·t)² / (l·(W − l)), which orders cuts by variance reduction and, for a target of
 * 0 and 1, by Gini reduction (Breiman et al. 1984). Bins hold (sample weight, sample weight × target); `weight0` and
 * `weight1` are the class weights of targets 0 and 1 (1 and 1 for regression).
 * @param occupied ascending numbers of the bins that hold rows, without the missing bin
 * @param low per occupied bin its sample weight, and `high` its weighted target
 */
export function scanTwoChannels(
  choice: SplitChoice,
  feature: number,
  bins: {
    occupied: Uint8Array;
    count: number;
    low: Float64Array;
    high: Float64Array;
    missingLow: number;
    missingHigh: number;
  },
  totals: NodeTotals,
  weight0: number,
  weight1: number,
  minLeaf: number,
): void {
  const { occupied, count, low, high } = bins;
  const target = totals.sums[1]! * weight1;
  const all = totals.weight;
  const rows = totals.count;
  const least = Math.max(minLeaf, rows * 1e-9);
  const hasMissing = bins.missingLow > 0;
  const both = weight1 - weight0;
  let best = choice.score;
  for (let side = 0; side <= (hasMissing ? 1 : 0); side++) {
    let n = side === 1 ? bins.missingLow : 0;
    let p = side === 1 ? bins.missingHigh : 0;
    const missingLeft = hasMissing ? side : -1;
    const end = side === 0 && hasMissing ? count + 1 : count;
    let previous = -1;
    for (let k = 0; k < end; k++) {
      if (k > 0 && n >= least && rows - n >= least) {
        const l = weight0 * n + both * p;
        const between = weight1 * p * all - l * target;
        const spread = l * (all - l);
        if (between * between > best * spread) {
          best = (between * between) / spread;
          record(choice, best, feature, previous, k < count ? occupied[k]! : AFTER_LAST, missingLeft);
        }
      }
      if (k === count) break;
      previous = occupied[k]!;
      n += low[k]!;
      p += high[k]!;
    }
  }
}

/**
 * The same for two classes and packed bins (sample weight + 2^26 × positives), all whole numbers and so exact. Empties the
 * histogram on the way where asked to.
 * @param first where the column's histogram begins
 * @param last its highest bin of present values
 * @returns false where the column is constant in this node
 */
export function scanPacked(
  choice: SplitChoice,
  feature: number,
  histogram: Float64Array,
  first: number,
  last: number,
  isEmptied: boolean,
  totals: NodeTotals,
  weight0: number,
  weight1: number,
  minLeaf: number,
): boolean {
  let count = 0;
  for (let bin = 0; bin <= last; bin++) {
    const packed = histogram[first + bin]!;
    occupiedBins[count] = bin;
    occupiedSums[count] = packed;
    count += +(packed !== 0);
  }
  const missing = histogram[first + MISSING_BIN]!;
  if (isEmptied) {
    histogram.fill(0, first, first + last + 1);
    histogram[first + MISSING_BIN] = 0;
  }
  if (count + +(missing > 0) < 2) return false;
  scanPackedSide(choice, feature, count, missing > 0 ? 0 : -1, 0, totals, weight0, weight1, minLeaf);
  if (missing > 0) scanPackedSide(choice, feature, count, 1, missing, totals, weight0, weight1, minLeaf);
  return true;
}

const occupiedBins = new Uint8Array(256);
const occupiedSums = new Float64Array(256);
const UNPACK = 1 / PACK;

/** Tries all cuts with the missing rows right (0) or left (1), or without any (-1). */
function scanPackedSide(
  choice: SplitChoice,
  feature: number,
  count: number,
  missingLeft: number,
  missing: number,
  totals: NodeTotals,
  weight0: number,
  weight1: number,
  minLeaf: number,
): void {
  const rows = totals.count;
  const all = totals.weight;
  const target = totals.sums[1]! * weight1;
  const both = weight1 - weight0;
  const end = missingLeft === 0 ? count + 1 : count;
  let best = choice.score;
  let bestAt = -1;
  let bestSum = 0;
  let sum = missing;
  for (let k = 1; k < end; k++) {
    sum += occupiedSums[k - 1]!;
    const p = Math.floor(sum * UNPACK);
    const n = sum - p * PACK;
    const l = weight0 * n + both * p;
    const between = weight1 * p * all - l * target;
    const spread = l * (all - l);
    if (between * between > best * spread && n >= minLeaf && rows - n >= minLeaf) {
      best = (between * between) / spread;
      bestAt = k;
      bestSum = sum;
    }
  }
  if (bestAt < 0) return;
  record(
    choice,
    best,
    feature,
    occupiedBins[bestAt - 1]!,
    bestAt < count ? occupiedBins[bestAt]! : AFTER_LAST,
    missingLeft,
  );
  choice.leftTarget = Math.floor(bestSum * UNPACK);
  choice.leftCount = bestSum - choice.leftTarget * PACK;
}

/**
 * The same for any number of classes: the score is Σ L²/l + Σ R²/r, which orders cuts by Gini reduction.
 * @param perClass the weights of the occupied bins, `perClass[k * classes + class]`
 * @param missing per class the weight of the rows without a value
 */
export function scanClasses(
  choice: SplitChoice,
  feature: number,
  bins: { occupied: Uint8Array; count: number; perClass: Float64Array; missing: Float64Array },
  totals: NodeTotals,
  classWeights: Float64Array,
  minLeaf: number,
  left: Float64Array,
): void {
  const classes = classWeights.length;
  const { occupied, count, perClass, missing } = bins;
  let missingCount = 0;
  for (let c = 0; c < classes; c++) missingCount += missing[c]!;
  const hasMissing = missingCount > 0;
  const least = Math.max(minLeaf, totals.count * 1e-9);
  for (let side = 0; side <= (hasMissing ? 1 : 0); side++) {
    left.fill(0);
    let n = 0;
    if (side === 1) {
      left.set(missing);
      n = missingCount;
    }
    const end = side === 0 && hasMissing ? count + 1 : count;
    let previous = -1;
    for (let k = 0; k < end; k++) {
      if (k > 0 && n >= least && totals.count - n >= least) {
        const score = giniScore(left, totals, classWeights);
        if (score > choice.score) {
          record(choice, score, feature, previous, k < count ? occupied[k]! : AFTER_LAST, hasMissing ? side : -1);
        }
      }
      if (k === count) break;
      previous = occupied[k]!;
      for (let c = 0; c < classes; c++) {
        const w = perClass[k * classes + c]!;
        left[c]! += w;
        n += w;
      }
    }
  }
}

function giniScore(left: Float64Array, totals: NodeTotals, classWeights: Float64Array): number {
  let leftWeight = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  for (let c = 0; c < classWeights.length; c++) {
    const factor = classWeights[c]!;
    const l = left[c]! * factor;
    const r = totals.sums[c]! * factor - l;
    leftWeight += l;
    leftSquares += l * l;
    rightSquares += r * r;
  }
  return leftSquares / leftWeight + rightSquares / (totals.weight - leftWeight);
}
