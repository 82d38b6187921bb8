import { logGamma } from '../sequential/log-gamma.js';

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

function kolmogorovTail(lambda: number): number {
  // Below this the series converges slowly, and the chance is 1 to ten digits.
  if (lambda < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k++) {
    const term = 2 * (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * (k * lambda) ** 2);
    sum += term;
    if (Math.abs(term) < 1e-16) break;
  }
  return Math.min(1, Math.max(0, sum));
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
  let statistic = 0;
  for (const [a, b] of cells) {
    const total = a + b;
    const expected = [(total * first) / (first + second), (total * second) / (first + second)] as const;
    statistic += (a - expected[0]) ** 2 / expected[0] + (b - expected[1]) ** 2 / expected[1];
  }
  return { statistic, pValue: chiSquareTail(statistic, cells.length - 1), effect };
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

/** The chance of a chi-square value of at least `statistic`. */
export function chiSquareTail(statistic: number, degrees: number): number {
  if (degrees < 1 || statistic <= 0) return 1;
  return upperGamma(degrees / 2, statistic / 2);
}

/** The regularised upper incomplete gamma function: by its series below `a + 1`, by a continued fraction (Lentz) above. */
function upperGamma(a: number, x: number): number {
  const scale = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 1000 && term > sum * 1e-16; n++) sum += term *= x / (a + n);
    return Math.max(0, 1 - sum * scale);
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 1000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return Math.min(1, fraction * scale);
}
