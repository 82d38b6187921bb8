import { describe, expect, it } from 'vitest';
import { chiSquareTest } from '../../../ml/drift/chi-square-test.js';
import { upperGammaShare } from '../../../ml/drift/incomplete-gamma.js';
import { expectedAccuracy, expectedLogLoss, expectedRocAuc } from '../../../ml/drift/expected-performance.js';
import { jensenShannon } from '../../../ml/drift/jensen-shannon.js';
import { kolmogorovSmirnov } from '../../../ml/drift/kolmogorov-smirnov.js';
import { proportionTest } from '../../../ml/drift/proportion-test.js';
import { walkSamples } from '../../../ml/drift/walk-samples.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';

const golden = readGolden<{
  numbers: {
    reference: number[];
    current: number[];
    statistic: number;
    exact: number;
    limit: number;
    wasserstein: number;
  }[];
  tables: { reference: number[]; current: number[]; statistic: number; p: number; divergence: number }[];
  tails: { a: number; x: number; share: number }[];
  expected: { probabilities: number[]; mean: number; deviation: number };
}>('drift.json');

describe('statistics of drift, beside SciPy', () => {
  it.each(golden.numbers.map((one, at) => ({ at, one })))(
    'tests two samples of numbers to 1e-9, exactly and in the limit ($at)',
    ({ one }) => {
      const reference = Float64Array.from(one.reference);
      const current = Float64Array.from(one.current);
      const walk = walkSamples(reference, current);
      const exact = kolmogorovSmirnov(walk, 'exact');
      expect(exact.statistic).toBeCloseTo(one.statistic, 9);
      expect(exact.pValue).toBeCloseTo(one.exact, 9);
      expect(kolmogorovSmirnov(walk, 'limit').pValue).toBeCloseTo(one.limit, 9);
      expect(walk.distance).toBeCloseTo(one.wasserstein, 9);
    },
  );

  it.each(golden.tables.map((one, at) => ({ at, one })))('tests two rows of counts to 1e-9 ($at)', ({ one }) => {
    const found = chiSquareTest(one.reference, one.current, 0)!;
    expect(found.statistic).toBeCloseTo(one.statistic, 9);
    expect(found.pValue).toBeCloseTo(one.p, 9);
    expect(jensenShannon(one.reference, one.current).divergence).toBeCloseTo(one.divergence, 9);
  });

  it('has the tail of the gamma distribution to 1e-12', () => {
    for (const { a, x, share } of golden.tails)
      expect(Math.abs(upperGammaShare(a, x) - share)).toBeLessThan(1e-12 * Math.max(1, share));
  });

  it('expects the area under the curve that labels drawn from the probabilities have', () => {
    const { probabilities, mean, deviation } = golden.expected;
    const found = expectedRocAuc(Float64Array.from(probabilities))!;
    // 4,000 draws leave the mean an error of a 63rd of a deviation.
    expect(Math.abs(found.value - mean)).toBeLessThan(deviation / 15);
    expect(found.deviation / deviation).toBeGreaterThan(0.85);
    expect(found.deviation / deviation).toBeLessThan(1.25);
  });
});

describe('pieces of the comparison', () => {
  it('walks over ties and ends as the definition has it', () => {
    const found = walkSamples(Float64Array.of(1, 1, 2, 5), Float64Array.of(1, 2, 2, 2, 9));
    // Shares up to 1 are 2/4 and 1/5, up to 2 they are 3/4 and 4/5, up to 5 all and 4/5.
    expect(found).toMatchObject({ referenceRows: 4, currentRows: 5, gap: 6, at: 1 });
    expect(found.distance).toBeCloseTo(0.3 + 0.05 * 3 + 0.2 * 4, 12);
    expect(walkSamples(Float64Array.of(3), Float64Array.of(3))).toMatchObject({ gap: 0, at: 3, distance: 0 });
    expect(() => walkSamples(Float64Array.of(1), new Float64Array(0))).toThrow(RangeError);
  });

  it('counts categories as one where too few are expected of them', () => {
    const found = chiSquareTest([900, 90, 4, 3, 3], [90, 8, 1, 1, 0])!;
    expect(found.pooled).toBeGreaterThanOrEqual(3);
    expect(chiSquareTest([10, 0], [8, 0])).toBeUndefined();
    expect(chiSquareTest([0, 0], [1, 2])).toBeUndefined();
  });

  it('knows what distances are by chance: what it takes off is their mean over samples of one law', () => {
    const prng = createPrng(4);
    const sample = (rows: number) => Float64Array.from({ length: rows }, () => prng.nextGaussian()).sort();
    const counts = (rows: number) => {
      const found = [0, 0, 0, 0, 0];
      for (let row = 0; row < rows; row++) found[prng.nextInt(5)]!++;
      return found;
    };
    const ratios = (one: () => [number, number]) => {
      const all = Array.from({ length: 300 }, one);
      return all.reduce((sum, [raw]) => sum + raw, 0) / all.reduce((sum, [, chance]) => sum + chance, 0);
    };
    const numbers = ratios(() => {
      const { distance, chance } = walkSamples(sample(500), sample(200));
      return [distance, chance];
    });
    const categories = ratios(() => {
      const { divergence, chance } = jensenShannon(counts(500), counts(200));
      return [divergence, chance];
    });
    expect(Math.abs(numbers - 1)).toBeLessThan(0.08);
    expect(Math.abs(categories - 1)).toBeLessThan(0.12);
  });

  it('compares shares, and says nothing of an empty sample', () => {
    const found = proportionTest({ hits: 10, rows: 1000 }, { hits: 40, rows: 1000 })!;
    expect(found.z).toBeCloseTo(4.2967, 3);
    expect(found.pValue).toBeCloseTo(1.7335e-5, 8);
    expect(proportionTest({ hits: 0, rows: 0 }, { hits: 1, rows: 2 })).toBeUndefined();
    expect(proportionTest({ hits: 0, rows: 5 }, { hits: 0, rows: 2 })!.pValue).toBe(1);
  });

  it('expects accuracy and log loss from the probabilities alone', () => {
    expect(expectedAccuracy(Float64Array.from([0.5, 0.7]))!.value).toBeCloseTo(0.6, 12);
    expect(expectedLogLoss(Float64Array.from([0.5, 0.5]), 2)!.value).toBeCloseTo(Math.LN2, 12);
    expect(expectedLogLoss(Float64Array.from([1, 0]), 2)!.value).toBe(0);
    expect(expectedRocAuc(Float64Array.from([1, 1]))).toBeUndefined();
    expect(expectedAccuracy(new Float64Array(0))).toBeUndefined();
  });
});
