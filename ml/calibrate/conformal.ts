/** Absolute errors of rows the model was not fitted on, ready to give intervals. */
export interface ResidualQuantiles {
  /** Held-out rows. */
  rows: number;
  /** Half-width by level of confidence: `halfWidths['0.9']`; null where there are too few rows for it. */
  halfWidths: Record<string, number | null>;
}

/**
 * The half-width of an interval that holds a new value with a chance of at least 1 - alpha, whatever the errors'
 * distribution: the ⌈(n + 1)(1 - alpha)⌉-th smallest absolute error (split conformal prediction, Vovk et al. 2005).
 * @param residuals errors of rows the model was not fitted on
 * @param alpha in (0, 1), for instance 0.1 for 90 % intervals
 * @returns null where there are fewer than ⌈1 / alpha⌉ - 1 rows, too few for that level
 */
export function conformalQuantile(residuals: Float64Array, alpha: number): number | null {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must be between 0 and 1, got ${alpha}`);
  const rank = Math.ceil((residuals.length + 1) * (1 - alpha) - 1e-9);
  if (rank > residuals.length) return null;
  return residuals.map(Math.abs).sort()[Math.max(0, rank - 1)]!;
}

/** The interval around a prediction: it plus and minus `conformalQuantile`, or null with too few residuals. */
export function conformalInterval(residuals: Float64Array, alpha: number): { lower: number; upper: number } | null {
  const half = conformalQuantile(residuals, alpha);
  return half === null ? null : { lower: -half, upper: half };
}

/** Half-widths for several levels at once, to be stored with a model. */
export function fitResidualQuantiles(
  residuals: Float64Array,
  levels: readonly number[] = [0.5, 0.8, 0.9, 0.95],
): ResidualQuantiles {
  const halfWidths: Record<string, number | null> = {};
  for (const level of levels) halfWidths[String(level)] = conformalQuantile(residuals, 1 - level);
  return { rows: residuals.length, halfWidths };
}
