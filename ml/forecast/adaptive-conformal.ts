/** How fast the level follows what was covered, an observation. */
const RATE = 0.01;

/**
 * The share of misses to aim for next, so that in the long run `alpha` of the values are missed whatever the series does (adaptive
 * conformal inference, Gibbs and Candès 2021): lower after a miss, higher after a hit.
 * @param current share aimed for so far, in (0, 1)
 * @param misses of the observations since then, how many lay outside their interval
 * @param observations how many there were
 * @param alpha share of misses that is wanted in the long run
 * @returns kept within [alpha / 10, (1 + alpha) / 2], so that an interval never becomes endless or empty
 */
export function adaptAlpha(
  current: number,
  { misses, observations }: { misses: number; observations: number },
  alpha: number,
  rate = RATE,
): number {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must be between 0 and 1, got ${alpha}`);
  const next = current + rate * (alpha * observations - misses);
  return Math.min((1 + alpha) / 2, Math.max(alpha / 10, next));
}
