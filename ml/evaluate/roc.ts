import { normalQuantile } from './normal-quantile.js';
import type { Interval } from './bootstrap.js';

/** Ranks from 1, tied values sharing the mean of theirs. */
export function midRanks(values: Float64Array): Float64Array {
  const order = sortedOrder(values);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

/** Row numbers by ascending value; equal values keep their order. */
export function sortedOrder(values: Float64Array): Int32Array {
  return Int32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
}

/** An area under the ROC curve with what its variance needs. */
export interface RocArea {
  /** Chance that a random positive row scores above a random negative one, ties counting half; NaN without both kinds. */
  area: number;
  /** Per row its part in the variance: Var(area) = Σ influence². */
  influence: Float64Array;
}

/**
 * The area and DeLong's structural components by mid-ranks in O(n log n): DeLong, DeLong and Clarke-Pearson (1988),
 * Sun and Xu (2014).
 * @param scores higher = more likely positive
 * @param isPositive per row 1 or 0
 */
export function rocArea(scores: Float64Array, isPositive: Uint8Array): RocArea {
  const n = scores.length;
  let positives = 0;
  for (let row = 0; row < n; row++) positives += isPositive[row]!;
  const negatives = n - positives;
  const influence = new Float64Array(n);
  if (positives === 0 || negatives === 0) return { area: NaN, influence };
  const all = midRanks(scores);
  const own = ranksWithinKinds(scores, isPositive);
  let sum = 0;
  for (let row = 0; row < n; row++) if (isPositive[row] === 1) sum += all[row]!;
  const area = (sum - (positives * (positives + 1)) / 2) / (positives * negatives);
  const positiveScale = Math.sqrt(positives * Math.max(1, positives - 1));
  const negativeScale = Math.sqrt(negatives * Math.max(1, negatives - 1));
  for (let row = 0; row < n; row++) {
    const others = all[row]! - own[row]!;
    influence[row] =
      isPositive[row] === 1
        ? (others / negatives - area) / positiveScale
        : (1 - others / positives - area) / negativeScale;
  }
  return { area, influence };
}

function ranksWithinKinds(scores: Float64Array, isPositive: Uint8Array): Float64Array {
  const ranks = new Float64Array(scores.length);
  for (const kind of [0, 1]) {
    const rows = Int32Array.from(scores.keys()).filter((row) => isPositive[row] === kind);
    const kindRanks = midRanks(Float64Array.from(rows, (row) => scores[row]!));
    rows.forEach((row, i) => (ranks[row] = kindRanks[i]!));
  }
  return ranks;
}

/**
 * DeLong's interval, taken on the logit scale, where it stays inside [0, 1] and covers better near its ends
 * (Qin and Hotilovac 2008). An area of 0 or 1 has no estimated variance; Wilson's interval of the rarer kind's count is taken.
 * @param rarest rows of the rarer kind
 */
export function delongInterval(area: number, influence: Float64Array, rarest: number, level: number): Interval {
  const z = normalQuantile((1 + level) / 2);
  let variance = 0;
  for (const part of influence) variance += part * part;
  if (area <= 0 || area >= 1 || variance === 0) return wilsonInterval(area * rarest, rarest, level);
  const logit = Math.log(area / (1 - area));
  const half = (z * Math.sqrt(variance)) / (area * (1 - area));
  return { lower: 1 / (1 + Math.exp(half - logit)), upper: 1 / (1 + Math.exp(-half - logit)) };
}

/** Wilson's score interval of a share (1927): holds its level for few rows and for shares near 0 and 1. */
export function wilsonInterval(successes: number, n: number, level: number): Interval {
  const z = normalQuantile((1 + level) / 2);
  const share = successes / n;
  const centre = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { lower: Math.max(0, Math.min(share, centre - half)), upper: Math.min(1, Math.max(share, centre + half)) };
}
