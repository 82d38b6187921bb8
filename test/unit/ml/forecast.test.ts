import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptAlpha } from '../../../ml/forecast/adaptive-conformal.js';
import { crossingProbability } from '../../../ml/forecast/crossing-probability.js';
import { fillGaps } from '../../../ml/forecast/fill-gaps.js';
import { forecastAhead } from '../../../ml/forecast/forecast-ahead.js';
import { clipTo } from '../../../ml/forecast/forecast-bounds.js';
import { meanAbsoluteError, seasonalStep, symmetricPercentageError } from '../../../ml/forecast/forecast-errors.js';
import { fitSeriesForecaster } from '../../../ml/forecast/forecast-series.js';
import type { ForecastOutcome } from '../../../ml/forecast/forecast-series.js';
import { forecasterNamed, forecastersFor } from '../../../ml/forecast/forecaster-pool.js';
import { toRegularSeries } from '../../../ml/forecast/regular-series.js';
import { extendHalfWidths, stepIntervals } from '../../../ml/forecast/step-intervals.js';
import { createPrng } from '../../../ml/random/prng.js';

const HOUR = 3_600_000;

/** A day's season, a weak trend and autocorrelated noise. */
function drawSeries(length: number, seed: number, { noise = 1, season = 24, level = 50 } = {}): Float64Array {
  const prng = createPrng(seed);
  let error = 0;
  return Float64Array.from({ length }, (_, i) => {
    error = 0.6 * error + noise * prng.nextGaussian();
    return level + 0.01 * i + 8 * Math.sin((2 * Math.PI * i) / season) + error;
  });
}

/** Trees take most of the time; they are tested on their own and in one whole choice. */
const QUICK = forecastersFor(true).filter(({ name }) => !name.startsWith('trees'));

type Fitted = Extract<ForecastOutcome, { kind: 'fitted' }>;
function fit(values: Float64Array, settings: Partial<Parameters<typeof fitSeriesForecaster>[1]> = {}): Fitted {
  const outcome = fitSeriesForecaster(values, {
    horizon: 12,
    seasons: [24],
    mostOrigins: 16,
    forecasters: QUICK,
    ...settings,
  });
  if (outcome.kind !== 'fitted') throw new Error(JSON.stringify(outcome));
  return outcome;
}

describe('a regular grid', () => {
  it('sorts, averages repeats, marks gaps and says so', () => {
    const times = [0, 2, 1, 1, 5, 6, NaN].map((hour) => hour * HOUR);
    const result = toRegularSeries(times, [10, 12, 11, 13, 15, 16, 1]);
    if ('refusal' in result) throw new Error(result.refusal.message);
    expect(result.series).toEqual({
      values: Float64Array.from([10, 12, 12, NaN, NaN, 15, 16]),
      startMs: 0,
      stepMs: HOUR,
    });
    expect(result.repairs).toEqual([
      { kind: 'dropped_values', count: 1 },
      { kind: 'sorted', count: 1 },
      { kind: 'averaged_repeats', count: 1 },
      { kind: 'gaps', count: 2 },
    ]);
  });

  it('leaves a series that is regular as it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 60 }),
        (values) => {
          const times = values.map((_, i) => 1e12 + i * 60_000);
          const result = toRegularSeries(times, values);
          // Adding 0 on the way turns -0 into 0.
          const same = Float64Array.from(values, (value) => value + 0);
          expect(result).toEqual({ series: { values: same, startMs: 1e12, stepMs: 60_000 }, repairs: [] });
        },
      ),
    );
  });

  it('refuses what has no two times, and a grid without end', () => {
    for (const times of [[], [5], [5, 5]])
      expect(toRegularSeries(times, times)).toMatchObject({ refusal: { code: 'too_few_points' } });
    expect(toRegularSeries([0, 1, 2, 1e12], [1, 2, 3, 4])).toMatchObject({ refusal: { code: 'too_many_steps' } });
    expect(() => toRegularSeries([1], [])).toThrow(RangeError);
    expect(() => toRegularSeries([1, 2], [1, 2], { stepMs: 0 })).toThrow(RangeError);
  });
});

