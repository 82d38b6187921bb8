/**
 * How many standard errors an estimate may be off, at any time that one looks, with probability `alpha` in all: the half-width of an
 * asymptotic confidence sequence over the standard error (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
 * theory and asymptotic confidence sequences", 2024: theorem 2.2 two-sided, appendix B.1 one-sided; a normal mixture).
 *
 * Time is information, 1 / variance of the estimate, not the number of users: users who come back add information without adding users,
 * and a clock that stands still while the estimate wanders would make the promise void.
 * @param clock information so far over the information at which the sequence shall be tightest; above 0
 * @param alpha probability of ever being off by more, in (0, 0.5)
 * @param sides 1 for a bound on one side, 2 for an interval
 */
export function sequenceMultiplier(clock: number, alpha: number, sides: 1 | 2): number {
  if (!(alpha > 0 && alpha < 0.5)) throw new RangeError(`alpha is ${alpha} but must be between 0 and 0.5`);
  if (!(clock > 0)) throw new RangeError(`the clock is ${clock} but must be above 0: there is no information yet`);
  const level = sides === 1 ? 2 * alpha : alpha;
  const time = clock * tightest(level);
  const logarithm = sides === 1 ? Math.log1p(Math.sqrt(time + 1) / level) : Math.log(Math.sqrt(time + 1) / level);
  return Math.sqrt(2 * (1 + 1 / time) * logarithm);
}

/** The mixture's variance times the information that makes the sequence tightest there (the same paper, appendix B.2). */
function tightest(level: number): number {
  const doubled = -2 * Math.log(level);
  return doubled + Math.log(doubled + 1);
}

/**
 * The information, 1 / variance, at which a bound tuned for it is `distance` wide: where a difference of that size is usually told from none.
 * @param distance above 0, in the unit of the estimate
 */
export function informationToTell(distance: number, alpha: number, sides: 1 | 2): number {
  if (!(distance > 0)) throw new RangeError(`the distance to tell is ${distance} but must be above 0`);
  return (sequenceMultiplier(1, alpha, sides) / distance) ** 2;
}
