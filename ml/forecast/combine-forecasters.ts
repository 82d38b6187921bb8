import type { Backtest } from './backtest.js';
import { BASE_FORECASTER } from './forecaster-pool.js';

/** One member of a combined forecast. */
export interface ForecasterShare {
  name: string;
  /** Above 0; all of them sum to 1. */
  weight: number;
}

/** Which origins a choice looks at, as places in the backtest: from `from`, before `until`. */
export interface OriginWindow {
  from: number;
  until: number;
}

/** Origins that a choice looks at, at least and at most. */
export const LEAST_ORIGINS = 5;
export const MOST_ORIGINS = 20;
/** Each origin counts this much less than the one after it: what was best a month ago says less than what was best last week. */
const KEPT_AN_ORIGIN = 0.95;
/** Members, and the power of their error by which they are weighed: the worst of them have hardly a say. */
const MOST_MEMBERS = 8;
const POWER = 6;

/** The newest origins whose outcomes were all known when origin `at` began, or before the end for `at` = their count. */
export function windowBefore({ origins, horizon }: Backtest, at: number): OriginWindow {
  const now = at < origins.length ? origins[at]! : Infinity;
  let until = 0;
  while (until < origins.length && until < at && origins[until]! + horizon <= now) until++;
  return { from: Math.max(0, until - MOST_ORIGINS), until };
}

/** Mean MASE of each forecaster over a window, newer origins counting more; NaN where it could not be used at one of them. */
export function recentErrors(backtest: Backtest, { from, until }: OriginWindow): Float64Array {
  const { forecasters } = backtest;
  // An origin where nothing was measured, or where nothing ever changed before, tells nothing about anyone.
  const judged = Array.from({ length: until - from }, (_, k) => from + k).filter((k) =>
    forecasters.some(({ errors }) => Number.isFinite(errors[k]!)),
  );
  return Float64Array.from(forecasters, ({ errors }) => {
    let [sum, total] = [0, 0];
    judged.forEach((k) => {
      const weight = KEPT_AN_ORIGIN ** (until - 1 - k);
      sum += weight * errors[k]!;
      total += weight;
    });
    return total > 0 ? sum / total : NaN;
  });
}

/**
 * Weighs forecasters by how well they did lately: the best few, each by its error to the power of -6. A mean of forecasts is
 * hardly ever worse than the best of them and errs less in the choice (Bates and Granger 1969; the M4 competition 2020).
 * @returns heaviest first; the base alone where nobody can be judged
 */
export function weighForecasters(backtest: Backtest, window: OriginWindow): ForecasterShare[] {
  if (window.until - window.from < LEAST_ORIGINS) return [{ name: BASE_FORECASTER, weight: 1 }];
  const errors = recentErrors(backtest, window);
  return weighByErrors(backtest.forecasters.map(({ name }, f) => ({ name, error: errors[f]! })));
}

/** The best few of some forecasters, each weighed by its error to the power of -6; the base where none has a finite error. */
export function weighByErrors(judged: readonly { name: string; error: number }[]): ForecasterShare[] {
  const ranked = judged
    .filter(({ error }) => Number.isFinite(error))
    .sort((a, b) => a.error - b.error)
    .slice(0, MOST_MEMBERS);
  if (ranked.length === 0) return [{ name: BASE_FORECASTER, weight: 1 }];
  // A faultless forecaster would have an endless weight.
  const least = Math.max(ranked[0]!.error, 1e-9);
  const powers = ranked.map(({ error }) => (Math.max(error, 1e-9) / least) ** -POWER);
  const total = powers.reduce((sum, power) => sum + power, 0);
  return ranked
    .map(({ name }, k) => ({ name, weight: powers[k]! / total }))
    .filter(({ weight }) => weight > 1e-3)
    .map((share, _, kept) => ({ ...share, weight: share.weight / kept.reduce((sum, { weight }) => sum + weight, 0) }));
}

/**
 * The weighted mean of what the members said at an origin.
 * @returns null where none of them could be used there
 */
export function combineAt(backtest: Backtest, shares: readonly ForecasterShare[], at: number): Float64Array | null {
  const sum = new Float64Array(backtest.horizon);
  let total = 0;
  for (const { name, weight } of shares) {
    const forecast = backtest.forecasters.find((forecaster) => forecaster.name === name)?.forecasts[at];
    if (!forecast) continue;
    for (let step = 0; step < sum.length; step++) sum[step]! += weight * forecast[step]!;
    total += weight;
  }
  return total > 0 ? sum.map((value) => value / total) : null;
}
