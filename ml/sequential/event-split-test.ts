/** How many times likelier an event may have become: the alternatives that the test bets on, with equal stakes. */
const ODDS_RATIOS = [1.25, 1.5, 2, 3, 5, 10] as const;

/**
 * Evidence that events fall in the first of two groups more than by its share, as the logarithm of an e-value: a bet that is fair (or worse)
 * while they do not, so that the chance of it ever reaching log(1 / alpha) is at most alpha, exactly, however often one looks (Ville 1939).
 *
 * Count each entity once, when it meets its first event: entities are assigned independently, their events are not, and one heavy user with a
 * thousand errors is one piece of evidence. The value depends on the two counts alone, not on the order.
 * @param first entities of the first group with an event
 * @param second those of the second
 * @param share of all entities that are in the first group by assignment, in (0, 1); default one half
 */
export function logEventSplitEvidence(first: number, second: number, share = 0.5): number {
  if (!(first >= 0 && second >= 0 && Number.isFinite(first + second)))
    throw new RangeError(`events are counted as ${first} and ${second}, but counts are finite and not below 0`);
  if (!(share > 0 && share < 1)) throw new RangeError(`the share is ${share} but must be between 0 and 1`);
  return logMeanExp(
    ODDS_RATIOS.map((ratio) => {
      const among = ratio * share + 1 - share;
      return first * Math.log(ratio / among) - second * Math.log(among);
    }),
  );
}

/** log of the mean of the exponentials, without overflow. */
export function logMeanExp(logarithms: readonly number[]): number {
  const most = Math.max(...logarithms);
  if (most === -Infinity) return -Infinity;
  let sum = 0;
  for (const logarithm of logarithms) sum += Math.exp(logarithm - most);
  return most + Math.log(sum / logarithms.length);
}
