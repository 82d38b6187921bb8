/** The upper tail of a sample: excesses over `threshold` follow a generalised Pareto law. */
export interface ParetoTail {
  threshold: number;
  /** In [0, 0.5]: 0 is an exponential tail, more is heavier. A tail that ends (below 0) is never assumed. */
  shape: number;
  /** 0 where nothing lies above the threshold, so that nothing is known of the tail. */
  scale: number;
}

/** A heavier tail has no finite variance, and its moments say nothing. */
const HEAVIEST = 0.5;

/**
 * Fits the tail of values above the `share` quantile by probability-weighted moments (J. R. M. Hosking, J. R. Wallis, 1987).
 * @param sorted ascending, without NaN, at least one value
 * @param share of the values that count as the tail, in (0, 1)
 */
export function fitParetoTail(sorted: ArrayLike<number>, share: number): ParetoTail {
  const { threshold, count, scale: mean } = tailOf(sorted, share);
  if (count === 0) return { threshold, shape: 0, scale: 0 };
  let weighted = 0;
  for (let k = 1; k <= count; k++) {
    const excess = sorted[sorted.length - count + k - 1]! - threshold;
    weighted += (1 - (k - 0.35) / count) * excess;
  }
  weighted /= count;
  const spread = mean - 2 * weighted;
  const estimate = spread > 0 ? 2 - mean / spread : 0;
  // With few excesses the estimate is mostly noise: it is drawn to 0 as if ten more exponential ones had been seen.
  const shape = Math.min(HEAVIEST, Math.max(0, (estimate * count) / (count + 10)));
  return { threshold, shape, scale: mean * (1 - shape) };
}

/** The exponential tail with the mean excess of the values above the `share` quantile. @param sorted ascending, without NaN */
export function fitExponentialTail(sorted: ArrayLike<number>, share: number): ParetoTail {
  const { threshold, scale } = tailOf(sorted, share);
  return { threshold, shape: 0, scale };
}

function tailOf(sorted: ArrayLike<number>, share: number): { threshold: number; count: number; scale: number } {
  const rows = sorted.length;
  const threshold = sorted[Math.min(rows - 1, Math.max(0, Math.ceil(rows * (1 - share)) - 1))]!;
  let count = 0;
  let sum = 0;
  for (let i = rows - 1; i >= 0 && sorted[i]! > threshold; i--) {
    count++;
    sum += sorted[i]! - threshold;
  }
  return { threshold, count, scale: count > 0 ? sum / count : 0 };
}

/**
 * -ln P(X > value | X > from) in the tail, for value >= from >= the threshold: 0 at `from`, rising without end.
 */
export function paretoSurprise(tail: ParetoTail, value: number, from: number): number {
  if (!(value > from) || tail.scale === 0) return 0;
  const { threshold, shape, scale } = tail;
  if (shape < 1e-9) return (value - from) / scale;
  return (Math.log1p((shape * (value - threshold)) / scale) - Math.log1p((shape * (from - threshold)) / scale)) / shape;
}
