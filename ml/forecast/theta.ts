import { usableSeasons } from './forecaster.js';
import type { Forecaster } from './forecaster.js';
import { minimiseSimplex } from './minimise-simplex.js';
import { isSeasonal, seasonalIndices } from './seasonal-indices.js';

/** What a Theta model was fitted with. */
export interface ThetaFit {
  alpha: number;
  theta: number;
  level: number;
  forecast(horizon: number): Float64Array;
}

const MOST_THETA = 50;

/**
 * The optimised Theta model (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler 2016): simple smoothing plus a part of the
 * straight line through the whole history; `theta` 1 is smoothing alone, 2 the method of Assimakopoulos and Nikolopoulos 2000.
 * @param values without gaps and without a season, three or more
 * @param fixed parameters that are given instead of estimated by least squares
 */
export function fitTheta(values: Float64Array, fixed: { theta?: number } = {}): ThetaFit {
  const n = values.length;
  const line = lineThrough(values);
  const unit = Math.max(1e-300, values.reduce((sum, value) => sum + Math.abs(value), 0) / n);
  const run = (level: number, alpha: number, theta: number): { squares: number; level: number } => {
    const share = 1 - 1 / theta;
    let squares = 0;
    let kept = 1;
    for (let t = 0; t < n; t++) {
      // `kept` is (1 - alpha)^t: how much of the line's own first level the smoothing still lacks.
      const after = kept * (1 - alpha);
      const predicted = level + share * (kept * line.level + ((1 - after) / alpha) * line.slope);
      const error = values[t]! - predicted;
      // The first values are fitted by the first level and tell nothing about the others.
      squares += (error / unit) ** 2;
      level = alpha * values[t]! + (1 - alpha) * level;
      kept = after;
    }
    return { squares, level };
  };
  const read = (free: Float64Array): [number, number, number] => [
    free[0]! * unit,
    free[1]!,
    fixed.theta ?? 1 + Math.exp(free[2]!),
  ];
  const objective = (free: Float64Array): number => {
    const [level, alpha, theta] = read(free);
    return alpha > 0.01 && alpha < 0.995 && theta <= MOST_THETA ? run(level, alpha, theta).squares : Infinity;
  };
  const start = [values[0]! / unit / 2, 0.5, 0];
  const steps = [0.1, 0.2, 0.5];
  const dimensions = fixed.theta === undefined ? 3 : 2;
  const found = minimiseSimplex(objective, start.slice(0, dimensions), steps.slice(0, dimensions));
  const [firstLevel, alpha, theta] = read(found);
  const { level } = run(firstLevel, alpha, theta);
  const share = 1 - 1 / theta;
  const kept = (1 - alpha) ** n;
  const forecast = (horizon: number): Float64Array =>
    Float64Array.from(
      { length: horizon },
      (_, step) => level + share * (kept * line.level + ((1 - kept * (1 - alpha)) / alpha + step) * line.slope),
    );
  return { alpha, theta, level, forecast };
}

/** Least squares line: its value just before the first value... at time 1, and its slope. */
function lineThrough(values: Float64Array): { level: number; slope: number } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const middle = (n + 1) / 2;
  let [above, below] = [0, 0];
  values.forEach((value, i) => {
    above += (i + 1 - middle) * value;
    below += (i + 1 - middle) ** 2;
  });
  const slope = below > 0 ? above / below : 0;
  return { level: mean - slope * middle, slope };
}

/** Theta on the series without its season, which is taken out by decomposition where a test finds one. */
export const theta: Forecaster = {
  name: 'theta',
  fit: (values, seasons) => {
    if (values.length < 3) return null;
    const season = usableSeasons(values.length, seasons)[0];
    if (season === undefined || !isSeasonal(values, season)) {
      const fit = fitTheta(values);
      return { forecast: fit.forecast, details: { alpha: fit.alpha, theta: fit.theta } };
    }
    const kind = values.every((value) => value > 0) ? 'multiplicative' : 'additive';
    const indices = seasonalIndices(values, season, kind);
    // A place whose index is next to nothing would be divided by it.
    if (kind === 'multiplicative' && indices.some((index) => !(index > 0.01)))
      return fitOn(values, seasonalIndices(values, season, 'additive'), 'additive');
    return fitOn(values, indices, kind);
  },
};

function fitOn(
  values: Float64Array,
  indices: Float64Array,
  kind: 'additive' | 'multiplicative',
): ReturnType<Forecaster['fit']> {
  const season = indices.length;
  const without = values.map((value, i) =>
    kind === 'additive' ? value - indices[i % season]! : value / indices[i % season]!,
  );
  const fit = fitTheta(without);
  return {
    details: { alpha: fit.alpha, theta: fit.theta, season: kind },
    forecast: (horizon) =>
      fit.forecast(horizon).map((value, step) => {
        const index = indices[(values.length + step) % season]!;
        return kind === 'additive' ? value + index : value * index;
      }),
  };
}
