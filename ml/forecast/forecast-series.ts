import { backtest } from './backtest.js';
import type { Backtest } from './backtest.js';
import { clipTo } from './forecast-bounds.js';
import type { ForecastBounds } from './forecast-bounds.js';
import { LEAST_ORIGINS, recentErrors } from './combine-forecasters.js';
import type { ForecasterShare } from './combine-forecasters.js';
import { seasonalStep } from './forecast-errors.js';
import { forecastersFor } from './forecaster-pool.js';
import { usableSeasons } from './forecaster.js';
import type { Forecaster } from './forecaster.js';
import { chooseBefore, replayChoices } from './replay-choices.js';
import type { ReplayedOrigin } from './replay-choices.js';
import { stepIntervals } from './step-intervals.js';
import type { StepIntervals } from './step-intervals.js';

export interface ForecastSettings {
  /** Steps that the choice is made for; longer forecasts are answered too, with intervals that grow on. */
  horizon: number;
  /** Steps of the seasons to look for, such as 24 and 168 for hours. */
  seasons: readonly number[];
  /** Share of values outside their interval; 0.1 unless told. */
  alpha?: number;
  bounds?: ForecastBounds;
  /** Most origins of the backtest; 40 unless told. */
  mostOrigins?: number;
  /** Only so many of the newest values are used; 4,000 unless told. */
  longestHistory?: number;
  forecasters?: readonly Forecaster[];
  onOrigin?: (done: number, total: number) => void;
}

/** Why there is no forecast. */
export interface ForecastRefusal {
  code: 'no_values' | 'too_short';
  message: string;
}

/** How good the recipe was on origins that no choice saw. */
export interface ForecastEvidence {
  /** Origins judged; 0 where the history was too short to hold any back. */
  origins: number;
  mase: number;
  baseMase: number;
  /** Paired gain over the base at each judged origin (base - ours), oldest first. */
  gains: Float64Array;
  /** Share of values inside their interval, NaN where none was measured. */
  coverage: number;
  measured: number;
}

/** All that is needed to forecast a series, or a longer history of it. */
export interface SeriesForecaster {
  shares: ForecasterShare[];
  isFallback: boolean;
  seasons: number[];
  horizon: number;
  bounds: ForecastBounds;
  longestHistory: number;
  intervals: StepIntervals;
  /** Errors (actual - forecast) at the newest origins, for simulated paths. */
  errorPaths: Float64Array[];
  /** Usual step from season to season: errors of another history of the same kind go in proportion. */
  scale: number;
  /** Share of misses that intervals aim at by now. */
  alpha: number;
}

export type ForecastOutcome =
  | {
      kind: 'fitted';
      model: SeriesForecaster;
      evidence: ForecastEvidence;
      candidates: Record<string, number>;
      replayed: ReplayedOrigin[];
      backtest: Backtest;
    }
  | { kind: 'constant'; value: number }
  | { kind: 'refused'; refusal: ForecastRefusal };

const DEFAULT_ALPHA = 0.1;
const MOST_BACKTEST_ORIGINS = 40;
const LONGEST_HISTORY = 4000;
/** Without a season, a history needs this many values. */
const LEAST_VALUES = 10;

/**
 * Chooses how to forecast a series: backtests all forecasters from rolling origins, weighs them by their newest errors, falls back to
 * the seasonal naive forecast where they do not beat it, and calibrates intervals on their errors.
 * @param values on a regular grid, NaN where nothing was measured
 * @returns the choice with what it reached on origins that no choice saw; or a constant; or why there is no forecast
 * @throws RangeError for a horizon that is no whole number from 1
 */
