import { adaptAlpha } from './adaptive-conformal.js';
import type { Backtest } from './backtest.js';
import { combineAt, LEAST_ORIGINS, recentErrors, weighForecasters, windowBefore } from './combine-forecasters.js';
import type { ForecasterShare, OriginWindow } from './combine-forecasters.js';
import { BASE_FORECASTER } from './forecaster-pool.js';
import { meanAbsoluteError } from './forecast-errors.js';
import { stepIntervals } from './step-intervals.js';
import type { StepIntervals } from './step-intervals.js';

/** What the whole recipe would have said at one origin, knowing only what came before it. */
export interface ReplayedOrigin {
  /** Place in the backtest. */
  at: number;
  /** Index of the first forecast value in the series. */
  origin: number;
  /** Origins that the choice could look at; with fewer than five there was none and the base answered. */
  choseOn: number;
  shares: ForecasterShare[];
  forecast: Float64Array;
  halfWidths: Float64Array;
  intervals: StepIntervals['method'];
  /** MASE of the recipe and of the base; NaN where nothing was measured. */
  error: number;
  baseError: number;
  /** MASE of the members together, whether they answered or the base did. */
  membersError: number;
  /** Measured values, and those inside their interval. */
  measured: number;
  covered: number;
}

/** What is known at one time from the origins before: who to ask, and how far off they were. */
export interface Choice {
  /** Who answers. */
  shares: ForecasterShare[];
  /** Who would answer if nobody fell back. */
  members: ForecasterShare[];
  /** True where the members together did not beat the base. */
  isFallback: boolean;
  /** Errors (actual - forecast) of the members at the origins of the window. */
  errorPaths: Float64Array[];
  window: OriginWindow;
}

export interface ReplayOptions {
  /** Share of values outside their interval, 0.1 for 90 %. */
  alpha: number;
  /** What is done to a forecast before it is answered: bounds. */
  shape: (forecast: Float64Array) => Float64Array;
}

/**
 * Goes through a backtest in the order of time and makes at each origin the choice that would have been made there: weights, fall-back
 * and intervals come from earlier origins whose outcomes were known. Its errors and its coverage are those of the recipe on data that no
 * choice saw.
 * @returns every origin at which somebody could forecast, and the level to aim intervals at next
 */
export function replayChoices(
  backtest: Backtest,
  options: ReplayOptions,
): { origins: ReplayedOrigin[]; alpha: number } {
  const origins: ReplayedOrigin[] = [];
  const base = backtest.forecasters.find(({ name }) => name === BASE_FORECASTER);
  let alpha = options.alpha;
  let learned = 0;
  for (let at = 0; at < backtest.origins.length; at++) {
    // Each value is learned from once, though overlapping origins forecast it twice.
    for (; learned < origins.length && isOver(backtest, origins[learned]!.at, at); learned++)
      alpha = adaptAlpha(alpha, missesOf(origins[learned]!, backtest), options.alpha);
    const choice = chooseBefore(backtest, at, origins, options.shape);
    const combined = combineAt(backtest, choice.shares, at);
    if (!combined) continue;
    const forecast = options.shape(combined);
    const members = choice.isFallback && combineAt(backtest, choice.members, at);
    const scale = backtest.scales[at]!;
    const { halfWidths, method } = stepIntervals(choice.errorPaths, backtest.horizon, alpha, scale);
    const actual = backtest.actual[at]!;
    let [measured, covered] = [0, 0];
    actual.forEach((value, step) => {
      if (Number.isNaN(value)) return;
      measured++;
      if (Math.abs(value - forecast[step]!) <= halfWidths[step]!) covered++;
    });
    const error = meanAbsoluteError(actual, forecast) / scale;
    const baseError = base?.errors[at] ?? NaN;
    const membersError = members ? meanAbsoluteError(actual, options.shape(members)) / scale : error;
    origins.push({
      at,
      origin: backtest.origins[at]!,
      choseOn: choice.window.until - choice.window.from,
      shares: choice.shares,
      forecast,
      halfWidths,
      intervals: method,
      error,
      baseError,
      membersError,
      measured,
      covered,
    });
  }
  for (; learned < origins.length; learned++)
    alpha = adaptAlpha(alpha, missesOf(origins[learned]!, backtest), options.alpha);
  return { origins, alpha };
}

/**
 * The choice that the origins before `at` lead to (`at` = their count for the one after all of them). Where the recipe has been replayed
 * at five origins or more and did not beat the base there, the base answers alone.
 */
export function chooseBefore(
  backtest: Backtest,
  at: number,
  replayed: readonly ReplayedOrigin[],
  shape: (forecast: Float64Array) => Float64Array,
): Choice {
  const window = windowBefore(backtest, at);
  const members = weighForecasters(backtest, window);
  const isFallback = !beatsBase(backtest, window, replayed);
  const shares = isFallback ? [{ name: BASE_FORECASTER, weight: 1 }] : members;
  const errorPaths: Float64Array[] = [];
  for (let k = window.from; k < window.until; k++) {
    const combined = combineAt(backtest, shares, k);
    if (!combined) continue;
    const forecast = shape(combined);
    errorPaths.push(backtest.actual[k]!.map((value, step) => value - forecast[step]!));
  }
  return { shares, members, isFallback, errorPaths, window };
}

function beatsBase(backtest: Backtest, window: OriginWindow, replayed: readonly ReplayedOrigin[]): boolean {
  const known = replayed.filter(
    ({ at, choseOn, membersError, baseError }) =>
      choseOn >= LEAST_ORIGINS &&
      at >= window.from &&
      at < window.until &&
      Number.isFinite(membersError) &&
      Number.isFinite(baseError),
  );
  if (known.length >= LEAST_ORIGINS) {
    const gain = known.reduce((sum, { membersError, baseError }) => sum + baseError - membersError, 0);
    return gain > 0;
  }
  // Too early to have been tested: at least somebody must have been better than the base.
  const errors = recentErrors(backtest, window);
  const base = errors[backtest.forecasters.findIndex(({ name }) => name === BASE_FORECASTER)];
  return base === undefined || Number.isNaN(base) || errors.some((error) => error < base);
}

const isOver = ({ origins, horizon }: Backtest, earlier: number, at: number): boolean =>
  origins[earlier]! + horizon <= origins[at]!;

/** The misses of the steps that the next origin does not forecast again. */
function missesOf(
  { covered, measured }: ReplayedOrigin,
  { step, horizon }: Backtest,
): { misses: number; observations: number } {
  const share = Math.min(1, step / horizon);
  return { misses: share * (measured - covered), observations: share * measured };
}
