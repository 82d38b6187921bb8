import { describe, expect, it } from 'vitest';
import {
  compareToBaseline,
  evaluateClassification,
  evaluateRegression,
  reliabilityBins,
} from '../../../ml/evaluate/metrics.js';
import { normalQuantile, studentQuantile } from '../../../ml/evaluate/normal-quantile.js';
import { rocArea, wilsonInterval } from '../../../ml/evaluate/roc.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';

interface MetricsGolden {
  binary: {
    scores: number[];
    labels: number[];
    roc_auc: number;
    delong_variance: number;
    average_precision: number;
    log_loss: number;
    brier: number;
  }[];
  multi: { probabilities: number[]; labels: number[]; roc_auc: number; log_loss: number };
  regression: { targets: number[]; predictions: number[]; rmse: number; mae: number; r2: number; median_ae: number };
  normal: [number, number][];
  student: [number, number][];
}

const golden = readGolden<MetricsGolden>('metrics.json');

/** Both sides compute the same closed formula in doubles; only the order of sums differs. */
const DIGITS = 11;

function binary(scores: ArrayLike<number>, labels: ArrayLike<number>, seed = 1) {
  const probabilities = Float64Array.from({ length: 2 * scores.length }, (_, i) =>
    i % 2 === 0 ? 1 - scores[i >> 1]! : scores[i >> 1]!,
  );
  return evaluateClassification({ probabilities, labels: Float64Array.from(labels), classes: 2, seed });
}

describe('the figures of a classification', () => {
  it.each(golden.binary.map((_, i) => i))('equal those of scikit-learn, ties included (case %i)', (i) => {
    const { scores, labels, ...expected } = golden.binary[i]!;
    const figures = binary(scores, labels);
    for (const name of ['roc_auc', 'average_precision', 'log_loss', 'brier'] as const) {
      expect(figures[name]!.value).toBeCloseTo(expected[name], DIGITS);
    }
    const { influence } = rocArea(Float64Array.from(scores), Uint8Array.from(labels));
    expect(influence.reduce((sum, part) => sum + part * part, 0)).toBeCloseTo(expected.delong_variance, DIGITS);
  });

  it('equal those of scikit-learn for three classes', () => {
    const { probabilities, labels, ...expected } = golden.multi;
    const input = {
      probabilities: Float64Array.from(probabilities),
      labels: Float64Array.from(labels),
      classes: 3,
      seed: 1,
    };
    const figures = evaluateClassification(input);
    expect(figures['roc_auc']!.value).toBeCloseTo(expected.roc_auc, DIGITS);
    expect(figures['log_loss']!.value).toBeCloseTo(expected.log_loss, DIGITS);
    expect(figures['average_precision']).toBeUndefined();
  });

  it('lie inside their intervals and are the same for the same seed', () => {
    const { scores, labels } = golden.binary[1]!;
    const figures = binary(scores, labels);
    for (const { value, lower, upper, rows } of Object.values(figures)) {
      expect(lower!).toBeLessThanOrEqual(value!);
      expect(upper!).toBeGreaterThanOrEqual(value!);
      expect(rows).toBe(300);
    }
    expect(binary(scores, labels)).toEqual(figures);
  });

  it('are null where one class leaves them undefined, and defined otherwise', () => {
    const figures = binary([0.2, 0.4, 0.9], [0, 0, 0]);
    expect(figures['roc_auc']).toEqual({ value: null, lower: null, upper: null, rows: 3 });
    expect(figures['average_precision']!.value).toBeNull();
    expect(figures['accuracy']!.value).toBeCloseTo(2 / 3, 12);
    expect(figures['majority_rate']!.value).toBe(1);
  });

  it('are null without rows', () => {
    for (const { value, rows } of Object.values(binary([], []))) expect([value, rows]).toEqual([null, 0]);
  });

  it('do not claim certainty for a perfect ranking of few rows', () => {
    const figures = binary([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]);
    expect(figures['roc_auc']!.value).toBe(1);
    expect(figures['roc_auc']!.lower).toBeLessThan(0.5);
  });

  it('stay finite for a certainty that was wrong', () => {
    expect(binary([1, 0], [0, 1])['log_loss']!.value).toBeCloseTo(-Math.log(2.220446049250313e-16), 9);
  });

  it('have AUC intervals that hold the truth 95 times in 100', () => {
    // Scores N(1,1) against N(0,1): the true area is Φ(1/√2) = 0.76025. 600 runs of 95 % have a standard error of 0.9 points.
    const prng = createPrng(17);
    let held = 0;
    for (let run = 0; run < 600; run++) {
      const labels = Float64Array.from({ length: 80 }, (_, row) => (row < 25 ? 1 : 0));
      const scores = labels.map((label) => 1 / (1 + Math.exp(-(label + prng.nextGaussian()))));
      const { area, influence } = rocArea(scores, Uint8Array.from(labels));
      const half = 1.96 * Math.sqrt(influence.reduce((sum, part) => sum + part * part, 0));
      const logitHalf = half / (area * (1 - area));
      const logit = Math.log(area / (1 - area));
      const truth = Math.log(0.76025 / (1 - 0.76025));
      if (Math.abs(logit - truth) <= logitHalf) held++;
    }
    expect(held / 600).toBeGreaterThan(0.92);
    expect(held / 600).toBeLessThan(0.98);
  });
});

