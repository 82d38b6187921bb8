import { chiSquareTail } from './incomplete-gamma.js';

export interface ChiSquareTest {
  statistic: number;
  degrees: number;
  pValue: number;
  /** Categories that were counted as one because fewer than `leastExpected` were expected of them. */
  pooled: number;
}

/**
 * Pearson's test of whether two rows of counts have the same shares, without the correction for continuity. Categories of which too few are
 * expected on the smaller side are counted as one, rarest first, since the limit does not hold for them (Cochran 1954).
 * @param reference counts a category
 * @param current likewise, of the same categories
 * @param leastExpected of a category on the smaller side; 0 pools nothing
 * @returns undefined where fewer than two categories are left, or a side is empty
 */
export function chiSquareTest(
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
  leastExpected = 5,
): ChiSquareTest | undefined {
  const columns = Array.from({ length: reference.length }, (_, at) => [reference[at]!, current[at]!] as const).filter(
    ([a, b]) => a + b > 0,
  );
  const m = columns.reduce((total, [count]) => total + count, 0);
  const n = columns.reduce((total, [, count]) => total + count, 0);
  if (m === 0 || n === 0) return undefined;
  const least = leastExpected * ((m + n) / Math.min(m, n));
  const { kept, pooled } = poolRare(columns, least);
  if (kept.length < 2) return undefined;
  let statistic = 0;
  for (const [a, b] of kept) {
    const expected = ((a + b) / (m + n)) * m;
    const other = a + b - expected;
    statistic += (a - expected) ** 2 / expected + (b - other) ** 2 / other;
  }
  const degrees = kept.length - 1;
  return { statistic, degrees, pValue: chiSquareTail(statistic, degrees), pooled };
}

/** Joins the rarest until what they are together is common enough. */
function poolRare(columns: (readonly [number, number])[], least: number) {
  const sorted = [...columns].sort(([a, b], [c, d]) => a + b - c - d);
  const rare = sorted.filter(([a, b]) => a + b < least);
  if (rare.length === 0) return { kept: sorted, pooled: 0 };
  const joined = (some: (readonly [number, number])[]) =>
    some.reduce(([x, y], [a, b]) => [x + a, y + b] as const, [0, 0] as const);
  let count = rare.length;
  // Where all rare ones together are still rare, the next one joins them.
  while (count < sorted.length && joined(sorted.slice(0, count)).reduce((x, y) => x + y) < least) count++;
  return { kept: [joined(sorted.slice(0, count)), ...sorted.slice(count)], pooled: count };
}
