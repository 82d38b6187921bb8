import { createPrng, type Prng } from '../random/prng.js';
import { candidateAt, ParzenEstimator } from './parzen-estimator.js';
import { createSobolSampler } from './random-sampler.js';
import { rankTrials } from './rank-trials.js';
import type { Sampler } from './sampler.js';
import type { Configuration, Parameter, ParameterValue, SearchSpace } from './search-space.js';
import { isActive } from './search-space.js';
import type { Trial } from './trial.js';
import { unitOf, valueAt } from './unit-cube.js';

const CANDIDATES = 24;
/** Share of the ended trials that count as good, and the most of them. */
const GOOD_SHARE = 0.1;
const MOST_GOOD = 25;
/** Of the trials that do not count as good, this many of the latest have full weight; older ones have less and less. */
const FULL_WEIGHT = 25;
/** Weight of the flat kernel, in observations. */
const PRIOR_WEIGHT = 0.5;

/** Trials that are spread evenly before the first is drawn from densities. */
export function startupTrials(space: SearchSpace): number {
  return Math.max(10, 2 * space.parameters.length);
}

/**
 * Tree-structured Parzen estimator (J. Bergstra et al., NIPS 2011), over all parameters together: 24 points are drawn where good trials
 * lie, and the one is taken where good trials are most likely beside the others. The better of the good ones weigh more (S. Watanabe,
 * "Tree-structured Parzen estimator", 2023, compares such choices). Trials that run count as not good, so that draws side by side
 * spread out. Parameters under the same condition are drawn together, from the trials that have them.
 */
export function createTpeSampler(space: SearchSpace): Sampler {
  const groups = groupParameters(space);
  const startup = startupTrials(space);
  const evenly = createSobolSampler(space);
  return {
    space,
    suggest: (request) => {
      if (request.index < startup) return evenly.suggest(request);
      const { ranked, running } = rankTrials(request.history);
      const configuration: Record<string, ParameterValue> = {};
      groups.forEach((group, number) => {
        if (!isActive(group[0]!, configuration)) return;
        const prng = createPrng(request.seed, 0x747065, request.index, number);
        Object.assign(configuration, drawGroup(group, ranked, running, prng));
      });
      return configuration;
    },
  };
}

function drawGroup(
  group: readonly Parameter[],
  ranked: readonly Trial[],
  running: readonly Trial[],
  prng: Prng,
): Configuration {
  const hasGroup = ({ configuration }: Trial) => configuration[group[0]!.name] !== undefined;
  const known = ranked.filter(hasGroup);
  const goodCount = Math.min(Math.ceil(GOOD_SHARE * known.length), MOST_GOOD);
  const good = estimate(group, known.slice(0, goodCount), rankWeights(goodCount));
  const rest = [...known.slice(goodCount), ...running.filter(hasGroup)].sort((a, b) => a.index - b.index);
  const bad = estimate(group, rest, ageWeights(rest.length));
  let best = -Infinity;
  let chosen: Float64Array | undefined;
  for (let k = 0; k < CANDIDATES; k++) {
    const candidate = candidateAt(group, good.draw(prng));
    const score = good.logDensity(candidate) - bad.logDensity(candidate);
    if (chosen && !(score > best)) continue;
    best = score;
    chosen = candidate.point;
  }
  return Object.fromEntries(group.map((parameter, d) => [parameter.name, valueAt(parameter, chosen![d]!)]));
}

function estimate(group: readonly Parameter[], trials: readonly Trial[], weights: Float64Array): ParzenEstimator {
  const points = trials.map(({ configuration }) =>
    Float64Array.from(group, (parameter) => unitOf(parameter, configuration[parameter.name]!)),
  );
  return new ParzenEstimator(group, points, weights, PRIOR_WEIGHT);
}

/** Falls with the logarithm of the rank, as the weights of parents do in evolution strategies (N. Hansen); 1 in the mean. */
function rankWeights(count: number): Float64Array {
  const weights = Float64Array.from({ length: count }, (_, rank) => Math.log(count + 1.5) - Math.log(rank + 1));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => (weight * count) / sum);
}

/** @returns weights of trials in the order they were drawn */
function ageWeights(count: number): Float64Array {
  const old = count - FULL_WEIGHT;
  return Float64Array.from({ length: count }, (_, at) =>
    at >= old ? 1 : 1 / count + ((1 - 1 / count) * at) / Math.max(1, old - 1),
  );
}

/** Parameters that are always active together; parents are in an earlier group. */
function groupParameters(space: SearchSpace): Parameter[][] {
  const groups = new Map<string, Parameter[]>();
  for (const parameter of space.parameters) {
    const { when } = parameter;
    const values = when?.in.map((value) => JSON.stringify(value)).sort();
    const key = JSON.stringify(when ? [when.parameter, values] : []);
    groups.set(key, [...(groups.get(key) ?? []), parameter]);
  }
  return [...groups.values()];
}
