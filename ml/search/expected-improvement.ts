import { normalCdf } from './normal-distribution.js';

const HALF_LOG_2_PI = 0.5 * Math.log(2 * Math.PI);
/** From here down the difference of two almost equal numbers is left, and a series is better. */
const FAR = -30;

/**
 * The logarithm of how far a normal number falls below `best` in the mean, nothing where it does not (S. Ament et al., "Unexpected
 * improvements to expected improvement", NeurIPS 2023): a slope is left where the improvement itself rounds to 0.
 * @returns the logarithm and its slopes along mean and variance
 */
export function logExpectedImprovement(
  mean: number,
  variance: number,
  best: number,
): { value: number; ofMean: number; ofVariance: number } {
  const deviation = Math.sqrt(variance);
  const z = (best - mean) / deviation;
  const { value, slope } = logImprovement(z);
  return {
    value: value + Math.log(deviation),
    ofMean: -slope / deviation,
    ofVariance: (1 - slope * z) / (2 * variance),
  };
}

/** log(φ(z) + z Φ(z)) with its slope. */
function logImprovement(z: number): { value: number; slope: number } {
  const logDensity = -0.5 * z * z - HALF_LOG_2_PI;
  if (z < FAR) {
    // φ(z) / z² · (1 - 3 / z² + …)
    const square = z * z;
    return { value: logDensity - Math.log(square) - 3 / square, slope: -z - 2 / z + 6 / (square * z) };
  }
  const below = normalCdf(z);
  const improvement = Math.exp(logDensity) + z * below;
  return { value: Math.log(improvement), slope: below / improvement };
}
