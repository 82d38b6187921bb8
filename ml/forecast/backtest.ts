import { fillGaps } from './fill-gaps.js';
import { meanAbsoluteError, seasonalStep } from './forecast-errors.js';
import type { FittedForecaster, Forecaster } from './forecaster.js';

export interface BacktestOptions {
  /** Steps forecast from each origin. */
  horizon: number;
  /** Steps of each season, shortest first; empty for none. */
  seasons: readonly number[];
  forecasters: readonly Forecaster[];
  /** Most origins; fewer where the history is shorter. */
  mostOrigins: number;
  /** Steps from origin to origin; half a horizon where it is left out. */
  step?: number;
  /** Only so many values before an origin are used. */
  longestHistory?: number;
  /** Shortest history to forecast from. */
  shortestHistory: number;
  onOrigin?: (done: number, total: number) => void;
}

/** What every forecaster said at every origin, and what came. */
export interface Backtest {
  horizon: number;
  step: number;
  /** Index of the first forecast value, oldest first. */
  origins: Int32Array;
  /** Mean seasonal step of the history before each origin: the unit of errors. */
  scales: Float64Array;
  /** What came after each origin; NaN where nothing was measured. */
  actual: Float64Array[];
  forecasters: {
    name: string;
    /** One forecast an origin, null where the forecaster could not be used. */
    forecasts: (Float64Array | null)[];
    /** MASE at each origin, NaN where there is none. */
    errors: Float64Array;
  }[];
}

/**
 * Forecasts a history from origins that roll towards its end, each from the values before it only (rolling-origin evaluation,
 * Tashman 2000). The last origin is one horizon before the end.
 * @param values NaN where nothing was measured
 */
export function backtest(values: Float64Array, options: BacktestOptions): Backtest {
  const { horizon, seasons, forecasters } = options;
  const step = options.step ?? Math.max(1, Math.floor(horizon / 2));
  const origins = rollingOrigins(values.length, step, options);
  const season = seasons[0] ?? 1;
  const scales = new Float64Array(origins.length);
  const actual: Float64Array[] = [];
  const results = forecasters.map(({ name }) => ({
    name,
    forecasts: [] as (Float64Array | null)[],
    errors: new Float64Array(origins.length).fill(NaN),
  }));
  const earlier: (FittedForecaster | undefined)[] = forecasters.map(() => undefined);
  origins.forEach((origin, k) => {
    const start = Math.max(0, origin - (options.longestHistory ?? Infinity));
    const past = values.subarray(start, origin);
    const next = values.slice(origin, origin + horizon);
    const unit = seasonalStep(past, season);
    scales[k] = unit > 0 ? unit : NaN;
    actual.push(next);
    const isKnown = past.some((value) => !Number.isNaN(value));
    const history = isKnown ? fillGaps(past, season) : past;
    forecasters.forEach((forecaster, f) => {
      const fitted = isKnown ? forecaster.fit(history, seasons, { earlier: earlier[f], start }) : null;
      earlier[f] = fitted ?? earlier[f];
      const forecast = fitted ? keepFinite(fitted.forecast(horizon)) : null;
      results[f]!.forecasts.push(forecast);
      if (forecast) results[f]!.errors[k] = meanAbsoluteError(next, forecast) / scales[k]!;
    });
    options.onOrigin?.(k + 1, origins.length);
  });
  return { horizon, step, origins, scales, actual, forecasters: results };
}

/** Origins on a grid that ends one horizon before the end, oldest first. */
function rollingOrigins(
  length: number,
  step: number,
  { horizon, mostOrigins, shortestHistory }: BacktestOptions,
): Int32Array {
  const last = length - horizon;
  const count = Math.max(0, Math.min(mostOrigins, Math.floor((last - shortestHistory) / step) + 1));
  return Int32Array.from({ length: count }, (_, k) => last - (count - 1 - k) * step);
}

/** A forecast that ran away is no forecast. */
function keepFinite(forecast: Float64Array): Float64Array | null {
  return forecast.every(Number.isFinite) ? forecast : null;
}
