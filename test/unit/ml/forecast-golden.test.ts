import { describe, expect, it } from 'vitest';
import { fitSmoothing } from '../../../ml/forecast/fit-smoothing.js';
import { meanAbsoluteError, seasonalStep } from '../../../ml/forecast/forecast-errors.js';
import { forecasterNamed } from '../../../ml/forecast/forecaster-pool.js';
import { decomposeSeasons } from '../../../ml/forecast/mstl.js';
import { seasonalIndices } from '../../../ml/forecast/seasonal-indices.js';
import { extrapolateSmoothing, SmoothingRecursion } from '../../../ml/forecast/smoothing-recursion.js';
import type { SmoothingForm } from '../../../ml/forecast/smoothing-recursion.js';
import { decomposeStl } from '../../../ml/forecast/stl.js';
import { fitTheta } from '../../../ml/forecast/theta.js';
import { readGolden } from './golden.js';

interface Form {
  error: 'add' | 'mul';
  trend: 'add' | null;
  damped: boolean;
  season: 'add' | 'mul' | null;
  llf: number;
}
interface Golden {
  air: number[];
  co2: number[];
  fixed: (Form & {
    level: number;
    slope: number;
    seasonal: number[];
    alpha: number;
    beta: number;
    gamma: number;
    phi: number;
    forecast: number[];
  })[];
  estimated: (Form & { series: 'air' | 'co2' })[];
  stl: {
    values: number[];
    options: { seasonal?: number; trend?: number; seasonal_deg?: 0 | 1; robust?: boolean };
    trend: number[];
    seasonal: number[];
  }[];
  mstl: { values: number[]; seasonals: number[][] };
  theta: { series: 'air' | 'co2'; alpha: number; forecast: number[] }[];
  figures: ({ series: 'air' | 'co2' } & Record<string, number | string>)[];
}
const golden = readGolden<Golden>('forecast.json');
const series = { air: Float64Array.from(golden.air), co2: Float64Array.from(golden.co2) };

const formOf = ({ error, trend, damped, season }: Form): SmoothingForm => ({
  error: error === 'add' ? 'additive' : 'multiplicative',
  trend: trend === null ? 'none' : damped ? 'damped' : 'additive',
  season: season === null ? 'none' : season === 'add' ? 'additive' : 'multiplicative',
});
/** From our deviance, which leaves the constants of the normal density out. */
const logLikelihood = (deviance: number, n: number): number => -0.5 * (deviance + n * (Math.log(2 * Math.PI) + 1));
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
};

describe('exponential smoothing', () => {
  // The same arithmetic in another order: only rounding may differ.
  it.each(golden.fixed)(
    'follows the recursion and the likelihood of statsmodels ($error $trend $damped $season)',
    (c) => {
      const form = formOf(c);
      const period = form.season === 'none' ? 1 : 12;
      const season = form.season === 'none' ? new Float64Array(1) : Float64Array.from(c.seasonal);
      const slope = form.trend === 'none' ? 0 : c.slope;
      const { deviance, last } = new SmoothingRecursion(series.air, form, period).run(c, {
        level: c.level,
        slope,
        season,
      });
      expect(logLikelihood(deviance, 144)).toBeCloseTo(c.llf, 6);
      expect(largestGap(extrapolateSmoothing(form, c, last, 0, c.forecast.length), c.forecast)).toBeLessThan(1e-6);
    },
  );

  it('has the derivatives that differences of its likelihood have', () => {
    for (const c of golden.fixed) {
      const form = formOf(c);
      const period = form.season === 'none' ? 1 : 12;
      const season = form.season === 'none' ? new Float64Array(1) : Float64Array.from(c.seasonal);
      const recursion = new SmoothingRecursion(series.air, form, period);
      const first = { level: c.level, slope: form.trend === 'none' ? 0 : c.slope, season };
      const deviance = (change: Partial<typeof c>, states = first): number =>
        recursion.run({ ...c, ...change }, states).deviance;
      deviance({});
      const exact = recursion.differentiate(c);
      const slopeOf = (at: number, f: (x: number) => number): number => {
        const step = 1e-6 * Math.max(1, Math.abs(at));
        return (f(at + step) - f(at - step)) / (2 * step);
      };
      // Central differences have an error of about 1e-6 of the value.
      const near = (a: number, b: number): void =>
        expect(Math.abs(a - b)).toBeLessThan(1e-4 * (1 + Math.abs(a) + Math.abs(b)));
      near(
        exact.alpha,
        slopeOf(c.alpha, (alpha) => deviance({ alpha })),
      );
      near(
        exact.level,
        slopeOf(c.level, (level) => deviance({}, { ...first, level })),
      );
      if (form.trend !== 'none') {
        near(
          exact.beta,
          slopeOf(c.beta, (beta) => deviance({ beta })),
        );
        near(
          exact.phi,
          slopeOf(c.phi, (phi) => deviance({ phi })),
        );
        near(
          exact.slope,
          slopeOf(c.slope, (slope) => deviance({}, { ...first, slope })),
        );
      }
      if (form.season === 'none') continue;
      near(
        exact.gamma,
        slopeOf(c.gamma, (gamma) => deviance({ gamma })),
      );
      for (const place of [0, 7]) {
        const moved = (value: number): number => {
          const changed = season.slice();
          changed[place] = value;
          return deviance({}, { ...first, season: changed });
        };
        near(exact.season[place]!, slopeOf(season[place]!, moved));
      }
    }
  });

  it.each(golden.estimated)(
    'finds a likelihood as good as statsmodels does ($series, $error $trend $damped $season)',
    (c) => {
      const values = c.series === 'air' ? series.air : series.co2.slice(-240);
      const fit = fitSmoothing(values, formOf(c), 12, { estimatesSeason: true })!;
      const parameters = fit.free.length + 1;
      const n = values.length;
      const deviance = fit.aicc - 2 * parameters - (2 * parameters * (parameters + 1)) / (n - parameters - 1);
      // The fit works on values divided by their mean size, which moves the deviance by 2·n·log(unit).
      const unit = values.reduce((sum, value) => sum + Math.abs(value), 0) / n;
      // The last hundredths cost most of the passes, which are limited: three units of log likelihood are hardly seen in a forecast.
      expect(logLikelihood(deviance + 2 * n * Math.log(unit), n)).toBeGreaterThan(c.llf - 3);
    },
  );
});

