/** A rising step curve with straight lines between its points. */
export interface IsotonicCurve {
  /** Ascending inputs. */
  x: number[];
  /** Non-descending outputs. */
  y: number[];
}

/**
 * Fits the non-descending curve of least squares by pooling adjacent violators (Ayer et al. 1955; the same points as
 * scikit-learn's IsotonicRegression: both ends of every pool, equal inputs averaged first).
 * @param inputs finite numbers in any order
 * @param targets one number an input
 */
export function fitIsotonic(inputs: Float64Array, targets: Float64Array): IsotonicCurve {
  const order = Int32Array.from(inputs.keys()).sort((a, b) => inputs[a]! - inputs[b]! || a - b);
  const pools: { low: number; high: number; sum: number; weight: number }[] = [];
  for (let i = 0; i < order.length;) {
    const x = inputs[order[i]!]!;
    const pool = { low: x, high: x, sum: 0, weight: 0 };
    for (; i < order.length && inputs[order[i]!] === x; i++) {
      pool.sum += targets[order[i]!]!;
      pool.weight++;
    }
    pools.push(pool);
    while (pools.length > 1) {
      const last = pools[pools.length - 1]!;
      const before = pools[pools.length - 2]!;
      if (before.sum * last.weight < last.sum * before.weight) break;
      before.high = last.high;
      before.sum += last.sum;
      before.weight += last.weight;
      pools.pop();
    }
  }
  const curve: IsotonicCurve = { x: [], y: [] };
  for (const { low, high, sum, weight } of pools) {
    curve.x.push(low);
    curve.y.push(sum / weight);
    if (high > low) {
      curve.x.push(high);
      curve.y.push(sum / weight);
    }
  }
  return curve;
}

/** The curve's value at `x`, flat beyond both ends. */
export function applyIsotonic(curve: IsotonicCurve, x: number): number {
  const { x: xs, y: ys } = curve;
  let low = 0;
  let high = xs.length - 1;
  if (x <= xs[low]!) return ys[low]!;
  if (x >= xs[high]!) return ys[high]!;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle]! <= x) low = middle;
    else high = middle;
  }
  return ys[low]! + ((x - xs[low]!) / (xs[high]! - xs[low]!)) * (ys[high]! - ys[low]!);
}
