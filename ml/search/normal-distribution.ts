import { normalQuantile } from '../evaluate/normal-quantile.js';

/** Where the quantile of a probability that rounds to 0 or 1 is cut off. */
const MOST_DEVIATIONS = 38;

/**
 * The standard normal distribution function, by the rational Chebyshev approximations of W. J. Cody ("Rational Chebyshev approximations
 * for the error function", Math. Comp. 23, 1969); the relative error stays below 1e-12 down to -37 deviations.
 */
export function normalCdf(z: number): number {
  return z < 0 ? 0.5 * erfc(-z * Math.SQRT1_2) : 1 - 0.5 * erfc(z * Math.SQRT1_2);
}

/** A normal number cut off to [low, high]. @param place from 0 to 1: the share of the kept mass below it */
export function cutOffNormal(mean: number, deviation: number, low: number, high: number, place: number): number {
  const from = normalCdf((low - mean) / deviation);
  const to = normalCdf((high - mean) / deviation);
  const p = from + place * (to - from);
  const z = p <= 1e-300 ? -MOST_DEVIATIONS : p >= 1 ? MOST_DEVIATIONS : normalQuantile(p);
  return Math.min(high, Math.max(low, mean + deviation * z));
}

const SMALL_ABOVE = [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const SMALL_BELOW = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
const MIDDLE_ABOVE = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const MIDDLE_BELOW = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const FAR_ABOVE = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const FAR_BELOW = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];

/** 1 - erf(x) for x >= 0. */
function erfc(x: number): number {
  if (x <= 0.46875) return 1 - (x * polynomial(SMALL_ABOVE, x * x)) / polynomial(SMALL_BELOW, x * x);
  if (x > 27.3) return 0;
  const scale = Math.exp(-x * x);
  if (x <= 4) return (scale * polynomial(MIDDLE_ABOVE, x)) / polynomial(MIDDLE_BELOW, x);
  const inverse = 1 / (x * x);
  const tail = (inverse * polynomial(FAR_ABOVE, inverse)) / polynomial(FAR_BELOW, inverse);
  return (scale / x) * (1 / Math.sqrt(Math.PI) - tail);
}

function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (const coefficient of coefficients) sum = sum * x + coefficient;
  return sum;
}
