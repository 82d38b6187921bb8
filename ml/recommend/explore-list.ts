import type { Prng } from '../random/prng.js';

/** How much of a list is given to chance. */
export interface Exploration {
  /** Chance of each place to hold an item that was drawn, 0 to 1; 0.05 is usual. */
  share: number;
  /** Of the answer alone: the same draws give the same list. */
  prng: Prng;
}

/** A place of a list, with the chance that it had of holding this very item. */
export interface ExploredPlace {
  item: number;
  /** Above 0 to 1: what a reward has to be divided by for estimates of other lists (see `exploreList`). */
  propensity: number;
  isExplored: boolean;
}

/**
 * Gives each place of a list, with the chance `share`, to an item drawn from all others that may be in it, each as likely; no item
 * comes twice. The place's own item has the propensity `1 - share`, each of the n others `share / n`, exactly. So the mean over
 * answers of `reward / propensity`, taken where a place holds what another list would have put there, is without bias what that
 * list would have earned (inverse propensity scoring: Horvitz and Thompson 1952; Li, Chu, Langford and Wang 2011), given that
 * the reward of a place does not depend on the others.
 * @param list items in the order of the places
 * @param scores one a item; those of -Infinity are never drawn
 * @throws RangeError for a share outside 0 to 1
 */
export function exploreList(
  list: readonly number[],
  scores: Float64Array,
  { share, prng }: Exploration,
): ExploredPlace[] {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`the share of exploration must be from 0 to 1, got ${share}`);
  const isListed = new Set(list);
  const others: number[] = [];
  if (share > 0) scores.forEach((score, item) => score > -Infinity && !isListed.has(item) && others.push(item));
  const count = others.length;
  // Where fewer items are left than places, only the last places explore: each needs an item of its own.
  const first = list.length - Math.min(list.length, count);
  return list.map((item, place) => {
    if (share === 0 || place < first) return { item, propensity: 1, isExplored: false };
    const taken = place - first;
    const drawn = taken + prng.nextInt(count - taken);
    [others[taken], others[drawn]] = [others[drawn]!, others[taken]!];
    if (prng.next() >= share) return { item, propensity: 1 - share, isExplored: false };
    return { item: others[taken]!, propensity: share / count, isExplored: true };
  });
}
