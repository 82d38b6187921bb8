import { autoSmoothing, holtWintersAdditive, holtWintersMultiplicative } from './exponential-smoothing.js';
import type { Forecaster } from './forecaster.js';
import { lagTrees } from './lag-trees.js';
import { mstl } from './mstl.js';
import { drift, mean, naive, seasonalMean, seasonalNaive } from './naive-forecasters.js';
import { theta } from './theta.js';

/** What every other forecaster has to beat; without a season it is the last value. */
export const BASE_FORECASTER = 'seasonal_naive';

/** Tried on series with a season. Smoothing has forms without trend and season, so the plainest ones are among them. */
const SEASONAL: readonly Forecaster[] = [
  seasonalNaive(0),
  seasonalNaive(1),
  seasonalMean,
  mean,
  holtWintersMultiplicative,
  autoSmoothing,
  theta,
  mstl('ets'),
  mstl('theta'),
  lagTrees({ block: 'season', isLevelled: false }),
  lagTrees({ block: 'step', isLevelled: true }),
];

/** Tried on series without a season. */
const PLAIN: readonly Forecaster[] = [
  seasonalNaive(0),
  mean,
  drift,
  holtWintersAdditive,
  autoSmoothing,
  theta,
  lagTrees({ block: 'step', isLevelled: true }),
];

/** The forecasters that are tried on a series. */
export function forecastersFor(hasSeason: boolean): readonly Forecaster[] {
  return hasSeason ? SEASONAL : PLAIN;
}

const EVERY: readonly Forecaster[] = [
  ...SEASONAL,
  naive,
  drift,
  holtWintersAdditive,
  lagTrees({ block: 'season', isLevelled: true }),
  lagTrees({ block: 'step', isLevelled: false }),
];

/** @throws RangeError for a name that no forecaster has */
export function forecasterNamed(name: string): Forecaster {
  const found = EVERY.find((forecaster) => forecaster.name === name);
  if (!found)
    throw new RangeError(`there is no forecaster '${name}': use one of ${EVERY.map((known) => known.name).join(', ')}`);
  return found;
}