describe('filling gaps', () => {
  it('keeps the season in a gap, and what was measured as it was', () => {
    const whole = Float64Array.from({ length: 96 }, (_, i) => 10 + 5 * Math.sin((2 * Math.PI * i) / 24) + i / 10);
    const holey = whole.map((value, i) => (i >= 40 && i < 52 ? NaN : value));
    const filled = fillGaps(holey, 24);
    for (let i = 0; i < 96; i++) {
      if (i < 40 || i >= 52) expect(filled[i]).toBe(whole[i]);
      // A line between the ends of the gap would be off by 4; the profile holds a fifth of the slope over a day.
      else expect(Math.abs(filled[i]! - whole[i]!)).toBeLessThan(2);
    }
  });

  it('extends to both ends and refuses nothing at all', () => {
    expect(fillGaps(Float64Array.from([NaN, 2, NaN, 4, NaN]), 1)).toEqual(Float64Array.from([2, 2, 3, 4, 4]));
    expect(() => fillGaps(new Float64Array(3).fill(NaN), 1)).toThrow(RangeError);
  });
});

describe('every forecaster', () => {
  const values = drawSeries(200, 3);
  const names = [...new Set([...forecastersFor(true), ...forecastersFor(false)].map(({ name }) => name))];

  it.each(names)('%s goes along when the series is shifted or stretched', (name) => {
    const forecast = (of: Float64Array): Float64Array => forecasterNamed(name).fit(of, [24, 48])!.forecast(30);
    const plain = forecast(values);
    expect(plain.every(Number.isFinite)).toBe(true);
    const stretched = forecast(values.map((value) => 1000 * value));
    plain.forEach((value, step) => expect(stretched[step]! / 1000).toBeCloseTo(value, 3));
    // Multiplied seasons do not stay the same when a level is added; the others do, but for where a minimiser stops.
    if (['holt_winters_multiplicative', 'ets', 'theta'].includes(name)) return;
    const shifted = forecast(values.map((value) => value + 20));
    const tolerance = name.startsWith('mstl') || name.startsWith('trees') ? 1 : 1e-4;
    plain.forEach((value, step) => expect(Math.abs(shifted[step]! - 20 - value)).toBeLessThan(tolerance));
  });

  it.each(names)('%s gives the same to the bit twice, and takes an earlier fit or not', (name) => {
    const forecaster = forecasterNamed(name);
    const first = forecaster.fit(values, [24, 48])!;
    expect(forecaster.fit(values, [24, 48])!.forecast(24)).toEqual(first.forecast(24));
    const later = drawSeries(206, 3);
    const warm = forecaster.fit(later, [24, 48], { earlier: first })!.forecast(24);
    const cold = forecaster.fit(later, [24, 48])!.forecast(24);
    // A form that was chosen six values earlier may differ from one chosen now, but not by more than the noise.
    warm.forEach((value, step) => expect(Math.abs(value - cold[step]!)).toBeLessThan(2));
  });

  it('is known by its name, and no other', () => {
    expect(() => forecasterNamed('oracle')).toThrow(/there is no forecaster 'oracle'/);
  });
});

