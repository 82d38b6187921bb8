/**
 * What a series can never be below or above, such as 0 and 1 for a share of a machine. Forecasts and both ends of their intervals
 * are clipped: a transformation such as log1p would keep them inside too, but turns errors of a quiet night into the largest ones.
 */
export interface ForecastBounds {
  lower?: number;
  upper?: number;
}

/** @throws RangeError where the lower bound is above the upper one */
export function clipTo(values: Float64Array, { lower = -Infinity, upper = Infinity }: ForecastBounds): Float64Array {
  if (lower > upper) throw new RangeError(`the lower bound ${lower} is above the upper bound ${upper}: exchange them`);
  return values.map((value) => Math.min(upper, Math.max(lower, value)));
}
