import { logMeanExp } from './event-split-test.js';

/** Sizes of a rise that the evidence bets on, in standard errors of a window. */
const RISES = [0.5, 1, 2, 4] as const;
/** Evidence beyond the limit is not piled up, so that it wears off within a few windows after the rise is over. */
const MOST_BEYOND = Math.log(100);

/**
 * Evidence that a level has risen at some window, known or not, by some size, known or not: the e-SR of Shin, Ramdas and Rinaldo ("E-detectors:
 * a nonparametric framework for sequential change detection", 2023), the mean over normal bets on each size of the sums of what each would
 * have won since each window. While each score has mean 0 or less and deviation 1 or less, the time until it reaches log(limit) is `limit` windows on
 * average or more, however often one looks. It is never less than their e-CUSUM, which looks at the best window alone and promises no more.
 * @param scores of windows in order: how far each lies above what is allowed, in its own standard errors; NaN for one without a verdict
 * @param limit windows a false alarm, above 1
 * @returns after each window the logarithm of the evidence, 0 for none
 */
export function shiftEvidence(scores: readonly number[], limit: number): number[] {
  if (!(limit > 1)) throw new RangeError(`the limit is ${limit} windows a false alarm but must be above 1`);
  const most = Math.log(limit) + MOST_BEYOND;
  let wins = RISES.map(() => -Infinity);
  return scores.map((score) => {
    if (!Number.isNaN(score))
      wins = wins.map((win, at) =>
        Math.min(most, logOnePlusExp(win) + RISES[at]! * score - (RISES[at]! * RISES[at]!) / 2),
      );
    return Math.max(0, logMeanExp(wins));
  });
}

const logOnePlusExp = (x: number) => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * A t statistic as a normal score: the signed root of its likelihood ratio. With few rows a large t is less surprising than a large z.
 * @param rows at least 2
 */
export const normalScore = (t: number, rows: number): number =>
  Math.sign(t) * Math.sqrt((rows - 1) * Math.log1p((t * t) / (rows - 1)));
