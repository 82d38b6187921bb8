import type { SampleWalk } from './walk-samples.js';

/** Up to so many cells of the lattice the exact chance is counted; beyond, the limit is closer than any decision needs. */
const EXACT_CELLS = 250_000;

export interface KolmogorovSmirnov {
  /** The largest distance between the two cumulative shares, 0 to 1. */
  statistic: number;
  /** Where it is reached. */
  at: number;
  /** 1 where the second sample lies higher there, -1 where it lies lower, 0 where they do not differ. */
  direction: -1 | 0 | 1;
  pValue: number;
  method: 'exact' | 'limit';
}

/**
 * The two-sample test of Kolmogorov and Smirnov, two-sided: whether two samples of numbers come from one distribution. With ties it errs
 * on the side of no difference.
 * @param walk over both samples
 * @param method `auto` counts exactly up to 250,000 pairs
 */
export function kolmogorovSmirnov(
  { referenceRows: m, currentRows: n, gap, at }: SampleWalk,
  method: 'auto' | 'exact' | 'limit' = 'auto',
): KolmogorovSmirnov {
  const divisor = greatestDivisor(m, n);
  // In steps of 1 / lcm(m, n), so that equal distances compare as equal.
  const steps = Math.round((Math.abs(gap) / m / n) * (m / divisor) * n);
  const statistic = Math.abs(gap) / m / n;
  const isExact = method === 'exact' || (method === 'auto' && m * n <= EXACT_CELLS);
  return {
    statistic,
    at,
    direction: gap === 0 ? 0 : gap > 0 ? 1 : -1,
    pValue: isExact ? exactTail(m, n, divisor, steps) : kolmogorovTail(statistic * Math.sqrt((m / (m + n)) * n)),
    method: isExact ? 'exact' : 'limit',
  };
}

/**
 * The chance that a random path from (0, 0) to (m, n) comes as far as `steps` from the diagonal (Hodges 1958, "The significance probability
 * of the Smirnov two-sample test"): the last step of a path to (i, j) comes from (i - 1, j) with the chance i / (i + j).
 */
function exactTail(m: number, n: number, divisor: number, steps: number): number {
  if (steps === 0) return 1;
  const across = n / divisor;
  const up = m / divisor;
  const isOutside = (i: number, j: number) => Math.abs(i * across - j * up) >= steps;
  const reached = new Float64Array(n + 1);
  for (let j = 0; j <= n; j++) reached[j] = isOutside(0, j) || (j > 0 && reached[j - 1] === 1) ? 1 : 0;
  for (let i = 1; i <= m; i++) {
    reached[0] = isOutside(i, 0) || reached[0] === 1 ? 1 : 0;
    for (let j = 1; j <= n; j++) reached[j] = isOutside(i, j) ? 1 : (i * reached[j]! + j * reached[j - 1]!) / (i + j);
  }
  return reached[n]!;
}

/** The limit of the chance that the distance times the root of the effective count is at least `x` (Kolmogorov 1933). */
export function kolmogorovTail(x: number): number {
  if (!(x > 0)) return 1;
  if (x < 1) {
    let sum = 0;
    for (let k = 1; k < 20; k += 2) sum += Math.exp((-k * k * Math.PI * Math.PI) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  let sum = 0;
  for (let k = 1; k < 20; k++) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * x * x);
  return Math.min(1, Math.max(0, sum));
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
