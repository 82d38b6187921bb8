import type { CovariateGroup } from './covariate-adjustment.js';

/** The entities of one arm that were drawn by the same chances. Values y_i and counts n_i are of entities, as in `ClusterSums`. */
export interface PropensityCell extends CovariateGroup {
  /** The chance with which this arm was drawn, in (0, 1]. */
  propensity: number;
  /** Entities that were drawn for the arm, also those of which the measure is not known (n_i = 0). */
  assigned: number;
}

/** The cells of all arms, in the same order in every stratum. Entities of a stratum were drawn by the same chances. */
export type PropensityStratum = readonly PropensityCell[];

export interface PropensityDifference {
  difference: number;
  /** Infinity where nothing is known. */
  variance: number;
  /** Share of the variance that the covariate took away, in [0, 1]. */
  varianceRemoved: number;
}

/**
 * The difference of two arms' mean values under an allocation that changed as it learned: Horvitz and Thompson's estimate, in which an
 * entity weighs as much as its draw was unlikely. The plain mean of a bandit's arm is too low, and arms that were favoured late have met
 * other entities; this estimate is unbiased whatever the allocation looked at, as long as the chances of a stratum were fixed before its
 * entities were drawn.
 *
 * Each value is taken against the mean of the other entities of its stratum, which varies less and, as an entity's draw does not depend on
 * others' values, leaves the estimate unbiased to the last digit: (y_i - mean of the others) is N / (N - 1) (y_i - mean of all).
 * With a covariate, a common slope times it is subtracted first; the slope is estimated, so the bias is of the order 1 / N then.
 *
 * Of values with a count (n_i other than 1) it is the difference of ratios of such estimates, with a variance by the delta method.
 * @param arm, control places in each stratum
 * @throws RangeError for a propensity out of range, or strata of different lengths
 */
export function inversePropensityDifference(
  strata: readonly PropensityStratum[],
  arm: number,
  control: number,
): PropensityDifference {
  strata.forEach(checkStratum);
  const isOfEntities = strata.every((cells) =>
    cells.every(({ assigned, entities, requests }) => entities === assigned && requests === assigned),
  );
  if (!isOfEntities) {
    const [ours, theirs] = [arm, control].map((place) => inversePropensityRatio(strata.map((cells) => cells[place]!)));
    const difference = ours!.ratio - theirs!.ratio;
    return { difference, variance: ours!.variance + theirs!.variance, varianceRemoved: 0 };
  }
  const plain = differenceOfMeans(strata, arm, control);
  const adjusted = differenceOfMeans(withoutPast(strata), arm, control);
  if (!(adjusted.variance < plain.variance)) return { ...plain, varianceRemoved: 0 };
  return { ...adjusted, varianceRemoved: 1 - adjusted.variance / plain.variance };
}

function differenceOfMeans(strata: readonly PropensityStratum[], arm: number, control: number) {
  // A stratum of one has no others to compare with.
  const parts = strata.map((cells) => scoresOf(cells, arm, control)).filter(({ count }) => count >= 2);
  const entities = parts.reduce((sum, { count }) => sum + count, 0);
  const all = parts.reduce((sum, { weight }) => sum + weight, 0);
  if (entities < 2) return { difference: NaN, variance: Infinity };
  const difference = parts.reduce((sum, { weight, count, total }) => sum + (weight / all) * (total / count), 0);
  const squares = parts.reduce((sum, { weight, count, total, squared }) => {
    const scale = weight / all / count;
    return sum + scale * scale * Math.max(0, squared - 2 * difference * total + count * difference * difference);
  }, 0);
  return { difference, variance: (squares * entities) / (entities - 1) };
}