describe('decompositions', () => {
  // Rounding alone, and in the robust case its growth over fifteen rounds of weights.
  it.each(golden.stl)('equal those of statsmodels ($options)', ({ values, options, trend, seasonal }) => {
    const parts = decomposeStl(Float64Array.from(values), 12, {
      seasonalWindow: options.seasonal,
      seasonalDegree: options.seasonal_deg,
      trendWindow: options.trend,
      isRobust: options.robust,
    });
    expect(largestGap(parts.trend, trend)).toBeLessThan(1e-6);
    expect(largestGap(parts.seasonal, seasonal)).toBeLessThan(1e-6);
  });

  it('with several seasons come near those of statsmodels', () => {
    const { seasonals } = decomposeSeasons(Float64Array.from(golden.mstl.values), [12, 60]);
    // Ours interpolates trend and low-pass at a tenth of a season; the seasons are 5 and 3 high.
    seasonals.forEach((seasonal, k) => expect(largestGap(seasonal, golden.mstl.seasonals[k]!)).toBeLessThan(0.15));
  });
});

describe('Theta', () => {
  it.each(golden.theta)('with theta 2 forecasts as statsmodels does ($series)', ({ series: name, forecast }) => {
    const values = series[name];
    const indices = seasonalIndices(values, 12, 'multiplicative');
    const fit = fitTheta(
      values.map((value, i) => value / indices[i % 12]!),
      { theta: 2 },
    );
    const ours = fit.forecast(12).map((value, step) => value * indices[(values.length + step) % 12]!);
    // The first level is estimated here and set there, and decomposed ends differ: a hundredth of the level.
    expect(largestGap(ours, forecast) / forecast[0]!).toBeLessThan(0.012);
  });
});

describe('on two monthly series, five years from twelve months each', () => {
  const measure = (name: string, values: Float64Array): number => {
    let sum = 0;
    for (let origin = values.length - 60; origin < values.length; origin += 12) {
      const past = values.slice(0, origin);
      const forecast = forecasterNamed(name).fit(past, [12])!.forecast(12);
      sum += meanAbsoluteError(values.slice(origin, origin + 12), forecast) / seasonalStep(past, 12) / 5;
    }
    return sum;
  };
  const rows = golden.figures.flatMap((row) =>
    [
      ['seasonal_naive', 'seasonal_naive'],
      ['holt_winters_multiplicative', 'holt_winters_mul'],
      ['holt_winters_additive', 'holt_winters_add'],
      ['theta', 'theta'],
    ].map(([ours, theirs]) => ({ series: row.series, ours: ours!, figure: Number(row[theirs!]) })),
  );
  // Local maxima of a likelihood with several differ from library to library; five origins of one series tell no more than this.
  it.each(rows)('$ours on $series has a MASE of at most $figure and 6 %', ({ series: name, ours, figure }) => {
    expect(measure(ours, series[name])).toBeLessThan(figure * 1.06);
  });
});
