/** Neighbouring buckets differ by this factor, so that a quantile is off by 2.5 % at most. */
const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);

/** How often values fell into each bucket. Histograms of parts add up to that of the whole. */
export type LogHistogram = Record<string, number>;

/** The bucket of a value: bucket b > 0 holds (1.05^(b-1), 1.05^b], bucket 0 all up to 1. @param value a duration or a size, at least 0 */
export const logBucket = (value: number): number => (value <= 1 ? 0 : Math.ceil(Math.log(value) / LOG_GROWTH - 1e-9));

/**
 * The value that a share of all values does not exceed, by the nearest rank: the middle of its bucket.
 * @param share in [0, 1]
 * @returns undefined where there are no values
 */
export function histogramQuantile(histogram: LogHistogram, share: number): number | undefined {
  const buckets = Object.entries(histogram)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .toSorted(([a], [b]) => a - b);
  const rank = Math.ceil(share * buckets.reduce((sum, [, count]) => sum + count, 0));
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen >= rank && count > 0) return bucket === 0 ? 1 : GROWTH ** (bucket - 0.5);
  }
  return undefined;
}
