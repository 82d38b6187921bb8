import type { Interactions } from './interactions.js';

/**
 * How much each item is taken: the sum of its interactions, each halved for every half-life that it lies before the last
 * interaction of all.
 * @param halfLife in the unit of the times; Infinity counts all alike
 * @returns one number an item, from 0 on
 * @throws RangeError for a half-life that is not above 0
 */
export function itemPopularity(interactions: Interactions, halfLife = Infinity): Float64Array {
  if (!(halfLife > 0)) throw new RangeError(`the half-life must be above 0, got ${halfLife}`);
  const { items, item, weight, time, hasTimes } = interactions;
  const popularity = new Float64Array(items);
  let last = -Infinity;
  for (const value of time) last = Math.max(last, value);
  const rate = hasTimes && halfLife < Infinity ? 1 / halfLife : 0;
  for (let at = 0; at < item.length; at++)
    popularity[item[at]!]! += weight[at]! * (rate === 0 ? 1 : 2 ** ((time[at]! - last) * rate));
  return popularity;
}
