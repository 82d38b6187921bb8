import { describe, expect, it } from 'vitest';
import { learningCurve } from '../../../ml/evaluate/learning-curve.js';
import { averagePrecision } from '../../../ml/evaluate/metrics.js';
import { precisionRecallCurve } from '../../../ml/evaluate/precision-recall.js';
import { summariseResiduals } from '../../../ml/evaluate/residuals.js';
import { createPrng } from '../../../ml/random/prng.js';

const prng = createPrng(31);

describe('a precision-recall curve', () => {
  it('has a point for each distinct score, ties taken together', () => {
    const { points, baseRate } = precisionRecallCurve(Float64Array.of(0.9, 0.8, 0.8, 0.1), [1, 0, 1, 0]);
    expect(points).toEqual([
      { threshold: 0.9, precision: 1, recall: 0.5, taken: 1 },
      { threshold: 0.8, precision: 2 / 3, recall: 1, taken: 3 },
      { threshold: 0.1, precision: 0.5, recall: 1, taken: 4 },
    ]);
    expect(baseRate).toBe(0.5);
  });

  it('is thinned out without losing its ends, its order or its area', () => {
    const scores = Float64Array.from({ length: 5000 }, () => prng.next());
    const labels = Uint8Array.from(scores, (p) => (prng.next() < p * p ? 1 : 0));
    const curve = precisionRecallCurve(scores, labels, 50);
    expect(curve.points.length).toBeLessThanOrEqual(50);
    expect(curve.points.length).toBeGreaterThan(40);
    expect(curve.points.at(-1)).toMatchObject({ recall: 1, taken: 5000 });
    expect(curve.points.every((point, i) => i === 0 || point.recall >= curve.points[i - 1]!.recall)).toBe(true);
    expect(curve.averagePrecision).toBe(averagePrecision(scores, labels));
    const area = curve.points.reduce(
      (sum, { recall, precision }, i) => sum + (recall - (curve.points[i - 1]?.recall ?? 0)) * precision,
      0,
    );
    expect(area).toBeCloseTo(curve.averagePrecision!, 1);
  });

  it('says that there is none without positives, and refuses lists that do not fit', () => {
    expect(precisionRecallCurve(Float64Array.of(1, 2), [0, 0])).toEqual({
      points: [],
      averagePrecision: null,
      baseRate: 0,
    });
    expect(precisionRecallCurve(new Float64Array(0), [])).toEqual({ points: [], averagePrecision: null, baseRate: 0 });
    expect(() => precisionRecallCurve(Float64Array.of(1), [])).toThrow(/1 scores but 0 labels/);
  });
});

describe('a summary of residuals', () => {
  it('shows bias, spread and where the model errs', () => {
    const predictions = Float64Array.from({ length: 2000 }, () => 10 * prng.next());
    const targets = predictions.map((value) => value + 1 + (value > 5 ? 2 : 0.5) * prng.nextGaussian());
    const found = summariseResiduals({ predictions, targets, seed: 1 });
    expect(found.bias).toBeCloseTo(1, 0.7);
    expect(found.quantiles.find(({ p }) => p === 0.5)!.residual).toBeCloseTo(1, 0.7);
    expect(found.byPrediction).toHaveLength(10);
    expect(found.byPrediction[9]!.meanAbsolute).toBeGreaterThan(1.3 * found.byPrediction[0]!.meanAbsolute);
    expect(found.byPrediction.reduce((sum, { rows }) => sum + rows, 0)).toBe(2000);
    expect(found.points).toHaveLength(500);
    expect(found.points.every((point, i) => i === 0 || point.prediction >= found.points[i - 1]!.prediction)).toBe(true);
    expect(summariseResiduals({ predictions, targets, seed: 1 })).toEqual(found);
  });

  it('takes one row, and refuses none, other lengths and what is not finite', () => {
    const one = summariseResiduals({ predictions: Float64Array.of(1), targets: Float64Array.of(3), seed: 0 });
    expect(one).toMatchObject({ rows: 1, bias: 2, points: [{ prediction: 1, residual: 2 }] });
    const call = (predictions: number[], targets: number[]) => () =>
      summariseResiduals({ predictions: Float64Array.from(predictions), targets: Float64Array.from(targets), seed: 0 });
    expect(call([], [])).toThrow(/got none/);
    expect(call([1], [1, 2])).toThrow(/2 targets but 1 predictions/);
    expect(call([NaN], [1])).toThrow(/row 0 has target 1 and prediction NaN/);
  });
});

describe('a learning curve', () => {
  /** A model that knows the mean of its rows; the held-out rows are always the same. */
  const values = Float64Array.from({ length: 3000 }, () => prng.nextGaussian());
  const held = values.subarray(1000);
  const fit = (rows: Uint32Array) => {
    const mean = rows.reduce((sum, row) => sum + values[row]! / rows.length, 0);
    const trainingLoss = rows.reduce((sum, row) => sum + (values[row]! - mean) ** 2 / rows.length, 0);
    return { heldOutLosses: held.map((value) => (value - mean) ** 2), trainingLoss };
  };
  const rows = Uint32Array.from({ length: 1000 }, (_, row) => row);

  it('fits on nested parts with the classes in their shares', () => {
    const labels = Uint8Array.from(rows, (row) => (row % 10 === 0 ? 1 : 0));
    const seen: Uint32Array[] = [];
    const curve = learningCurve({ rows, labels, seed: 1, fit: (part) => (seen.push(part), fit(part)) });
    expect(curve.points.map((point) => point.rows)).toEqual([100, 200, 400, 700, 1000]);
    seen.forEach((part, i) => {
      expect(Math.abs(part.reduce((sum, row) => sum + labels[row]!, 0) - part.length / 10)).toBeLessThanOrEqual(1);
      const next = new Set(seen[i + 1] ?? part);
      expect(part.every((row) => next.has(row))).toBe(true);
      expect(part).toEqual(part.slice().sort());
    });
  });

  it('says whether the last rows still helped', () => {
    const noisy = (scale: number) => (part: Uint32Array) => ({
      heldOutLosses: held.map((value) => value * value + scale / part.length),
      trainingLoss: 0,
    });
    expect(learningCurve({ rows, seed: 1, fit: noisy(100) }).isStillImproving).toBe(true);
    expect(learningCurve({ rows, seed: 1, fit: noisy(0) }).isStillImproving).toBe(false);
  });

  it('fits a part of one size once, and refuses shares that do not ascend', () => {
    const two = Uint32Array.of(4, 7);
    expect(learningCurve({ rows: two, seed: 0, fit }).points.map((point) => point.rows)).toEqual([1, 2]);
    const one = learningCurve({ rows: Uint32Array.of(4), seed: 0, fit });
    expect([one.points.length, one.lastStep, one.isStillImproving]).toEqual([1, null, false]);
    expect(() => learningCurve({ rows, seed: 0, fit, shares: [0.5, 0.2] })).toThrow(/must ascend/);
    expect(() => learningCurve({ rows: new Uint32Array(0), seed: 0, fit })).toThrow(/got none/);
  });
});