describe('fitting a series', () => {
  it('finds a season under noise, beats the seasonal naive forecast and covers what comes', () => {
    const { model, evidence, candidates } = fit(drawSeries(500, 11), { mostOrigins: 34 });
    expect(model.isFallback).toBe(false);
    expect(evidence.mase).toBeLessThan(0.9 * evidence.baseMase);
    expect(evidence.origins).toBeGreaterThan(20);
    expect(evidence.gains).toHaveLength(evidence.origins);
    expect(evidence.coverage).toBeGreaterThan(0.82);
    expect(model.intervals.method).toBe('conformal');
    expect(model.shares.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect(candidates['seasonal_naive']).toBeGreaterThan(0.5);
  });

  it('falls back to the seasonal naive forecast where nothing beats it', () => {
    const outcome = fit(drawSeries(400, 5), {
      // Somebody who is right on average over two origins, and wrong in each, has no place.
      forecasters: [
        forecasterNamed('seasonal_naive'),
        { name: 'mean', fit: () => ({ forecast: (horizon) => new Float64Array(horizon).fill(900) }) },
      ],
    });
    expect(outcome.model.shares[0]).toMatchObject({ name: 'seasonal_naive' });
    expect(outcome.model.shares[0]!.weight).toBeGreaterThan(0.99);
    expect(Math.abs(outcome.evidence.mase - outcome.evidence.baseMase)).toBeLessThan(1e-3);
  });

  it('takes all forecasters unless told otherwise', () => {
    const { candidates } = fit(drawSeries(150, 2), { forecasters: undefined, mostOrigins: 3 });
    expect(Object.keys(candidates)).toEqual(forecastersFor(true).map(({ name }) => name));
  });

  it('is the same to the bit when run again, whatever the unit', () => {
    const values = drawSeries(260, 2);
    const first = fit(values);
    expect(fit(values).model).toEqual(first.model);
    const { model } = fit(values.map((value) => 1024 * value));
    model.shares.forEach(({ name, weight }) => {
      const same = first.model.shares.find((share) => share.name === name);
      expect(weight).toBeCloseTo(same?.weight ?? 0, 3);
    });
  });

  it('answers a constant as a constant and refuses what it cannot judge, with the reason', () => {
    const settings = { horizon: 5, seasons: [24] };
    expect(fitSeriesForecaster(new Float64Array(100).fill(7), settings)).toEqual({ kind: 'constant', value: 7 });
    expect(fitSeriesForecaster(new Float64Array(9).fill(NaN), settings)).toMatchObject({
      kind: 'refused',
      refusal: { code: 'no_values' },
    });
    expect(fitSeriesForecaster(new Float64Array(0), settings)).toMatchObject({ refusal: { code: 'no_values' } });
    expect(fitSeriesForecaster(drawSeries(40, 1), settings)).toMatchObject({ refusal: { code: 'too_short' } });
    expect(() => fitSeriesForecaster(drawSeries(100, 1), { horizon: 0, seasons: [] })).toThrow(RangeError);
  });

  it('answers series with gaps, without a season, and short ones', () => {
    const holey = drawSeries(300, 8).map((value, i) => (i % 50 < 7 ? NaN : value));
    expect(fit(holey).evidence.mase).toBeLessThan(1.5);
    const short = fit(drawSeries(60, 8));
    expect(short.model.intervals.method).not.toBe('conformal');
    expect(short.model.intervals.reason).toMatch(/origins/);
    const walk = createPrng(4);
    let at = 0;
    const plain = Float64Array.from({ length: 80 }, () => (at += walk.nextGaussian()));
    expect(fit(plain, { seasons: [], forecasters: undefined, mostOrigins: 6 }).model.seasons).toEqual([]);
  });

  it('stays within bounds, forecasts further than it was judged and widens on the way', () => {
    const values = drawSeries(300, 9, { noise: 3 }).map((value) => Math.min(1, value / 60));
    const { model } = fit(values, { bounds: { lower: 0, upper: 1 } });
    const ahead = forecastAhead(model, values, 365);
    expect(ahead.values).toHaveLength(365);
    for (let step = 0; step < 365; step++) {
      expect(ahead.lower[step]).toBeGreaterThanOrEqual(0);
      expect(ahead.upper[step]).toBeLessThanOrEqual(1);
      expect(ahead.lower[step]).toBeLessThanOrEqual(ahead.values[step]!);
      expect(ahead.upper[step]).toBeGreaterThanOrEqual(ahead.values[step]!);
    }
    expect(ahead.halfWidths[364]).toBeGreaterThanOrEqual(ahead.halfWidths[12]!);
    expect(forecastAhead(model, values, 1).values).toHaveLength(1);
    // Ten times as restless a history gets ten times as wide intervals.
    const restless = forecastAhead(
      { ...model, bounds: {} },
      values.map((value) => 10 * value),
      5,
    );
    expect(restless.halfWidths[0]! / ahead.halfWidths[0]!).toBeCloseTo(10, 6);
  });
});

describe('intervals', () => {
  it('are the rank of the errors at each step, and cover as often as they say', () => {
    const prng = createPrng(1);
    const draw = (): Float64Array => Float64Array.from({ length: 3 }, (_, step) => (step + 1) * prng.nextGaussian());
    let covered = 0;
    const rounds = 2000;
    for (let round = 0; round < rounds; round++) {
      const { halfWidths, method } = stepIntervals(Array.from({ length: 20 }, draw), 3, 0.1, 1);
      expect(method).toBe('conformal');
      draw().forEach((error, step) => (covered += Math.abs(error) <= halfWidths[step]! ? 1 / 3 : 0));
    }
    // 19 of 21 places: 0.905; four standard errors are 0.02.
    expect(Math.abs(covered / rounds - 19 / 21)).toBeLessThan(0.02);
  });

  it('take all steps together with too few origins, and guess with hardly any', () => {
    const paths = [3, 4, 5].map((size) => Float64Array.from({ length: 6 }, (_, step) => size * (step + 1)));
    const pooled = stepIntervals(paths, 6, 0.1, 1);
    expect(pooled).toMatchObject({ method: 'pooled', origins: 3 });
    expect(pooled.halfWidths[5]).toBeGreaterThan(pooled.halfWidths[0]!);
    expect(stepIntervals([], 4, 0.1, 2)).toMatchObject({ method: 'scaled', origins: 0 });
    expect(stepIntervals([], 4, 0.1, 2).halfWidths[0]).toBeCloseTo(4.12, 9);
    expect(() => stepIntervals([], 4, 1, 2)).toThrow(RangeError);
  });

  it('grow on like the root of the step at most', () => {
    const walk = Float64Array.from({ length: 16 }, (_, step) => Math.sqrt(step + 1));
    expect(extendHalfWidths(walk, 64)[63]).toBeCloseTo(8, 6);
    expect(extendHalfWidths(new Float64Array(8).fill(2), 100)[99]).toBeCloseTo(2, 9);
    expect(extendHalfWidths(walk, 4)).toEqual(walk.slice(0, 4));
  });

  it('aim lower after misses and higher after hits, within limits', () => {
    expect(adaptAlpha(0.1, { misses: 1, observations: 1 }, 0.1)).toBeCloseTo(0.091, 12);
    expect(adaptAlpha(0.1, { misses: 0, observations: 10 }, 0.1)).toBeCloseTo(0.11, 12);
    expect(adaptAlpha(0.1, { misses: 1e6, observations: 1e6 }, 0.1)).toBeCloseTo(0.01, 12);
    expect(() => adaptAlpha(0.1, { misses: 0, observations: 1 }, 0)).toThrow(RangeError);
  });
});

describe('the chance of reaching a limit', () => {
  const flat = new Float64Array(24).fill(50);
  const prng = createPrng(6);
  const walks = Array.from({ length: 400 }, () => {
    let at = 0;
    return Float64Array.from({ length: 24 }, () => (at += prng.nextGaussian()));
  });

  it('is that of the process the errors came from', () => {
    // A walk of 24 unit steps reaches 5 with a chance of about 2·P(N > 5.6/√24) = 0.25 (0.58 for what happens between steps).
    const { probability, byStep } = crossingProbability(flat, walks, 55, { seed: 1, paths: 5000 });
    expect(Math.abs(probability - 0.25)).toBeLessThan(0.06);
    for (let step = 1; step < 24; step++) expect(byStep[step]).toBeGreaterThanOrEqual(byStep[step - 1]!);
  });

  it('is 1 above the limit, 0 far below, repeatable, and follows the forecast alone without errors', () => {
    expect(crossingProbability(flat, walks, 10, { seed: 1 })).toMatchObject({ probability: 1, medianStep: 1 });
    expect(crossingProbability(flat, walks, 1e6, { seed: 1 }).probability).toBe(0);
    expect(crossingProbability(flat, walks, 55, { seed: 3 })).toEqual(
      crossingProbability(flat, walks, 55, { seed: 3 }),
    );
    expect(crossingProbability(flat, [], 50, { seed: 1 }).probability).toBe(1);
    expect(crossingProbability(flat, [], 51, { seed: 1 })).toMatchObject({ probability: 0 });
    expect(() => crossingProbability(flat, [], 51, { seed: 1, paths: 0 })).toThrow(RangeError);
  });

  it('grows with the horizon beyond the steps whose errors are known', () => {
    const long = crossingProbability(new Float64Array(200).fill(50), walks, 60, { seed: 1, power: 0.5 });
    expect(long.byStep[199]).toBeGreaterThan(long.byStep[23]!);
  });
});

describe('errors of forecasts', () => {
  it('skip what was not measured', () => {
    const actual = Float64Array.from([1, NaN, 3]);
    expect(meanAbsoluteError(actual, Float64Array.from([2, 5, 5]))).toBe(1.5);
    expect(symmetricPercentageError(actual, Float64Array.from([1, 9, 1]))).toBe(50);
    expect(seasonalStep(Float64Array.from([1, NaN, 4, 2, 5]), 2)).toBe(2);
    expect(meanAbsoluteError(Float64Array.of(NaN), Float64Array.of(1))).toBeNaN();
    expect(seasonalStep(Float64Array.of(1), 1)).toBeNaN();
  });

  it('clip to bounds that make sense', () => {
    expect(clipTo(Float64Array.from([-1, 0.5, 2]), { lower: 0, upper: 1 })).toEqual(Float64Array.from([0, 0.5, 1]));
    expect(() => clipTo(Float64Array.of(1), { lower: 2, upper: 1 })).toThrow(RangeError);
  });
});
