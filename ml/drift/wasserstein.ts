/**
 * The distance of Wasserstein of order 1 between two samples: how far values must be moved on average to turn one into the other; the area
 * between the cumulative shares.
 * @param reference sorted, finite, at least one
 * @param current likewise
 * @returns `distance` in the unit of the values, and `chance`: what it would be on average if both came from one distribution, by the
 * expected size of a normal deviation of the shares at each value
 */
export function wasserstein(reference: Float64Array, current: Float64Array): { distance: number; chance: number } {
  const m = reference.length;
  const n = current.length;
  if (m === 0 || n === 0) throw new RangeError('a distance between samples needs a value in each');
  const spread = Math.sqrt((2 / Math.PI) * (1 / m + 1 / n));
  let distance = 0;
  let chance = 0;
  let last = NaN;
  for (let i = 0, j = 0; i < m || j < n;) {
    const value = j === n || (i < m && reference[i]! <= current[j]!) ? reference[i]! : current[j]!;
    if (i + j > 0 && value > last) {
      const pooled = (i + j) / (m + n);
      distance += Math.abs(i / m - j / n) * (value - last);
      chance += spread * Math.sqrt(pooled * (1 - pooled)) * (value - last);
    }
    last = value;
    if (i < m && reference[i] === value) i++;
    else j++;
  }
  return { distance, chance };
}
