import { describe, expect, it } from 'vitest';
import {
  currentFeatures,
  fitCurrentValueModel,
  forecastFromCurrent,
  trendOf,
} from '../../../ml/forecast/current-value-model.js';
import type { MeasuredSeries } from '../../../ml/forecast/current-value-model.js';
import { forecastAhead } from '../../../ml/forecast/forecast-ahead.js';
import { fitSeriesForecaster } from '../../../ml/forecast/forecast-series.js';
import { forecastersFor } from '../../../ml/forecast/forecaster-pool.js';
import { fitGeneralForecaster } from '../../../ml/forecast/general-forecaster.js';
import { signedRankInterval } from '../../../ml/forecast/signed-rank-interval.js';
import { createPrng } from '../../../ml/random/prng.js';

const QUICK = forecastersFor(true).filter(({ name }) => !name.startsWith('trees'));

function drawSeries(seed: number, unit: number): Float64Array {
  const prng = createPrng(seed);
  return Float64Array.from(
    { length: 260 },
    (_, i) => unit * (40 + 8 * Math.sin((2 * Math.PI * i) / 24) + prng.nextGaussian()),
  );
}

describe('a general forecaster', () => {
  const group = [1, 2, 3].map((seed) => {
    const outcome = fitSeriesForecaster(drawSeries(seed, 10 ** seed), {
      horizon: 12,
      seasons: [24],
      mostOrigins: 14,
      forecasters: QUICK,
    });
    if (outcome.kind !== 'fitted') throw new Error('not fitted');
    return outcome;
  });

  it('forecasts a series that was never seen, with intervals in that series’ own unit', () => {
    const general = fitGeneralForecaster(group, () => true, 0.1);
    const fresh = drawSeries(9, 0.5);
    const { values, halfWidths } = forecastAhead(general, fresh.slice(0, 240), 20);
    let covered = 0;
    values.forEach((value, step) => {
      expect(Math.abs(value - fresh[240 + step]!)).toBeLessThan(3);
      if (Math.abs(value - fresh[240 + step]!) <= halfWidths[step]!) covered++;
    });
    expect(covered).toBeGreaterThanOrEqual(15);
    expect(halfWidths[0]).toBeLessThan(3);
    const stretched = forecastAhead(
      general,
      fresh.slice(0, 240).map((value) => 100 * value),
      20,
    );
    expect(stretched.halfWidths[3]! / halfWidths[3]!).toBeCloseTo(100, 6);
  });

  it('uses only whom it may, and nobody without a group', () => {
    const general = fitGeneralForecaster(group, (name) => name === 'theta', 0.1);
    expect(general.shares).toEqual([{ name: 'theta', weight: 1 }]);
    expect(() => fitGeneralForecaster([], () => true, 0.1)).toThrow(RangeError);
  });

  it('is as sure as can be of a history that never changes', () => {
    const general = fitGeneralForecaster(group, () => true, 0.1);
    const still = forecastAhead(general, new Float64Array(100).fill(3), 5);
    expect([...still.halfWidths]).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('a forecast from the values of now', () => {
  /** Values that come back to 10 by a tenth of their distance a step, and one that only wanders. */
  const drawGroup = (): MeasuredSeries[] =>
    [1, 2, 3, 4].map((seed) => {
      const prng = createPrng(seed, 77);
      let [back, walk] = [10, 50];
      const measures = [new Float64Array(500), new Float64Array(500)];
      for (let i = 0; i < 500; i++) {
        measures[0]![i] = back += 0.1 * (10 - back) + prng.nextGaussian();
        measures[1]![i] = walk += prng.nextGaussian();
      }
      return { measures, facts: [new Float64Array(500).fill(100)] };
    });
  const options = { season: 12, horizon: 60, alpha: 0.1 };
  const model = fitCurrentValueModel(drawGroup(), options)!;
  const from = (value: number, measure = 0) =>
    forecastFromCurrent(model, measure, currentFeatures([value, 50], [100], 0), measure === 0 ? value : 50, 60);

  it('comes back to the mean where the data does, at its pace', () => {
    const { values } = from(16);
    // After 12 steps 0.9^12 = 0.28 of the distance is left, after 48 nothing.
    expect(Math.abs(values[11]! - 11.7)).toBeLessThan(1.2);
    expect(Math.abs(values[47]! - 10)).toBeLessThan(1.2);
    expect(model.heads[0]).toMatchObject({ isPersistence: false });
    expect(model.heads[0]!.error).toBeLessThan(0.95 * model.heads[0]!.persistenceError);
  });

  it('has intervals that grow and hold what they say', () => {
    const { halfWidths, errorPaths } = from(10, 1);
    for (let step = 1; step < 60; step++) expect(halfWidths[step]).toBeGreaterThanOrEqual(halfWidths[step - 1]!);
    expect(errorPaths.length).toBeGreaterThan(10);
    for (const head of model.heads) expect(Math.abs(head.coverage - 0.9)).toBeLessThan(0.1);
  });

  it('never does worse than saying that it stays as it is, and takes what is not known as usual', () => {
    for (const head of model.heads) expect(head.error).toBeLessThanOrEqual(head.persistenceError);
    const unknown = forecastFromCurrent(model, 0, currentFeatures([NaN, NaN], [NaN], NaN), NaN, 5);
    expect(Math.abs(unknown.values[4]! - 10)).toBeLessThan(1);
    expect(fitCurrentValueModel(drawGroup(), options)).toEqual(model);
  });

  it('is not made from series that are too short', () => {
    const short = drawGroup().map(({ measures, facts }) => ({
      measures: measures.map((values) => values.slice(0, 20)),
      facts: facts.map((values) => values.slice(0, 20)),
    }));
    expect(fitCurrentValueModel(short, options)).toBeNull();
    expect(fitCurrentValueModel([], options)).toBeNull();
  });

  it('takes the trend as growth from one season to the next', () => {
    const values = Float64Array.from([1, 1, 2, NaN]);
    expect(trendOf(values, 4, 2)).toBe(1);
    expect(trendOf(values, 2, 2)).toBeNaN();
  });
});

describe('the signed-rank interval', () => {
  it('has the ends of the usual tables: the ninth mean from either side for ten differences', () => {
    const gains = Float64Array.from([0.3, -0.1, 0.5, 0.2, 0.05, 0.9, 1.4, -0.02, 0.11, 0.07]);
    const means: number[] = [];
    gains.forEach((a, i) => gains.slice(i).forEach((b) => means.push((a + b) / 2)));
    means.sort((a, b) => a - b);
    const { difference, lower, upper } = signedRankInterval(gains);
    expect([lower, upper, difference]).toEqual([means[8], means[46], means[27]]);
  });

  it('holds zero under chance as often as it says, and knows nothing from five', () => {
    const prng = createPrng(3);
    let held = 0;
    for (let round = 0; round < 1000; round++) {
      // Tails so heavy that a mean has no meaning.
      const { lower, upper } = signedRankInterval(
        Float64Array.from({ length: 15 }, () => prng.nextGaussian() / prng.nextGaussian()),
      );
      if (lower <= 0 && upper >= 0) held++;
    }
    // Three standard errors of 0.95 over 1,000 rounds are 0.02.
    expect(Math.abs(held / 1000 - 0.95)).toBeLessThan(0.025);
    expect(signedRankInterval(Float64Array.from([1, 2, 3, 4, 5])).lower).toBe(-Infinity);
    expect(signedRankInterval(new Float64Array(0))).toEqual({ difference: 0, lower: -Infinity, upper: Infinity });
    expect(signedRankInterval(Float64Array.from({ length: 100 }, (_, i) => i - 30)).lower).toBeGreaterThan(0);
  });
});
