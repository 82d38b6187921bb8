/**
 * Smooths equally spaced values by local lines or local means (loess of degree 1 or 0, Cleveland 1979) at the positions `from`,
 * `from + 1`, …
 * @param window values that take part in each fit; where it is more than there are, the weights reach that much further
 * @param weights one for each value, for robustness
 * @param from first position wanted, may be outside the values
 * @param count positions wanted
 * @param options.jump only every so many positions are fitted, those between are interpolated
 */
export function smoothLoess(
  values: Float64Array,
  window: number,
  weights: Float64Array | undefined,
  from: number,
  count: number,
  { jump = 1, degree = 1 }: { jump?: number; degree?: 0 | 1 } = {},
): Float64Array {
  const smooth = new Float64Array(count);
  let last = 0;
  for (let i = 0; i < count; i += jump) {
    smooth[i] = fitAt(values, window, weights, from + i, degree);
    last = i;
  }
  if (last < count - 1) smooth[count - 1] = fitAt(values, window, weights, from + count - 1, degree);
  if (jump > 1) {
    for (let left = 0; left < count - 1; left += jump) {
      const right = Math.min(left + jump, count - 1);
      for (let i = left + 1; i < right; i++)
        smooth[i] = smooth[left]! + ((smooth[right]! - smooth[left]!) * (i - left)) / (right - left);
    }
  }
  return smooth;
}

/** The local line's value at one position. */
function fitAt(
  values: Float64Array,
  window: number,
  weights: Float64Array | undefined,
  at: number,
  degree: 0 | 1,
): number {
  const n = values.length;
  const width = Math.min(window, n);
  // The window is centred where it can be, and pushed inside at the ends.
  const start = Math.max(0, Math.min(n - width, Math.ceil(at - (window - 1) / 2 - 1e-9)));
  const end = start + width - 1;
  let reach = Math.max(at - start, end - at);
  if (window > n) reach += Math.floor((window - n) / 2);
  const [near, far] = [0.001 * reach, 0.999 * reach];
  let [total, moment, sum, crossed, squared] = [0, 0, 0, 0, 0];
  for (let i = start; i <= end; i++) {
    const distance = Math.abs(i - at);
    if (distance > far) continue;
    const share = distance / reach;
    const tricube = 1 - share * share * share;
    let weight = distance <= near ? 1 : tricube * tricube * tricube;
    if (weights) weight *= weights[i]!;
    const offset = i - at;
    total += weight;
    moment += weight * offset;
    squared += weight * offset * offset;
    sum += weight * values[i]!;
    crossed += weight * offset * values[i]!;
  }
  if (!(total > 0)) return values[Math.max(0, Math.min(n - 1, Math.round(at)))]!;
  if (degree === 0) return sum / total;
  const mean = moment / total;
  const spread = squared / total - mean * mean;
  // With all weight on one place there is no slope, as in Cleveland's own code.
  if (Math.sqrt(Math.max(0, spread)) <= 0.001 * (n - 1)) return sum / total;
  const slope = (crossed / total - (mean * sum) / total) / spread;
  return sum / total - slope * mean;
}
