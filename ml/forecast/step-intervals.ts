/** Half-widths of an interval around a forecast, one a step. */
export interface StepIntervals {
  halfWidths: Float64Array;
  /**
   * `conformal`: a rank of the errors at the same step. `pooled`: too few origins for that, so errors of all steps together, scaled by
   * how errors grow. `scaled`: hardly any origin, so the usual step from season to season stands in for errors.
   */
  method: 'conformal' | 'pooled' | 'scaled';
  /** Why it is not `conformal`. */
  reason?: string;
  /** Origins whose errors were used. */
  origins: number;
}

/** Fewer origins than this cannot give an interval of that level: the rank would be beyond the largest error. */
export const leastOrigins = (alpha: number): number => Math.ceil(1 / alpha - 1e-9) - 1;

/**
 * Intervals by horizon-wise split conformal prediction: at each step the ⌈(K + 1)(1 - alpha)⌉-th smallest of K absolute errors
 * (Vovk et al. 2005; Stankevičiūtė, Alaa and van der Schaar 2021).
 * @param errors one path an origin, one error a step; NaN where nothing was measured
 * @param alpha in (0, 1): 0.1 for 90 %
 * @param typicalStep the usual step of the series from season to season, for when there is hardly any origin
 * @throws RangeError for alpha outside (0, 1)
 */
export function stepIntervals(
  errors: readonly Float64Array[],
  horizon: number,
  alpha: number,
  typicalStep: number,
): StepIntervals {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must be between 0 and 1, got ${alpha}`);
  const origins = errors.length;
  const needed = leastOrigins(alpha);
  const bySteps = Array.from({ length: horizon }, (_, step) => absoluteErrors(errors, step, step + 1));
  if (bySteps.every((sizes) => sizes.length >= needed)) {
    return { halfWidths: Float64Array.from(bySteps, (sizes) => rankOf(sizes, alpha)), method: 'conformal', origins };
  }
  const all = absoluteErrors(errors, 0, horizon);
  if (all.length >= Math.max(needed, 10) && origins >= 2) {
    const growth = smoothGrowth(bySteps);
    const scaled = bySteps.flatMap((sizes, step) => Array.from(sizes, (size) => size / growth[step]!));
    const width = rankOf(Float64Array.from(scaled).sort(), alpha);
    const reason = `only ${origins} origins, ${needed} are needed for intervals of each step: errors of all steps were taken together`;
    return { halfWidths: growth.map((factor) => width * factor), method: 'pooled', reason, origins };
  }
  const reason = `only ${origins} origins: the interval is a guess from the usual step of the series from season to season`;
  // 2.06 mean absolute deviations hold 90 % of a normal distribution; other levels go in proportion to its quantile, roughly.
  const width = typicalStep * 2.06 * Math.sqrt(Math.log(1 / alpha) / Math.log(10));
  return { halfWidths: new Float64Array(horizon).fill(width), method: 'scaled', reason, origins };
}

/** Sizes of the errors at some steps, ascending. */
function absoluteErrors(errors: readonly Float64Array[], from: number, until: number): Float64Array {
  const sizes: number[] = [];
  for (const path of errors)
    for (let step = from; step < until; step++) if (!Number.isNaN(path[step]!)) sizes.push(Math.abs(path[step]!));
  return Float64Array.from(sizes).sort();
}

/** The ⌈(K + 1)(1 - alpha)⌉-th smallest; the largest where that is beyond. */
function rankOf(ascending: Float64Array, alpha: number): number {
  const rank = Math.ceil((ascending.length + 1) * (1 - alpha) - 1e-9);
  return ascending[Math.max(0, Math.min(ascending.length, rank) - 1)]!;
}

/** How the mean size of errors grows with the step, relative to its mean: a line that never falls. */
function smoothGrowth(bySteps: readonly Float64Array[]): Float64Array {
  const means = bySteps.map((sizes) => sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sizes.length));
  const half = means.length / 2;
  const meanOf = (part: number[]): number => part.reduce((sum, value) => sum + value, 0) / Math.max(1, part.length);
  const [early, late] = [meanOf(means.slice(0, Math.ceil(half))), meanOf(means.slice(Math.floor(half)))];
  const rise = early + late > 0 ? Math.max(0, (2 * (late - early)) / (early + late)) : 0;
  return Float64Array.from(means, (_, step) => 1 + rise * ((step + 0.5) / means.length - 0.5));
}

/**
 * Half-widths for steps beyond those that were backtested: they go on growing like a power of the step, as they grew before, at most
 * like the root that a random walk has.
 */
export function extendHalfWidths(halfWidths: Float64Array, horizon: number): Float64Array {
  const known = halfWidths.length;
  if (horizon <= known) return halfWidths.slice(0, horizon);
  const power = growthPower(halfWidths);
  const half = Math.max(1, known >> 1);
  const end = halfWidths.slice(-half).reduce((sum, width) => sum + width, 0) / half;
  return Float64Array.from({ length: horizon }, (_, step) =>
    step < known ? halfWidths[step]! : Math.max(end, halfWidths[known - 1]!) * ((step + 1) / known) ** power,
  );
}

/** The power of the step by which widths grow, from 0 to 0.5. */
export function growthPower(halfWidths: Float64Array): number {
  const n = halfWidths.length;
  const widest = Math.max(...halfWidths);
  if (n < 4 || !(widest > 0)) return 0;
  let [x, y, xx, xy] = [0, 0, 0, 0];
  halfWidths.forEach((width, step) => {
    const [a, b] = [Math.log(step + 1), Math.log(Math.max(width, widest * 1e-3))];
    x += a / n;
    y += b / n;
    xx += (a * a) / n;
    xy += (a * b) / n;
  });
  const spread = xx - x * x;
  return spread > 0 ? Math.min(0.5, Math.max(0, (xy - x * y) / spread)) : 0;
}
