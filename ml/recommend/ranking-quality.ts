/** How far down lists of 10 are looked at. */
export const LIST_LENGTH = 10;

/**
 * Places before an item in the order of the scores, 0 for the best. Equal scores share their places, or a model that gives
 * everything the same score would win.
 */
export function rankOf(target: number, scores: Float64Array): number {
  const wanted = scores[target]!;
  let before = 0;
  let equal = 0;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > wanted) before++;
    else if (scores[i] === wanted) equal++;
  }
  return before + (equal - 1) / 2;
}

/** 1 where the item is among the first ten. */
export function recallAt10(rank: number): number {
  return rank < LIST_LENGTH ? 1 : 0;
}

/** `1 / log2(rank + 2)` among the first ten, else 0: the normalised discounted cumulative gain of a single relevant item. */
export function gainAt10(rank: number): number {
  return rank < LIST_LENGTH ? 1 / Math.log2(rank + 2) : 0;
}
