/** How far the cumulative shares of two samples lie apart. */
export interface SampleWalk {
  /** Values of each sample. */
  referenceRows: number;
  currentRows: number;
  /** The largest difference of the counts up to a value, `i * currentRows - j * referenceRows`: exact in whole numbers. */
  gap: number;
  /** The value at which it is reached. */
  at: number;
  /** The distance of Wasserstein of order 1: how far values must be moved on average, in their unit, to turn one sample into the other. */
  distance: number;
  /** What the distance would be on average if both came from one distribution, by the expected size of a normal deviation of the shares. */
  chance: number;
}

/**
 * Walks over two sorted samples once, from the smallest value to the largest, for all that is told of their cumulative shares: the branch that
 * takes the smaller value is guessed wrong every other time and costs more than the arithmetic, so it is taken once and not once a statistic.
 * @param reference sorted, finite, at least one
 * @param current likewise
 * @throws RangeError where a sample is empty
 */
export function walkSamples(reference: Float64Array, current: Float64Array): SampleWalk {
  const m = reference.length;
  const n = current.length;
  if (m === 0 || n === 0) throw new RangeError('two samples are compared only where each has a value');
  const all = m + n;
  let last = Math.min(reference[0]!, current[0]!);
  let at = last;
  let gap = 0;
  let distance = 0;
  let chance = 0;
  for (let i = 0, j = 0; i + j < all;) {
    const one = i < m ? reference[i]! : Infinity;
    const other = j < n ? current[j]! : Infinity;
    const value = one < other ? one : other;
    // Of equal values only what stands after the last one counts.
    if (value > last) {
      const here = i * n - j * m;
      const size = Math.abs(here);
      if (size > Math.abs(gap)) {
        gap = here;
        at = last;
      }
      const step = value - last;
      const share = (i + j) / all;
      distance += (size / m / n) * step;
      chance += Math.sqrt(share * (1 - share)) * step;
      last = value;
    }
    if (one <= other) i++;
    else j++;
  }
  const spread = Math.sqrt((2 / Math.PI) * (1 / m + 1 / n));
  return { referenceRows: m, currentRows: n, gap, at, distance, chance: spread * chance };
}
