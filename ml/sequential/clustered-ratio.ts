/**
 * Sums over the clusters (users, sessions) of one group: cluster i was seen n_i times, and the measure summed up to y_i over them.
 * They are all that the ratio Σy / Σn and its variance need, so they can be added up without keeping any row.
 */
export interface ClusterSums {
  /** Clusters with n_i > 0. */
  entities: number;
  /** Σ n_i. */
  requests: number;
  /** Σ y_i. */
  total: number;
  /** Σ n_i². */
  requestsSquared: number;
  /** Σ y_i². */
  totalSquared: number;
  /** Σ n_i y_i. */
  crossed: number;
}

/** A ratio with what is needed to doubt it. */
export interface ClusteredRatio {
  /** Σy / Σn, in the measure's unit a request; NaN without requests. */
  ratio: number;
  /** Variance of `ratio` between clusters; Infinity with fewer than two of them. */
  variance: number;
  /** How many equally busy clusters would weigh as evenly: (Σn)² / Σn² (Kish 1965). One bot that sends all requests makes it 1. */
  evenEntities: number;
}

/**
 * The mean of a measure a request, with its variance by the delta method on the clusters: requests of one user resemble each other, so
 * counting them as independent calls chance a finding. Deng et al., "Applying the Delta Method in Metric Analytics" (KDD 2018), eq. 3.
 * @throws RangeError for sums that no clusters can have (negative, NaN, or against Cauchy and Schwarz)
 */
export function clusteredRatio(sums: ClusterSums): ClusteredRatio {
  checkSums(sums);
  const { entities, requests, total, requestsSquared, totalSquared, crossed } = sums;
  if (requests === 0) return { ratio: NaN, variance: Infinity, evenEntities: 0 };
  const ratio = total / requests;
  const evenEntities = (requests * requests) / requestsSquared;
  if (entities < 2) return { ratio, variance: Infinity, evenEntities };
  // The residuals y_i - ratio n_i sum to 0, so the sum of their squares is all that there is; rounding may push it below 0.
  const squares = Math.max(0, totalSquared - 2 * ratio * crossed + ratio * ratio * requestsSquared);
  const variance = ((squares / (entities - 1)) * entities) / (requests * requests);
  return { ratio, variance, evenEntities };
}

/** Sums of squares in double precision are off by a few parts in 1e15 for each of up to 1e9 terms. */
const ROUNDING = 1e-6;

function checkSums(sums: ClusterSums): void {
  for (const name of ['entities', 'requests', 'requestsSquared', 'totalSquared'] as const)
    if (!(sums[name] >= 0 && sums[name] < Infinity))
      throw new RangeError(`the sum ${name} is ${sums[name]} but must be a finite number of 0 or more`);
  for (const name of ['total', 'crossed'] as const)
    if (!Number.isFinite(sums[name])) throw new RangeError(`the sum ${name} is ${sums[name]} but must be finite`);
  if (sums.entities > sums.requests)
    throw new RangeError(`${sums.entities} entities sent only ${sums.requests} requests: each must have sent one`);
  if (sums.crossed ** 2 > sums.requestsSquared * sums.totalSquared * (1 + ROUNDING))
    throw new RangeError('the sums contradict each other: no entities have this Σny with these Σn² and Σy²');
  if (sums.requests ** 2 > sums.entities * sums.requestsSquared * (1 + ROUNDING))
    throw new RangeError('the sums contradict each other: no entities have this Σn with this Σn²');
}
