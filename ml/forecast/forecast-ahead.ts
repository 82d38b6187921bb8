import { fillGaps } from './fill-gaps.js';
import { clipTo } from './forecast-bounds.js';
import { seasonalStep } from './forecast-errors.js';
import type { SeriesForecaster } from './forecast-series.js';
import { BASE_FORECASTER, forecasterNamed } from './forecaster-pool.js';
import { extendHalfWidths } from './step-intervals.js';

/** A forecast with its interval, one number a step. */
export interface ForecastAhead {
  values: Float64Array;
  lower: Float64Array;
  upper: Float64Array;
  /** Half-widths before bounds were applied. */
  halfWidths: Float64Array;
  /** How much larger errors are on this history than on the one of the choice. */
  errorRatio: number;
}

/**
 * Forecasts what follows a history: the chosen members are fitted to it anew, the choice and its intervals stay.
 * @param history on the grid of the series, NaN for gaps; at least one value. May be another than the one of the choice: widths are
 * then scaled by how much its values usually change from season to season
 * @param horizon steps, may be longer than the one of the choice
 * @throws RangeError for a history without values
 */
export function forecastAhead(model: SeriesForecaster, history: Float64Array, horizon: number): ForecastAhead {
  const season = model.seasons[0] ?? 1;
  const recent = history.subarray(Math.max(0, history.length - model.longestHistory));
  const filled = fillGaps(recent, season);
  const sum = new Float64Array(horizon);
  let total = 0;
  for (const { name, weight } of model.shares) {
    const forecast = forecasterNamed(name).fit(filled, model.seasons)?.forecast(horizon);
    if (!forecast?.every(Number.isFinite)) continue;
    for (let step = 0; step < horizon; step++) sum[step]! += weight * forecast[step]!;
    total += weight;
  }
  const combined =
    total > 0
      ? sum.map((value) => value / total)
      : forecasterNamed(BASE_FORECASTER).fit(filled, model.seasons)!.forecast(horizon);
  const values = clipTo(combined, model.bounds);
  const scale = seasonalStep(recent, season);
  // A history that never changes has no errors; one without two values a season apart tells nothing about them.
  const ratio = model.scale > 0 && scale >= 0 ? scale / model.scale : 1;
  const halfWidths = extendHalfWidths(model.intervals.halfWidths, horizon).map((width) => width * ratio);
  return {
    values,
    lower: clipTo(
      values.map((value, step) => value - halfWidths[step]!),
      model.bounds,
    ),
    upper: clipTo(
      values.map((value, step) => value + halfWidths[step]!),
      model.bounds,
    ),
    halfWidths,
    errorRatio: ratio,
  };
}
