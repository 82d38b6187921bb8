import { smoothLoess } from './loess.js';

/** A series as the sum of three. */
export interface Decomposition {
  trend: Float64Array;
  seasonal: Float64Array;
  /** What neither explains. */
  rest: Float64Array;
}

export interface StlOptions {
  /** Seasons that take part in smoothing one place of the season; odd, 3 or more. */
  seasonalWindow?: number;
  /** Whether one place of the season is smoothed by local means (0) or lines (1): lines go on growing after the last season. */
  seasonalDegree?: 0 | 1;
  /** Odd, longer than the season; by Cleveland's rule where it is left out. */
  trendWindow?: number;
  /** Passes between season and trend, 5 unless told; the robust kind takes 2 in each of its rounds. */
  passes?: number;
  /** True to give outliers less weight, in up to 15 rounds. */
  isRobust?: boolean;
  /** Fits every so many places of trend and low-pass only; a tenth of the window is hardly seen in the result. */
  jump?: number;
}

/**
 * Seasonal-trend decomposition by loess (Cleveland, Cleveland, McRae and Terpenning 1990).
 * @param values without gaps, at least two seasons
 * @param season steps, 2 or more
 */
export function decomposeStl(values: Float64Array, season: number, options: StlOptions = {}): Decomposition {
  const n = values.length;
  if (!(Number.isInteger(season) && season >= 2) || n < 2 * season)
    throw new RangeError(`a decomposition needs two seasons of ${season} values or more, got ${n} values`);
  const seasonalWindow = options.seasonalWindow ?? 7;
  const trendWindow = options.trendWindow ?? nextOdd((1.5 * season) / (1 - 1.5 / seasonalWindow));
  const lowPassWindow = nextOdd(season + 1);
  const jump = options.jump ?? 1;
  const [inner, outer] = options.isRobust ? [2, 15] : [options.passes ?? 5, 0];
  let trend: Float64Array = new Float64Array(n);
  let seasonal: Float64Array = new Float64Array(n);
  let weights: Float64Array | undefined;
  for (let round = 0; round <= outer; round++) {
    for (let pass = 0; pass < inner; pass++) {
      const detrended = values.map((value, i) => value - trend[i]!);
      const cycles = smoothCycles(
        detrended,
        season,
        { window: seasonalWindow, degree: options.seasonalDegree ?? 1 },
        weights,
      );
      const low = smoothLoess(lowPass(cycles, season), lowPassWindow, undefined, 0, n, { jump });
      seasonal = low.map((level, i) => cycles[i + season]! - level);
      const plain = values.map((value, i) => value - seasonal[i]!);
      trend = smoothLoess(plain, trendWindow, weights, 0, n, { jump });
    }
    if (round < outer) weights = robustnessWeights(values, trend, seasonal);
  }
  return { trend, seasonal, rest: values.map((value, i) => value - trend[i]! - seasonal[i]!) };
}

/** The smallest odd whole number that is not below x. */
function nextOdd(x: number): number {
  const whole = Math.ceil(x - 1e-9);
  return whole % 2 === 0 ? whole + 1 : whole;
}

/** Smooths each place of the season over the seasons, one season further at both ends: n + 2 × season values. */
function smoothCycles(
  values: Float64Array,
  season: number,
  { window, degree }: { window: number; degree: 0 | 1 },
  weights: Float64Array | undefined,
): Float64Array {
  const cycles = new Float64Array(values.length + 2 * season);
  for (let place = 0; place < season; place++) {
    const count = Math.floor((values.length - place - 1) / season) + 1;
    const part = new Float64Array(count);
    const partWeights = weights && new Float64Array(count);
    for (let k = 0; k < count; k++) {
      part[k] = values[place + k * season]!;
      if (partWeights) partWeights[k] = weights![place + k * season]!;
    }
    const smooth = smoothLoess(part, window, partWeights, -1, count + 2, { degree });
    for (let k = 0; k < count + 2; k++) cycles[place + k * season] = smooth[k]!;
  }
  return cycles;
}

/** Moving means over one season, one season and three: as many values as the series has. */
function lowPass(cycles: Float64Array, season: number): Float64Array {
  return movingMean(movingMean(movingMean(cycles, season), season), 3);
}

function movingMean(values: Float64Array, window: number): Float64Array {
  const means = new Float64Array(values.length - window + 1);
  let sum = 0;
  for (let i = 0; i < window; i++) sum += values[i]!;
  means[0] = sum / window;
  for (let i = 1; i < means.length; i++) {
    sum += values[i + window - 1]! - values[i - 1]!;
    means[i] = sum / window;
  }
  return means;
}

/** Bisquare weights of the rest, against six times its median. */
function robustnessWeights(values: Float64Array, trend: Float64Array, seasonal: Float64Array): Float64Array {
  const sizes = values.map((value, i) => Math.abs(value - trend[i]! - seasonal[i]!));
  const sorted = sizes.slice().sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  const limit = 6 * median;
  return sizes.map((size) => {
    if (size <= 0.001 * limit) return 1;
    return size > 0.999 * limit ? 0 : (1 - (size / limit) ** 2) ** 2;
  });
}
