import type { Backtest } from './backtest.js';
import { combineAt, recentErrors, weighByErrors, windowBefore } from './combine-forecasters.js';
import { clipTo } from './forecast-bounds.js';
import type { SeriesForecaster } from './forecast-series.js';
import { stepIntervals } from './step-intervals.js';

/** Error paths that are kept of all series together. */
const MOST_PATHS = 60;

/**
 * One choice for series that were never seen: the forecasters that did best over a group of series, with intervals from the errors of
 * the whole group, each in units of its series' usual step. `forecastAhead` scales them to the history it is given.
 * @param group fitted series of one kind, at least one
 * @param isAllowed which forecasters may be chosen, such as those that are quick
 * @throws RangeError for an empty group
 */
export function fitGeneralForecaster(
  group: readonly { backtest: Backtest; model: SeriesForecaster }[],
  isAllowed: (name: string) => boolean,
  alpha: number,
): SeriesForecaster {
  const first = group[0];
  if (!first) throw new RangeError('a general forecaster needs at least one fitted series');
  const sums = new Map<string, number>();
  for (const { backtest } of group) {
    const errors = recentErrors(backtest, windowBefore(backtest, backtest.origins.length));
    // One that could not be used on some series has NaN from there on and is left out.
    backtest.forecasters.forEach(({ name }, f) => {
      if (isAllowed(name)) sums.set(name, (sums.get(name) ?? 0) + errors[f]!);
    });
  }
  const shares = weighByErrors([...sums].map(([name, sum]) => ({ name, error: sum / group.length })));
  const horizon = Math.min(...group.map(({ model }) => model.horizon));
  const paths = group.flatMap(({ backtest, model }) => scaledErrors(backtest, model, shares, horizon));
  const stride = Math.max(1, Math.ceil(paths.length / MOST_PATHS));
  return {
    shares,
    isFallback: false,
    seasons: first.model.seasons,
    horizon,
    bounds: first.model.bounds,
    longestHistory: first.model.longestHistory,
    intervals: stepIntervals(paths, horizon, alpha, 1),
    errorPaths: paths.filter((_, k) => k % stride === 0),
    scale: 1,
    alpha,
  };
}

function scaledErrors(
  backtest: Backtest,
  { bounds }: SeriesForecaster,
  shares: SeriesForecaster['shares'],
  horizon: number,
): Float64Array[] {
  const { from, until } = windowBefore(backtest, backtest.origins.length);
  const paths: Float64Array[] = [];
  for (let k = from; k < until; k++) {
    const combined = combineAt(backtest, shares, k);
    const scale = backtest.scales[k]!;
    if (!combined || !(scale > 0)) continue;
    const forecast = clipTo(combined, bounds);
    paths.push(
      Float64Array.from({ length: horizon }, (_, step) => (backtest.actual[k]![step]! - forecast[step]!) / scale),
    );
  }
  return paths;
}
