import { logMeanExp } from './event-split-test.js';

/** Rates that the test bets on, as shares of the bound. At 0 the bet is won at once where no event ever happens. */
const SHARES_OF_BOUND = [0, 0.1, 0.25, 0.5] as const;

/**
 * Evidence that a rate is below a bound, as the logarithm of an e-value: while the rate is at the bound or above, the chance of it ever
 * reaching log(1 / alpha) is at most alpha. For rates with too few events for a normal approximation; none at all is evidence too.
 * @param events that happened, at least 0; may be a fraction where trials are weighted
 * @param trials independent ones, not below `events`
 * @param bound in (0, 1)
 */
export function logRareRateEvidence(events: number, trials: number, bound: number): number {
  if (!(events >= 0 && trials >= events && trials < Infinity))
    throw new RangeError(`${events} events in ${trials} trials are no counts: 0 <= events <= trials`);
  if (!(bound > 0 && bound < 1)) throw new RangeError(`the bound of the rate is ${bound} but must be between 0 and 1`);
  return logMeanExp(
    SHARES_OF_BOUND.map((share) => {
      const rate = share * bound;
      const met = events === 0 ? 0 : events * Math.log(share);
      return met + (trials - events) * (Math.log1p(-rate) - Math.log1p(-bound));
    }),
  );
}
