import { bootstrapIntervals, resampledMean } from './bootstrap.js';
import { studentQuantile } from './normal-quantile.js';

/** How much better than the baseline a model is. */
export interface BaselineComparison {
  /** Mean of (baseline's loss - model's loss): above 0 the model is better. */
  difference: number;
  lower: number;
  upper: number;
  /** True where the whole interval is above 0: better by more than chance. */
  better: boolean;
}

/**
 * Compares two predictors row by row on the same rows, which must not have been used for any choice. The interval is the wider
 * one of Student's and the bootstrap's at each end: the first holds for few rows, the second for skewed losses.
 * @param losses one finite loss a row, lower is better
 * @param baselineLosses the same of the answer that needs no model
 * @param level default 0.95
 */
export function compareToBaseline(input: {
  losses: Float64Array;
  baselineLosses: Float64Array;
  seed: number;
  level?: number;
}): BaselineComparison {
  const { losses, baselineLosses, seed, level = 0.95 } = input;
  const n = losses.length;
  if (baselineLosses.length !== n)
    throw new RangeError(
      `there are ${n} losses but ${baselineLosses.length} of the baseline: both must be of the same rows`,
    );
  if (n < 2)
    return {
      difference: n === 1 ? baselineLosses[0]! - losses[0]! : 0,
      lower: -Infinity,
      upper: Infinity,
      better: false,
    };
  const gains = losses.map((loss, row) => baselineLosses[row]! - loss);
  let difference = 0;
  for (const gain of gains) difference += gain / n;
  let variance = 0;
  for (const gain of gains) variance += (gain - difference) ** 2 / (n - 1);
  const half = studentQuantile((1 + level) / 2, n - 1) * Math.sqrt(variance / n);
  const [drawn] = bootstrapIntervals(n, [resampledMean(gains)], [difference], level, seed);
  const lower = Math.min(difference - half, drawn!.lower);
  const upper = Math.max(difference + half, drawn!.upper);
  return { difference, lower, upper, better: lower > 0 };
}
