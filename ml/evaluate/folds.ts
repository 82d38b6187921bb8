import { createPrng, shuffle } from '../random/prng.js';
import type { Prng } from '../random/prng.js';

/** How rows are dealt out. */
export interface FoldOptions {
  /** Whole number that the draw follows from. */
  seed: number;
  /** Class numbers (or other values, then tenths of them) whose shares every part should have. */
  labels?: ArrayLike<number>;
  /** Rows of one group always stay together. */
  groups?: ArrayLike<string | number>;
}

/** With more distinct labels than this they are taken as a quantity and cut into tenths. */
const MOST_STRATA = 50;

/**
 * Deals rows into k folds of nearly equal size: stratified where labels are given, in whole groups where groups are.
 * @param n rows, at least k (groups, at least k, where given)
 * @param k folds, 2 to 255
 * @returns per row its fold, 0 to k - 1
 * @throws RangeError where k does not fit
 */
export function assignFolds(n: number, k: number, options: FoldOptions): Uint8Array {
  if (!Number.isInteger(k) || k < 2 || k > 255) throw new RangeError(`the count of folds must be 2 to 255, got ${k}`);
  checkLengths(n, options);
  if (n < k) throw new RangeError(`${n} rows cannot be dealt into ${k} folds: use at most ${n}`);
  const prng = createPrng(options.seed, 0x666f6c64);
  const strata = strataOf(n, options.labels);
  if (options.groups) {
    const groups = groupsOf(options.groups);
    if (groups.length < k)
      throw new RangeError(`${groups.length} groups cannot be dealt into ${k} folds: use at most ${groups.length}`);
    return dealGroups(n, groups, strata, new Float64Array(k).fill(1 / k), prng);
  }
  const folds = new Uint8Array(n);
  // The dealing goes on where the last stratum stopped, so that folds differ by at most one row.
  let next = 0;
  for (const rows of rowsByStratum(strata)) for (const row of shuffle(rows, prng)) folds[row] = next++ % k;
  return folds;
}

/**
 * Chooses the rows of a holdout: 1 = held out, 0 = for training. At least one row (or group) is on each side where there are two.
 * @param fraction wanted share of held-out rows in (0, 1)
 * @throws RangeError for a fraction outside
 */
export function holdoutMask(n: number, fraction: number, options: FoldOptions): Uint8Array {
  if (!(fraction > 0 && fraction < 1))
    throw new RangeError(`the held-out fraction must be between 0 and 1, got ${fraction}`);
  checkLengths(n, options);
  const prng = createPrng(options.seed, 0x686f6c64);
  const strata = strataOf(n, options.labels);
  if (options.groups) {
    return dealGroups(n, groupsOf(options.groups), strata, Float64Array.of(1 - fraction, fraction), prng);
  }
  const mask = new Uint8Array(n);
  const wanted = n < 2 ? 0 : Math.min(n - 1, Math.max(1, Math.round(n * fraction)));
  // Row r of all strata in line is held out where the running total of the fraction passes a whole number there.
  let position = 0;
  for (const rows of rowsByStratum(strata)) {
    for (const row of shuffle(rows, prng)) {
      const before = Math.floor((position * wanted) / n);
      position++;
      mask[row] = Math.floor((position * wanted) / n) > before ? 1 : 0;
    }
  }
  return mask;
}

function checkLengths(n: number, { labels, groups }: FoldOptions): void {
  if (labels && labels.length !== n)
    throw new RangeError(`there are ${n} rows but ${labels.length} labels: give one a row`);
  if (groups && groups.length !== n)
    throw new RangeError(`there are ${n} rows but ${groups.length} groups: give one a row`);
}

/** Numbers the strata 0, 1, … in ascending order of their label; NaN makes its own. */
function strataOf(n: number, labels: ArrayLike<number> | undefined): Int32Array {
  const strata = new Int32Array(n);
  if (!labels) return strata;
  const values = Float64Array.from(labels);
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  if (distinct.length > MOST_STRATA) {
    const order = Int32Array.from(strata.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
    order.forEach((row, rank) => (strata[row] = Math.floor((10 * rank) / n)));
    return strata;
  }
  const numbers = new Map(distinct.map((value, index) => [value, index]));
  return strata.map((_, row) => numbers.get(values[row]!)!);
}

function rowsByStratum(strata: Int32Array): number[][] {
  const lists: number[][] = [];
  strata.forEach((stratum, row) => (lists[stratum] ??= []).push(row));
  return lists.filter((rows) => rows !== undefined);
}

function groupsOf(groups: ArrayLike<string | number>): number[][] {
  const lists = new Map<string | number, number[]>();
  for (let row = 0; row < groups.length; row++) {
    const group = groups[row]!;
    const rows = lists.get(group);
    if (rows) rows.push(row);
    else lists.set(group, [row]);
  }
  return [...lists.values()];
}

/**
 * Deals whole groups, largest first (in random order among equals), each to the part that lacks most of what the group has:
 * the greedy rule of scikit-learn's StratifiedGroupKFold, with a wanted share a part.
 */
function dealGroups(n: number, groups: number[][], strata: Int32Array, shares: Float64Array, prng: Prng): Uint8Array {
  const parts = new Uint8Array(n);
  const strataCount = strata.reduce((most, stratum) => Math.max(most, stratum), 0) + 1;
  const totals = new Float64Array(strataCount);
  for (const stratum of strata) totals[stratum]!++;
  const dealt = Array.from(shares, () => new Float64Array(strataCount));
  const isEmpty = Array.from(shares, () => true);
  const ordered = shuffle([...groups], prng).sort((a, b) => b.length - a.length);
  ordered.forEach((rows, index) => {
    const inGroup = new Map<number, number>();
    for (const row of rows) inGroup.set(strata[row]!, (inGroup.get(strata[row]!) ?? 0) + 1);
    const mustFillEmpty = ordered.length - index <= isEmpty.filter(Boolean).length;
    let best = -1;
    let bestLack = -Infinity;
    for (let part = 0; part < shares.length; part++) {
      if (mustFillEmpty && !isEmpty[part]) continue;
      let lack = 0;
      for (const [stratum, count] of inGroup) {
        lack += (count * (shares[part]! - (dealt[part]![stratum]! + count / 2) / totals[stratum]!)) / shares[part]!;
      }
      if (lack > bestLack) {
        best = part;
        bestLack = lack;
      }
    }
    isEmpty[best] = false;
    for (const [stratum, count] of inGroup) dealt[best]![stratum]! += count;
    for (const row of rows) parts[row] = best;
  });
  return parts;
}