describe('the figures of a regression', () => {
  const { targets, predictions, ...expected } = golden.regression;
  const figures = evaluateRegression({
    predictions: Float64Array.from(predictions),
    targets: Float64Array.from(targets),
    seed: 1,
  });

  it('equal those of scikit-learn', () => {
    for (const name of ['rmse', 'mae', 'r2', 'median_ae'] as const)
      expect(figures[name]!.value).toBeCloseTo(expected[name], DIGITS);
  });

  it('stand beside the error of always answering the median', () => {
    const flat = evaluateRegression({
      predictions: Float64Array.of(0, 0, 0),
      targets: Float64Array.of(1, 2, 9),
      seed: 1,
    });
    expect(flat['baseline_mae']!.value).toBeCloseTo(8 / 3, 12);
  });

  it('have no R² where all targets are equal', () => {
    const flat = evaluateRegression({ predictions: Float64Array.of(1, 2), targets: Float64Array.of(5, 5), seed: 1 });
    expect(flat['r2']!.value).toBeNull();
    expect(flat['mae']!.value).toBe(3.5);
  });

  it('take the middle of two for the median of an even count', () => {
    const even = evaluateRegression({
      predictions: Float64Array.of(0, 0, 0, 0),
      targets: Float64Array.of(1, 2, 4, 9),
      seed: 1,
    });
    expect(even['median_ae']!.value).toBe(3);
  });
});

describe('the comparison with the baseline', () => {
  const prng = createPrng(23);
  const losses = (gain: number, rows: number) => {
    const baselineLosses = Float64Array.from({ length: rows }, () => Math.exp(prng.nextGaussian()));
    return { baselineLosses, losses: baselineLosses.map((loss) => loss - gain + prng.nextGaussian()) };
  };

  it('calls a model better that is', () => {
    const { better, difference } = compareToBaseline({ ...losses(0.5, 400), seed: 1 });
    expect(better).toBe(true);
    expect(Math.abs(difference - 0.5)).toBeLessThan(0.25);
  });

  it('calls a model that is no better "better" at most 4 times in 100, for few rows too', () => {
    for (const rows of [8, 60]) {
      let wrong = 0;
      for (let run = 0; run < 400; run++) if (compareToBaseline({ ...losses(0, rows), seed: run }).better) wrong++;
      // 2.5 % is meant; three standard errors of 400 runs are 2.3 points.
      expect(wrong / 400).toBeLessThan(0.048);
    }
  });

  it('decides nothing on one row', () => {
    expect(compareToBaseline({ losses: Float64Array.of(0), baselineLosses: Float64Array.of(9), seed: 1 }).better).toBe(
      false,
    );
  });

  it('refuses losses of different rows', () => {
    expect(() =>
      compareToBaseline({ losses: Float64Array.of(1), baselineLosses: Float64Array.of(1, 2), seed: 1 }),
    ).toThrow(/1 losses but 2/);
  });
});

describe('reliability bins', () => {
  it('hold every row once, the certain ones in the last', () => {
    const bins = reliabilityBins(Float64Array.of(0, 0.05, 0.1, 0.95, 1), [0, 1, 0, 1, 1]);
    expect(bins.map((bin) => bin.rows)).toEqual([2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect(bins[0]).toMatchObject({ confidence: 0.025, frequency: 0.5 });
    expect(bins[4]).toMatchObject({ confidence: null, frequency: null });
  });
});

describe('quantiles', () => {
  it('of the normal distribution equal those of SciPy', () => {
    // The approximation's documented relative error is 1.2e-9.
    for (const [p, expected] of golden.normal) expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(1e-8);
  });

  it("of Student's distribution are within 1 % of SciPy's", () => {
    for (const [degrees, expected] of golden.student)
      expect(Math.abs(studentQuantile(0.975, degrees) / expected - 1)).toBeLessThan(0.01);
  });

  it("give Wilson's published interval for 0 of 10", () => {
    const { lower, upper } = wilsonInterval(0, 10, 0.95);
    expect(lower).toBe(0);
    expect(upper).toBeCloseTo(0.2775, 4);
  });
});
