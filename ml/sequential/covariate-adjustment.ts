import { clusteredRatio, type ClusterSums } from './clustered-ratio.js';

/** Sums of a value x_i that each cluster already had before the experiment, such as its revenue of the month before. */
export interface CovariateSums {
  /** Σ x_i. */
  total: number;
  /** Σ x_i². */
  squared: number;
  /** Σ x_i y_i. */
  withTotal: number;
  /** Σ x_i n_i. */
  withRequests: number;
}

/** A group with what its clusters were like before; without `before` nothing is adjusted. */
export interface CovariateGroup extends ClusterSums {
  before?: CovariateSums;
}

export interface AdjustedDifference {
  /** Ratio of the first group minus that of the second. */
  difference: number;
  variance: number;
  /** Share of the variance that the covariate took away, in [0, 1]. */
  varianceRemoved: number;
}

/**
 * The difference of two groups' ratios, less what their members' past explains of it (Deng, Xu, Kohavi and Walker, "Improving the
 * sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM 2013), for ratios by their linearised values
 * (y_i - ratio n_i) / mean n. The slope is common to both groups, so it cannot favour one; with a value from before the assignment the
 * difference stays unbiased. Where the covariate says nothing, or a group lacks it, the plain difference comes back.
 */
export function adjustedDifference(first: CovariateGroup, second: CovariateGroup): AdjustedDifference {
  const groups = [first, second].map((group) => ({ group, plain: clusteredRatio(group), spread: spreadOf(group) }));
  const [a, b] = [groups[0]!, groups[1]!];
  const plain = a.plain.variance + b.plain.variance;
  const difference = a.plain.ratio - b.plain.ratio;
  const unadjusted = { difference, variance: plain, varianceRemoved: 0 };
  if (!a.spread || !b.spread || !(plain > 0) || !Number.isFinite(plain)) return unadjusted;
  const squares = a.spread.squares + b.spread.squares;
  if (!(squares > 0)) return unadjusted;
  const slope = (a.spread.products + b.spread.products) / squares;
  const variance = groups.reduce((sum, { group, plain, spread }) => {
    const change = slope * slope * spread!.squares - 2 * slope * spread!.products;
    return sum + Math.max(0, plain.variance + change / ((group.entities - 1) * group.entities));
  }, 0);
  if (!(variance < plain)) return unadjusted;
  return {
    difference: difference - slope * (a.spread.mean - b.spread.mean),
    variance,
    varianceRemoved: 1 - variance / plain,
  };
}

/** Of one group the mean of x, Σ (x - mean)², and Σ (x - mean) times the linearised value. */
function spreadOf(group: CovariateGroup): { mean: number; squares: number; products: number } | undefined {
  const { before, entities, requests, total } = group;
  if (!before || entities < 2 || requests === 0) return undefined;
  for (const [name, value] of Object.entries(before))
    if (!Number.isFinite(value)) throw new RangeError(`the covariate's sum ${name} is ${value} but must be finite`);
  const mean = before.total / entities;
  const squares = before.squared - entities * mean * mean;
  if (squares < -1e-6 * before.squared)
    throw new RangeError('the covariate sums contradict each other: no entities have this Σx with this Σx²');
  const ratio = total / requests;
  // The linearised values sum to 0, so the mean of x drops out of the products.
  const products = (before.withTotal - ratio * before.withRequests) / (requests / entities);
  return { mean, squares: Math.max(0, squares), products };
}
