/**
 * The mean absolute step from one season to the next: what errors are divided by in MASE (Hyndman and Koehler 2006).
 * @param values NaN where nothing was measured
 * @param season 1 for the step from value to value
 * @returns NaN where no two values lie a season apart, 0 where nothing ever changes
 */
export function seasonalStep(values: Float64Array, season: number): number {
  let [sum, count] = [0, 0];
  for (let i = season; i < values.length; i++) {
    const step = Math.abs(values[i]! - values[i - season]!);
    if (Number.isNaN(step)) continue;
    sum += step;
    count++;
  }
  return count === 0 ? NaN : sum / count;
}

/** Mean absolute error over the steps that were measured; NaN where none was. */
export function meanAbsoluteError(actual: Float64Array, forecast: Float64Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i]! - forecast[i]!);
    if (Number.isNaN(error)) continue;
    sum += error;
    count++;
  }
  return count === 0 ? NaN : sum / count;
}

/** Symmetric mean absolute percentage error, 0 to 200; NaN where nothing was measured. */
export function symmetricPercentageError(actual: Float64Array, forecast: Float64Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < actual.length; i++) {
    if (Number.isNaN(actual[i]!)) continue;
    const size = Math.abs(actual[i]!) + Math.abs(forecast[i]!);
    sum += size === 0 ? 0 : (200 * Math.abs(actual[i]! - forecast[i]!)) / size;
    count++;
  }
  return count === 0 ? NaN : sum / count;
}
