import { createPrng } from '../random/prng.js';
import { selectInteractions } from './interactions.js';
import type { Interactions } from './interactions.js';

/** Interactions less one of each of some users, and what was taken away. */
export interface HoldOut {
  rest: Interactions;
  /** Users that gave one away, ascending. */
  user: Int32Array;
  /** The item that each of them gave away. */
  target: Int32Array;
}

/**
 * Takes the last interaction of every user who has at least `least` of them. Where nothing has a time, the order says nothing
 * and a seeded draw takes one instead.
 * @param least 2 or more, so that everyone keeps something to be judged by
 */
export function holdOutLast(interactions: Interactions, least: number, seed: number): HoldOut {
  const { users, offsets, item, hasTimes } = interactions;
  const isKept = new Uint8Array(item.length).fill(1);
  const user: number[] = [];
  const target: number[] = [];
  for (let u = 0; u < users; u++) {
    const [start, end] = [offsets[u]!, offsets[u + 1]!];
    if (end - start < least) continue;
    // A stream a user: what one of them gives away does not depend on the others.
    const at = hasTimes ? end - 1 : start + createPrng(seed, 0x686f6c64, u, end - start).nextInt(end - start);
    isKept[at] = 0;
    user.push(u);
    target.push(item[at]!);
  }
  const rest = selectInteractions(interactions, (at) => isKept[at] === 1);
  return { rest, user: Int32Array.from(user), target: Int32Array.from(target) };
}
