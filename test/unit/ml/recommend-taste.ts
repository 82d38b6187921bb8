import { createPrng } from '../../../ml/random/prng.js';
import { buildInteractions } from '../../../ml/recommend/interactions.js';
import type { Interactions } from '../../../ml/recommend/interactions.js';

/**
 * Users of a few tastes who take items without putting them back, the popular ones and those of their taste more often.
 * @param pull how many times likelier an item of the own taste is; 1 leaves nothing to learn but popularity
 */
export function drawTastes(users: number, items: number, tastes: number, pull: number, seed: number): Interactions {
  const prng = createPrng(seed, 0x746173);
  const user: number[] = [];
  const item: number[] = [];
  const time: number[] = [];
  for (let u = 0; u < users; u++) {
    const taste = prng.nextInt(tastes);
    const weights = Float64Array.from(
      { length: items },
      (_, i) => (i % tastes === taste ? pull : 1) * (1 + Math.floor(i / tastes)) ** -0.6,
    );
    const count = 5 + prng.nextInt(15);
    let start = prng.next() * 100;
    for (let taken = 0; taken < count; taken++) {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      let left = prng.next() * total;
      const chosen = Math.max(
        0,
        weights.findIndex((weight) => (left -= weight) < 0),
      );
      weights[chosen] = 0;
      user.push(u);
      item.push(chosen);
      time.push((start += prng.next()));
    }
  }
  return buildInteractions({ users, items, user, item, time });
}
