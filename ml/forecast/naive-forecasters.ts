import { usableSeasons } from './forecaster.js';
import type { Forecaster } from './forecaster.js';

/** Repeats the last value. */
export const naive: Forecaster = {
  name: 'naive',
  fit: (values) => ({ forecast: (horizon) => new Float64Array(horizon).fill(values.at(-1)!) }),
};

/** Repeats the mean of everything. */
export const mean: Forecaster = {
  name: 'mean',
  fit: (values) => {
    const level = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { forecast: (horizon) => new Float64Array(horizon).fill(level) };
  },
};

/** Goes on along the line from the first to the last value. */
export const drift: Forecaster = {
  name: 'drift',
  fit: (values) => {
    const last = values.at(-1)!;
    const slope = values.length < 2 ? 0 : (last - values[0]!) / (values.length - 1);
    return { forecast: (horizon) => Float64Array.from({ length: horizon }, (_, step) => last + slope * (step + 1)) };
  },
};

/**
 * Repeats the last season: what every other forecaster has to beat.
 * @param which 0 for the shortest season, 1 for the next longer one
 */
export function seasonalNaive(which: 0 | 1 = 0): Forecaster {
  return {
    name: which === 0 ? 'seasonal_naive' : 'seasonal_naive_long',
    fit: (values, seasons) => {
      const season = usableSeasons(values.length, seasons)[which];
      if (season === undefined) return which === 0 ? naive.fit(values, seasons) : null;
      const last = values.slice(-season);
      return { forecast: (horizon) => Float64Array.from({ length: horizon }, (_, step) => last[step % season]!) };
    },
  };
}

/** Seasons that are averaged. */
const SEASONS_AVERAGED = 7;

/** The mean of the last seven shortest seasons, place by place: steadier than the last one where days differ by chance only. */
export const seasonalMean: Forecaster = {
  name: 'seasonal_mean',
  fit: (values, seasons) => {
    const season = usableSeasons(values.length, seasons)[0];
    if (season === undefined) return null;
    const count = Math.min(SEASONS_AVERAGED, Math.floor(values.length / season));
    const means = new Float64Array(season);
    for (let k = 1; k <= count; k++)
      for (let place = 0; place < season; place++) means[place]! += values[values.length - k * season + place]! / count;
    return { forecast: (horizon) => Float64Array.from({ length: horizon }, (_, step) => means[step % season]!) };
  },
};
