/** Whether a season adds to the level or multiplies it. */
export type SeasonalKind = 'additive' | 'multiplicative';

/**
 * The usual height of each place in a season, against a moving mean over one season (classical decomposition).
 * @param values without gaps, at least two seasons; above 0 for the multiplicative kind
 * @returns one number a place (index of the value mod season): with sum 0, or with mean 1
 */
export function seasonalIndices(values: Float64Array, season: number, kind: SeasonalKind): Float64Array {
  const level = centredMean(values, season);
  const sums = new Float64Array(season);
  const counts = new Int32Array(season);
  level.forEach((mean, i) => {
    if (Number.isNaN(mean)) return;
    sums[i % season]! += kind === 'additive' ? values[i]! - mean : values[i]! / mean;
    counts[i % season]!++;
  });
  const indices = sums.map((sum, place) => sum / Math.max(1, counts[place]!));
  const mean = indices.reduce((sum, index) => sum + index, 0) / season;
  return indices.map((index) => (kind === 'additive' ? index - mean : index / mean));
}

/** Mean of one season around each value, the two ends counted half where the season is even; NaN near the ends. */
function centredMean(values: Float64Array, season: number): Float64Array {
  const half = season >> 1;
  const isEven = season % 2 === 0;
  return values.map((_, i) => {
    if (i < half || i + half >= values.length) return NaN;
    let sum = 0;
    for (let k = -half; k <= half; k++) sum += values[i + k]! * (isEven && Math.abs(k) === half ? 0.5 : 1);
    return sum / season;
  });
}

/**
 * Whether values one season apart resemble each other more than chance: the autocorrelation at that lag against a 90 % limit
 * that grows with the autocorrelations at shorter lags (Bartlett), as in the Theta method's own test.
 */
export function isSeasonal(values: Float64Array, season: number): boolean {
  const n = values.length;
  if (n < 2 * season + 1) return false;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  let total = 0;
  for (const value of values) total += (value - mean) ** 2;
  if (total === 0) return false;
  let [squares, last] = [0, 0];
  for (let lag = 1; lag <= season; lag++) {
    let sum = 0;
    for (let i = lag; i < n; i++) sum += (values[i]! - mean) * (values[i - lag]! - mean);
    if (lag < season) squares += (sum / total) ** 2;
    else last = sum / total;
  }
  return Math.abs(last) > 1.645 * Math.sqrt((1 + 2 * squares) / n);
}