/** Of one stratum the sum of the entities' scores and of their squares. An arm that takes part no more has no cell with entities. */
function scoresOf(cells: PropensityStratum, arm: number, control: number) {
  const chance = cells.reduce((sum, { propensity }) => sum + propensity, 0);
  const count = cells.reduce((sum, { assigned }) => sum + assigned, 0);
  const mean = cells.reduce((sum, { total }) => sum + total, 0) / count;
  const others = count / (count - 1);
  let total = 0;
  let squared = 0;
  for (const [place, sign] of [
    [arm, 1],
    [control, -1],
  ] as const) {
    const cell = cells[place]!;
    const weight = (others * chance) / cell.propensity;
    total += sign * weight * (cell.total - cell.assigned * mean);
    squared += weight * weight * (cell.totalSquared - 2 * mean * cell.total + cell.assigned * mean * mean);
  }
  // Were arms taken out, those that are left stand for all entities of the stratum.
  return { count, weight: count / chance, total, squared };
}

/** The strata with what the past explains taken out of each value, where the past of all is known. */
function withoutPast(strata: readonly PropensityStratum[]): readonly PropensityStratum[] {
  let products = 0;
  let squares = 0;
  for (const cells of strata) {
    const count = cells.reduce((sum, { assigned }) => sum + assigned, 0);
    if (count === 0) continue;
    if (cells.some(({ before, assigned }) => assigned > 0 && !before)) return strata;
    const [x, y] = [(cell: PropensityCell) => cell.before?.total ?? 0, (cell: PropensityCell) => cell.total].map(
      (of) => cells.reduce((sum, cell) => sum + of(cell), 0) / count,
    ) as [number, number];
    products += cells.reduce((sum, { before }) => sum + (before?.withTotal ?? 0), 0) - count * x * y;
    squares += cells.reduce((sum, { before }) => sum + (before?.squared ?? 0), 0) - count * x * x;
  }
  if (!(squares > 0)) return strata;
  const slope = products / squares;
  return strata.map((cells) =>
    cells.map((cell) => {
      const { total: x, squared, withTotal } = cell.before ?? { total: 0, squared: 0, withTotal: 0 };
      const totalSquared = cell.totalSquared - 2 * slope * withTotal + slope * slope * squared;
      return { ...cell, total: cell.total - slope * x, totalSquared: Math.max(0, totalSquared) };
    }),
  );
}

/** One arm's ratio of sums weighted by the inverse of its chances, with its variance and how many equal entities it weighs like. */
export function inversePropensityRatio(cells: readonly PropensityCell[]): {
  ratio: number;
  variance: number;
  evenEntities: number;
} {
  const sum = (of: (cell: PropensityCell, weight: number) => number) =>
    cells.reduce((total, cell) => total + of(cell, 1 / cell.propensity), 0);
  const requests = sum((cell, weight) => weight * cell.requests);
  if (requests === 0) return { ratio: NaN, variance: Infinity, evenEntities: 0 };
  const ratio = sum((cell, weight) => weight * cell.total) / requests;
  const requestsSquared = sum((cell, weight) => weight * weight * cell.requestsSquared);
  const evenEntities = (requests * requests) / requestsSquared;
  const entities = sum((cell) => cell.entities);
  if (entities < 2) return { ratio, variance: Infinity, evenEntities };
  const squares =
    sum((cell, weight) => weight * weight * (cell.totalSquared - 2 * ratio * cell.crossed)) +
    ratio * ratio * requestsSquared;
  return { ratio, variance: (Math.max(0, squares) * entities) / (entities - 1) / (requests * requests), evenEntities };
}

function checkStratum(cells: PropensityStratum, at: number, strata: readonly PropensityStratum[]): void {
  if (cells.length !== strata[0]!.length)
    throw new RangeError(`stratum ${at} has ${cells.length} arms, the first one ${strata[0]!.length}`);
  for (const { propensity, assigned, entities } of cells) {
    if (!(propensity > 0 && propensity <= 1))
      throw new RangeError(`an arm of stratum ${at} was drawn with the chance ${propensity}: it must be in (0, 1]`);
    if (!(assigned >= entities))
      throw new RangeError(`stratum ${at} has ${assigned} entities, of which ${entities} have the measure`);
  }
}
