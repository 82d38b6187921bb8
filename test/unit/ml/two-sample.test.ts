import { describe, expect, it } from 'vitest';
import { chiSquareTail } from '../../../ml/drift/incomplete-gamma.js';
import { chiSquareHomogeneity, kolmogorovSmirnov } from '../../../ml/evaluate/two-sample.js';
import { createPrng } from '../../../ml/random/prng.js';

/** The largest distance of two samples' cumulative distributions. */
function distanceOf(first: readonly number[], second: readonly number[]): number {
  const values = [...first, ...second].toSorted((a, b) => a - b);
  const share = (sample: readonly number[], value: number) =>
    sample.filter((one) => one <= value).length / sample.length;
  return Math.max(...values.map((value) => Math.abs(share(first, value) - share(second, value))));
}

describe('the comparison of two samples', () => {
  it.each([
    [3.841458820694124, 1, 0.05],
    [18.307038053275146, 10, 0.05],
    [124.34211340400407, 100, 0.05],
    [0.5, 3, 0.9188914116546758],
    [60, 5, 1.2154569777183007e-11],
  ])('knows the chi-square distribution: %s with %s degrees', (statistic, degrees, expected) => {
    expect(chiSquareTail(statistic, degrees) / expected).toBeCloseTo(1, 6);
  });

  it.each([
    // scipy.special.kolmogorov at lambda = (root + 0.12 + 0.11 / root) * distance with root = 10 / sqrt(2) * sqrt(2) = 10.
    [1.36, 0.049485876755377876],
    [0.5, 0.9639452436648751],
    [2, 0.0006709252557796953],
  ])('knows the Kolmogorov distribution at %s', (lambda, expected) => {
    const root = 10;
    const distance = lambda / (root + 0.12 + 0.11 / root);
    expect(kolmogorovSmirnov(distance, 200, 200).pValue).toBeCloseTo(expected, 8);
  });

  it('alarms as often as stated when nothing has changed', () => {
    const prng = createPrng(3);
    const runs = 400;
    let ordered = 0;
    let categories = 0;
    for (let run = 0; run < runs; run++) {
      const draw = (count: number) => Array.from({ length: count }, () => prng.nextGaussian());
      ordered += Number(kolmogorovSmirnov(distanceOf(draw(60), draw(90)), 60, 90).pValue < 0.05);
      const counts = Array.from({ length: 5 }, (): [number, number] => [0, 0]);
      for (let row = 0; row < 300; row++) counts[Math.floor(5 * prng.next() ** 2)]![row % 3 === 0 ? 0 : 1]++;
      categories += Number(chiSquareHomogeneity(counts).pValue < 0.05);
    }
    // 5 % of 400 is 20; beyond 7 and 36 lie less than one in a thousand.
    for (const alarms of [ordered, categories]) {
      expect(alarms).toBeGreaterThanOrEqual(7);
      expect(alarms).toBeLessThanOrEqual(36);
    }
  });

  it('sees a real change, and tells a large one from a small one whatever the number of rows', () => {
    const small = chiSquareHomogeneity([
      [500_000, 505_000],
      [500_000, 495_000],
    ]);
    expect(small.pValue).toBeLessThan(1e-9);
    expect(small.effect).toBeCloseTo(0.005, 10);
    const large = chiSquareHomogeneity([
      [90, 50],
      [10, 50],
    ]);
    expect(large.pValue).toBeLessThan(1e-6);
    expect(large.effect).toBeCloseTo(0.4, 10);
  });

  it('says nothing of a single category, and takes rare ones together', () => {
    expect(chiSquareHomogeneity([[10, 30]]).pValue).toBe(1);
    const rare = Array.from({ length: 50 }, (_, at): [number, number] => [at % 2, 1 - (at % 2)]);
    expect(chiSquareHomogeneity([[500, 500], ...rare]).pValue).toBeGreaterThan(0.9);
  });
});
