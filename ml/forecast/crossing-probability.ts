import { createPrng } from '../random/prng.js';

export interface CrossingOptions {
  /** Simulated futures, 1 or more. */
  paths?: number;
  seed: number;
  /** Beyond the steps of the error paths, errors grow with this power of the step (`growthPower` of the half-widths). */
  power?: number;
}

/** How likely a series is to reach a limit. */
export interface Crossing {
  /** Share of the simulated futures that reach the limit at any step of the horizon. */
  probability: number;
  /** Share that reaches it at or before each step. */
  byStep: Float64Array;
  /** The step (from 1) by which half of the futures that reach it have done so; undefined where none does. */
  medianStep?: number;
}

const PATHS = 1000;
/** Share of another error path that is mixed in, so that 20 paths give more than 20 futures (a smoothed bootstrap). */
const MIXED_IN = 0.5;
const SHRINK = 1 / Math.sqrt(1 + MIXED_IN ** 2);

/**
 * The chance that a series reaches a limit within the horizon. Futures are the forecast plus whole error paths of the backtest, drawn
 * with replacement: errors of neighbouring steps stay as alike as they were, which decides how likely a crossing is.
 * @param errorPaths errors (actual - forecast) by origin and step; NaN where nothing was measured. Without any, the forecast itself
 * decides
 * @param limit reached when a value is at or above it
 */
export function crossingProbability(
  forecast: Float64Array,
  errorPaths: readonly Float64Array[],
  limit: number,
  { paths = PATHS, seed, power = 0 }: CrossingOptions,
): Crossing {
  if (!Number.isInteger(paths) || paths < 1) throw new RangeError(`paths must be a whole number from 1, got ${paths}`);
  const horizon = forecast.length;
  const known = errorPaths.map((path) => extendPath(path, horizon, power));
  const prng = createPrng(seed, 0x63726f73);
  const firstAt = new Float64Array(horizon);
  for (let k = 0; k < (known.length === 0 ? 1 : paths); k++) {
    const main = known.length > 0 ? known[prng.nextInt(known.length)] : undefined;
    const other = known.length > 0 ? known[prng.nextInt(known.length)] : undefined;
    // A mix has a larger spread than its parts: it is shrunk back to theirs.
    const share = MIXED_IN * prng.nextGaussian();
    for (let step = 0; step < horizon; step++) {
      const error = main && other ? SHRINK * (main[step]! + share * other[step]!) : 0;
      if (forecast[step]! + error < limit) continue;
      firstAt[step]!++;
      break;
    }
  }
  const total = known.length === 0 ? 1 : paths;
  let sum = 0;
  const byStep = firstAt.map((count) => (sum += count) / total);
  const probability = byStep[horizon - 1] ?? 0;
  const half = byStep.findIndex((share) => share >= probability / 2);
  return probability > 0 ? { probability, byStep, medianStep: half + 1 } : { probability, byStep };
}

/** A path over a horizon: gaps are no error, and beyond its end its second half goes on, grown as errors grow. */
function extendPath(path: Float64Array, horizon: number, power: number): Float64Array {
  const known = path.length;
  const half = Math.max(1, known >> 1);
  return Float64Array.from({ length: horizon }, (_, step) => {
    const place = step < known ? step : known - half + ((step - known) % half);
    const error = path[place]!;
    if (Number.isNaN(error)) return 0;
    return step < known ? error : error * ((step + 1) / (place + 1)) ** power;
  });
}
