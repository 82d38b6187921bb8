import { chiSquareTail } from './incomplete-gamma.js';

/**
 * Whether two shares differ: the z test with a pooled variance, two-sided. Used for shares of missing values.
 * @param hits of the first sample, of `rows`
 * @returns `z` above 0 where the second share is larger; undefined where a sample is empty
 */
export function proportionTest(
  reference: { hits: number; rows: number },
  current: { hits: number; rows: number },
): { z: number; pValue: number; difference: number } | undefined {
  if (reference.rows === 0 || current.rows === 0) return undefined;
  const difference = current.hits / current.rows - reference.hits / reference.rows;
  const pooled = (reference.hits + current.hits) / (reference.rows + current.rows);
  const variance = pooled * (1 - pooled) * (1 / reference.rows + 1 / current.rows);
  if (variance === 0) return { z: 0, pValue: 1, difference };
  const z = difference / Math.sqrt(variance);
  return { z, pValue: chiSquareTail(z * z, 1), difference };
}
