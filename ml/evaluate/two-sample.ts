import { chiSquareTest } from '../drift/chi-square-test.js';
import { kolmogorovTail } from '../drift/kolmogorov-smirnov.js';

/** Whether two samples come from one distribution. */
export interface TwoSampleResult {
  statistic: number;
  /** The chance of a statistic as large when nothing differs. */
  pValue: number;
  /** How far the distributions are apart, 0 (alike) to 1 (nothing in common); does not grow with the number of rows. */
  effect: number;
}

/**
 * The two-sample Kolmogorov-Smirnov test, by its limiting distribution with Stephens' correction for small samples (1970). Ties make
 * it say less than it could, never more.
 * @param distance the largest distance of the two cumulative distributions, which is the effect, too
 */
export function kolmogorovSmirnov(distance: number, first: number, second: number): TwoSampleResult {
  const root = Math.sqrt((first * second) / (first + second));
  const lambda = (root + 0.12 + 0.11 / root) * distance;
  return { statistic: distance, pValue: kolmogorovTail(lambda), effect: distance };
}

/** Categories with fewer expected rows than this are taken together: the test's distribution does not hold for them. */
const LEAST_EXPECTED = 5;

/**
 * Pearson's chi-square test of homogeneity. The effect is the total variation distance: the share of one sample's rows that would
 * have to change their category to be like the other.
 * @param counts by category the rows of the first and of the second sample
 */
export function chiSquareHomogeneity(counts: readonly (readonly [number, number])[]): TwoSampleResult {
  const first = counts.reduce((sum, [a]) => sum + a, 0);
  const second = counts.reduce((sum, [, b]) => sum + b, 0);
  const effect = counts.reduce((sum, [a, b]) => sum + Math.abs(a / first - b / second), 0) / 2;
  const cells = poolRare(counts, first, second);
  const { statistic, pValue } = chiSquareTest(
    cells.map(([a]) => a),
    cells.map(([, b]) => b),
    0,
  ) ?? { statistic: 0, pValue: 1 };
  return { statistic, pValue, effect };
}

function poolRare(counts: readonly (readonly [number, number])[], first: number, second: number): [number, number][] {
  const smaller = Math.min(first, second) / (first + second);
  const kept: [number, number][] = [];
  const rest: [number, number] = [0, 0];
  for (const [a, b] of counts) {
    if ((a + b) * smaller >= LEAST_EXPECTED) kept.push([a, b]);
    else {
      rest[0] += a;
      rest[1] += b;
    }
  }
  if (rest[0] + rest[1] > 0) kept.push(rest);
  return kept;
}