export function fitSeriesForecaster(values: Float64Array, settings: ForecastSettings): ForecastOutcome {
  const { horizon } = settings;
  if (!Number.isInteger(horizon) || horizon < 1)
    throw new RangeError(`the horizon must be a whole number of steps from 1, got ${horizon}`);
  const bounds = settings.bounds ?? {};
  const alpha = settings.alpha ?? DEFAULT_ALPHA;
  const longestHistory = settings.longestHistory ?? LONGEST_HISTORY;
  const trimmed = trimGaps(values);
  const seasons = usableSeasons(trimmed.length, settings.seasons);
  const simple = answerSimply(trimmed, settings.seasons, seasons);
  if (simple) return simple;
  const forecasters = settings.forecasters ?? forecastersFor(seasons.length > 0);
  const past = backtest(trimmed, {
    horizon: backtestHorizon(trimmed.length, horizon, seasons),
    seasons,
    forecasters,
    mostOrigins: settings.mostOrigins ?? MOST_BACKTEST_ORIGINS,
    longestHistory,
    shortestHistory: shortestHistory(seasons),
    onOrigin: settings.onOrigin,
  });
  const shape = (forecast: Float64Array): Float64Array => clipTo(forecast, bounds);
  const { origins, alpha: adapted } = replayChoices(past, { alpha, shape });
  const choice = chooseBefore(past, past.origins.length, origins, shape);
  const recent = trimmed.subarray(Math.max(0, trimmed.length - longestHistory));
  const scale = seasonalStep(recent, seasons[0] ?? 1);
  const intervals = stepIntervals(choice.errorPaths, past.horizon, adapted, scale);
  const model: SeriesForecaster = {
    shares: choice.shares,
    isFallback: choice.isFallback,
    seasons,
    horizon: past.horizon,
    bounds,
    longestHistory,
    intervals,
    errorPaths: choice.errorPaths,
    scale,
    alpha: adapted,
  };
  const errors = recentErrors(past, choice.window);
  const candidates = Object.fromEntries(past.forecasters.map(({ name }, k) => [name, errors[k]!]));
  return { kind: 'fitted', model, evidence: gatherEvidence(origins), candidates, replayed: origins, backtest: past };
}

/** Leaves out what lies before the first and after the last measurement. */
function trimGaps(values: Float64Array): Float64Array {
  const first = values.findIndex((value) => Number.isFinite(value));
  const last = values.findLastIndex((value) => Number.isFinite(value));
  const kept = first < 0 ? values.subarray(0, 0) : values.slice(first, last + 1);
  return kept.map((value) => (Number.isFinite(value) ? value : NaN));
}

function answerSimply(
  values: Float64Array,
  wanted: readonly number[],
  usable: readonly number[],
): ForecastOutcome | undefined {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0)
    return {
      kind: 'refused',
      refusal: { code: 'no_values', message: 'the series has no measured value: send a history with numbers' },
    };
  const least = Math.min(...wanted.filter((season) => season >= 2), Infinity);
  if (known.length >= LEAST_VALUES && known.every((value) => value === known[0]))
    return { kind: 'constant', value: known[0]! };
  const needed = least === Infinity ? LEAST_VALUES : Math.max(LEAST_VALUES, 2 * least);
  if (values.length < needed || known.length < LEAST_VALUES || (least < Infinity && usable.length === 0)) {
    const message = `the series has ${known.length} values over ${values.length} steps but ${needed} steps are needed${least < Infinity ? `, two seasons of ${least}` : ''}: send a longer history or a shorter season`;
    return { kind: 'refused', refusal: { code: 'too_short', message } };
  }
  return undefined;
}

/** Origins need room: a forecast longer than a fifth of the history is backtested on its first part only. */
function backtestHorizon(length: number, horizon: number, seasons: readonly number[]): number {
  const room = length - shortestHistory(seasons);
  return Math.max(1, Math.min(horizon, Math.max(Math.floor(length / 5), Math.floor(room / 6))));
}

const shortestHistory = (seasons: readonly number[]): number => Math.max(LEAST_VALUES, 2 * (seasons[0] ?? 1) + 1);

function gatherEvidence(all: readonly ReplayedOrigin[]): ForecastEvidence {
  const origins = all.filter(({ choseOn }) => choseOn >= LEAST_ORIGINS);
  const judged = origins.filter(({ error, baseError }) => Number.isFinite(error) && Number.isFinite(baseError));
  const meanOf = (of: (origin: ReplayedOrigin) => number): number =>
    judged.reduce((sum, origin) => sum + of(origin), 0) / judged.length;
  // Coverage counts where intervals had enough origins to be conformal; before that they say that they are rough.
  const calibrated = origins.filter(({ intervals }) => intervals === 'conformal');
  const counted = calibrated.length > 0 ? calibrated : origins;
  const measured = counted.reduce((sum, origin) => sum + origin.measured, 0);
  const covered = counted.reduce((sum, origin) => sum + origin.covered, 0);
  return {
    origins: judged.length,
    mase: meanOf(({ error }) => error),
    baseMase: meanOf(({ baseError }) => baseError),
    gains: Float64Array.from(judged, ({ error, baseError }) => baseError - error),
    coverage: covered / measured,
    measured,
  };
}
