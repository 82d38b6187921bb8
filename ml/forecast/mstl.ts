import { autoSmoothingWithoutSeason } from './exponential-smoothing.js';
import { usableSeasons } from './forecaster.js';
import type { FittedForecaster, Forecaster } from './forecaster.js';
import { decomposeStl } from './stl.js';
import { fitTheta } from './theta.js';

/** A series as the sum of a trend, several seasons and a rest. */
export interface SeveralSeasons {
  trend: Float64Array;
  /** One for each season, in their order. */
  seasonals: Float64Array[];
  rest: Float64Array;
}

/** Rounds in which each season is taken out anew of what the others leave. */
const ROUNDS = 2;
/** Windows grow with the season, as its authors propose: longer seasons are seen less often. */
const windowOf = (which: number): number => 11 + 4 * which;
/** Passes between season and trend: more change nothing that a forecast shows. */
const PASSES = 3;
/** Trend and low-pass are fitted this often in a season and interpolated between, which is hardly seen. */
const FITS_A_SEASON = 10;

/**
 * Decomposition with several seasons (Bandara, Hyndman and Bergmeir 2021).
 * @param values without gaps
 * @param seasons shortest first, each at most half the length
 */
export function decomposeSeasons(values: Float64Array, seasons: readonly number[]): SeveralSeasons {
  const n = values.length;
  const seasonals = seasons.map((): Float64Array => new Float64Array(n));
  let without: Float64Array = values.slice();
  let trend: Float64Array = new Float64Array(n);
  for (let round = 0; round < (seasons.length > 1 ? ROUNDS : 1); round++) {
    seasons.forEach((season, which) => {
      const before = seasonals[which]!;
      const kept = without.map((value, i) => value + before[i]!);
      const jump = Math.max(1, Math.floor(season / FITS_A_SEASON));
      const parts = decomposeStl(kept, season, {
        seasonalWindow: windowOf(which),
        seasonalDegree: 0,
        passes: PASSES,
        jump,
      });
      seasonals[which] = parts.seasonal;
      trend = parts.trend;
      without = kept.map((value, i) => value - parts.seasonal[i]!);
    });
  }
  return { trend, seasonals, rest: without.map((value, i) => value - trend[i]!) };
}

/** The last decomposition: two forecasters ask for the same one of each history. */
let known: { values: Float64Array; seasons: string; parts: SeveralSeasons } | undefined;

function decomposeOnce(values: Float64Array, seasons: readonly number[]): SeveralSeasons {
  const key = seasons.join();
  const isKnown =
    known?.seasons === key &&
    known.values.length === values.length &&
    known.values.every((value, i) => value === values[i]);
  if (!isKnown) known = { values: values.slice(), seasons: key, parts: decomposeSeasons(values, seasons) };
  return known!.parts;
}

interface FittedMstl extends FittedForecaster {
  rest: FittedForecaster | undefined;
}

/** Every season repeated as it was last, and the rest forecast by smoothing or by Theta. */
export function mstl(rest: 'ets' | 'theta'): Forecaster {
  return {
    name: `mstl_${rest}`,
    fit: (values, seasons, { earlier } = {}) => {
      const usable = usableSeasons(values.length, seasons);
      if (usable.length === 0) return null;
      const { seasonals } = decomposeOnce(values, usable);
      const without = values.map((value, i) => seasonals.reduce((left, seasonal) => left - seasonal[i]!, value));
      const before = (earlier as FittedMstl | undefined)?.rest;
      const fitted =
        rest === 'ets'
          ? autoSmoothingWithoutSeason.fit(without, [], { earlier: before })
          : { forecast: fitTheta(without).forecast };
      if (!fitted) return null;
      const forecast = (horizon: number): Float64Array => {
        const sum = fitted.forecast(horizon);
        usable.forEach((season, which) => {
          const last = seasonals[which]!.subarray(values.length - season);
          for (let step = 0; step < horizon; step++) sum[step]! += last[step % season]!;
        });
        return sum;
      };
      return { rest: fitted, forecast, details: { seasons: usable.join(', '), ...fitted.details } } as FittedMstl;
    },
  };
}
