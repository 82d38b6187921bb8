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

/** How the rows of a holdout are chosen. */
export interface HoldoutOptions {
  /**
   * A number for each row, evenly spread over all rows and always the same for the same row, such as a hash. Rows with the same number stay
   * together, and those with the smallest are held out: so a row that is held out of one table is, but for few at the border, held out
   * of every later table that has it, too.
   */
  units: ArrayLike<number>;
  /** As of `FoldOptions`. */
  labels?: ArrayLike<number>;
}

/**
 * Chooses the rows of a holdout: 1 = held out, 0 = for training. At least one unit is on each side where there are two.
 * @param fraction wanted share of held-out rows in (0, 1)
 * @throws RangeError for a fraction outside
 */
export function holdoutMask(n: number, fraction: number, { units, labels }: HoldoutOptions): Uint8Array {
  if (!(fraction > 0 && fraction < 1))
    throw new RangeError(`the held-out fraction must be between 0 and 1, got ${fraction}`);
  checkLengths(n, { labels, groups: units });
  const strata = strataOf(n, labels);
  const mask = new Uint8Array(n);
  const all = groupsOf(units).toSorted((a, b) => units[a[0]!]! - units[b[0]!]!);
  let heldUnits = 0;
  for (const ofStratum of byStratum(all, strata)) {
    const wanted = fraction * ofStratum.reduce((sum, rows) => sum + rows.length, 0);
    let held = 0;
    for (const rows of ofStratum) {
      // A unit that is larger than what is still wanted would take the training's place.
      if (held + rows.length / 2 > wanted) continue;
      held += rows.length;
      heldUnits++;
      for (const row of rows) mask[row] = 1;
    }
  }
  if (all.length < 2) return mask.fill(0);
  if (heldUnits === 0) for (const row of all[0]!) mask[row] = 1;
  if (heldUnits === all.length) for (const row of all.at(-1)!) mask[row] = 0;
  return mask;
}

/** Units by the stratum that most of their rows have. */
function byStratum(units: readonly number[][], strata: Int32Array): number[][][] {
  const lists: number[][][] = [];
  for (const rows of units) {
    const counts = new Map<number, number>();
    for (const row of rows) counts.set(strata[row]!, (counts.get(strata[row]!) ?? 0) + 1);
    const [stratum] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most));
    (lists[stratum] ??= []).push(rows);
  }
  return lists.filter((list) => list !== undefined);
}

function checkLengths(n: number, { labels, groups }: Pick<FoldOptions, 'labels' | 'groups'>): void {
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
