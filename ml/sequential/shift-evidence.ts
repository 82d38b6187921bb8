import { logMeanExp } from './event-split-test.js';

/** Sizes of a rise that the evidence bets on, in standard errors of a window. */
const RISES = [0.5, 1, 2, 4] as const;
/** Evidence beyond the limit is not piled up, so that it wears off within a few windows after the rise is over. */
const MOST_BEYOND = Math.log(100);

/**
 * Evidence that a level has risen at some window, known or not: the e-CUSUM of Shin, Ramdas and Rinaldo ("E-detectors: a nonparametric
 * framework for sequential change detection", 2023) over a mixture of normal bets. While each score has mean 0 or less and deviation 1 or
 * less, the time until it reaches log(limit) is `limit` windows on average or more, however often one looks.
 * @param scores of windows in order: how far each lies above what is allowed, in its own standard errors; NaN for one without a verdict
 * @param limit windows a false alarm, above 1
 * @returns after each window the logarithm of the evidence, 0 for none
 */
export function shiftEvidence(scores: readonly number[], limit: number): number[] {
  if (!(limit > 1)) throw new RangeError(`the limit is ${limit} windows a false alarm but must be above 1`);
  let evidence = 0;
  return scores.map((score) => {
    if (Number.isNaN(score)) return evidence;
    const bet = logMeanExp(RISES.map((rise) => rise * score - (rise * rise) / 2));
    evidence = Math.min(Math.max(0, evidence + bet), Math.log(limit) + MOST_BEYOND);
    return evidence;
  });
}

/**
 * A t statistic as a normal score: the signed root of its likelihood ratio. With few rows a large t is less surprising than a large z.
 * @param rows at least 2
 */
export const normalScore = (t: number, rows: number): number =>
  Math.sign(t) * Math.sqrt((rows - 1) * Math.log1p((t * t) / (rows - 1)));
