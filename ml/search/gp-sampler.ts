import { minimiseLbfgs } from '../linear/minimise-lbfgs.js';
import { createPrng, type Prng } from '../random/prng.js';
import { logExpectedImprovement } from './expected-improvement.js';
import { GaussianProcess } from './gaussian-process.js';
import { createSobolSampler } from './random-sampler.js';
import { rankTrials } from './rank-trials.js';
import type { DrawRequest, Sampler } from './sampler.js';
import type { Configuration, SearchSpace } from './search-space.js';
import { SobolSequence } from './sobol.js';
import { surrogateTargets } from './surrogate-targets.js';
import type { Trial } from './trial.js';
import { configurationAt, pointOf } from './unit-cube.js';

/** Lengths, signal and noise are well enough known from so many trials; finding them costs the cube of their number, many times over. */
const MOST_FITTED = 50;
/** Places spread evenly, and places around the best, at which the improvement is looked up first. */
const EVEN_PLACES = 384;
const NEAR_PLACES = 128;
/** So many of the best places are moved uphill, so many steps. */
const CLIMBS = 6;
const CLIMB_STEPS = 20;
/** Coordinates of a place that is moved stay this far from 0 and 1, where the substitution below has no slope. */
const EDGE = 1e-3;

/** Trials that are spread evenly before the first is chosen. */
export function gpStartupTrials(space: SearchSpace): number {
  return Math.max(5, Math.min(10, space.parameters.length + 2));
}

/**
 * Bayesian optimisation (D. R. Jones, M. Schonlau and W. J. Welch 1998): a Gaussian process is fitted to what is known, and the place is
 * taken where it expects the largest improvement. Few trials go a long way, but a draw costs the cube of their number. Parameters that
 * are not active stand in the middle: the value of their parent tells such points apart. Trials that run count as if they had
 * come out as expected, so that draws side by side spread out.
 */
export function createGpSampler(space: SearchSpace): Sampler {
  const startup = gpStartupTrials(space);
  const evenly = createSobolSampler(space);
  return {
    space,
    suggest: (request) => {
      const known = surrogateTargets(request.history);
      if (request.index < startup || known.trials.length < 2) return evenly.suggest(request);
      return drawImprovement(space, request, fitSurrogate(space, request.history, known));
    },
  };
}

/** The process over the trials of a history, and where it expects the least of them. */
interface Surrogate {
  readonly process: GaussianProcess;
  readonly best: number;
  readonly bestPlace: Float64Array;
}

function fitSurrogate(
  space: SearchSpace,
  history: readonly Trial[],
  { trials, targets }: { trials: readonly Trial[]; targets: Float64Array },
): Surrogate {
  const isList = space.parameters.map(({ type }) => type === 'categorical');
  const places = trials.map(({ configuration }) => placeOf(space, configuration));
  const process = GaussianProcess.fit(places, targets, isList, MOST_FITTED);
  const means = places.map((place) => process.believe(place).mean);
  const best = Math.min(...means);
  const { running } = rankTrials(history);
  const guessed = running.map(({ configuration }) => placeOf(space, configuration));
  return {
    process: guessed.length > 0 ? process.extend(guessed) : process,
    best,
    bestPlace: places[means.indexOf(best)]!,
  };
}

function drawImprovement(
  space: SearchSpace,
  { index, seed, history }: DrawRequest,
  { process, best, bestPlace }: Surrogate,
): Configuration {
  const prng = createPrng(seed, 0x6770, index);
  const look = (place: Float64Array) => {
    const configuration = configurationAt(space, place);
    const own = placeOf(space, configuration);
    const { mean, variance } = process.believe(own);
    return { configuration, place: own, score: logExpectedImprovement(mean, variance, best).value };
  };
  const looked = [...evenPlaces(space, prng), ...nearPlaces(bestPlace, prng)].map(look);
  looked.sort((a, b) => b.score - a.score);
  const climbed = looked.slice(0, CLIMBS).map(({ place }) => look(climb(space, process, best, place)));
  const all = [...climbed, ...looked].sort((a, b) => b.score - a.score);
  // What is known already teaches nothing more, except where nothing else is left.
  const taken = new Set(history.map(({ configuration }) => keyOf(space, configuration)));
  return (all.find(({ configuration }) => !taken.has(keyOf(space, configuration))) ?? all[0]!).configuration;
}

/** The point of a configuration; parameters that are not active stand in the middle. */
function placeOf(space: SearchSpace, configuration: Configuration): Float64Array {
  return pointOf(space, configuration).map((unit) => (Number.isNaN(unit) ? 0.5 : unit));
}

function keyOf(space: SearchSpace, configuration: Configuration): string {
  return JSON.stringify(space.parameters.map(({ name }) => configuration[name]));
}

function evenPlaces(space: SearchSpace, prng: Prng): Float64Array[] {
  const sequence = new SobolSequence(space.parameters.length, prng.nextInt(2 ** 31));
  return Array.from({ length: EVEN_PLACES }, (_, at) => sequence.at(at));
}

/** Steps from a place of all widths, along some of the dimensions. */
function nearPlaces(place: Float64Array, prng: Prng): Float64Array[] {
  return Array.from({ length: NEAR_PLACES }, () => {
    const width = 0.5 * 10 ** (-2.5 * prng.next());
    const share = Math.max(prng.next(), 1 / place.length);
    return place.map((unit) =>
      prng.next() < share ? Math.min(1, Math.max(0, unit + width * prng.nextGaussian())) : unit,
    );
  });
}

/** The place that some steps uphill lead to, along the numbers among the parameters. */
function climb(space: SearchSpace, process: GaussianProcess, best: number, from: Float64Array): Float64Array {
  const moved = space.parameters.flatMap(({ type }, d) => (type === 'categorical' ? [] : [d]));
  const slopes = new Float64Array(2 * from.length);
  // x = sin² t: whatever t, x stays between 0 and 1.
  const angles = Float64Array.from(moved, (d) => Math.asin(Math.sqrt(Math.min(1 - EDGE, Math.max(EDGE, from[d]!)))));
  const placeAt = (at: Float64Array) => {
    const place = from.slice();
    moved.forEach((d, k) => (place[d] = Math.sin(at[k]!) ** 2));
    return place;
  };
  minimiseLbfgs(
    (at, gradient) => {
      const { mean, variance } = process.believe(placeAt(at), slopes);
      const { value, ofMean, ofVariance } = logExpectedImprovement(mean, variance, best);
      moved.forEach((d, k) => {
        const ofPlace = ofMean * slopes[d]! + ofVariance * slopes[from.length + d]!;
        gradient[k] = -ofPlace * Math.sin(2 * at[k]!);
      });
      return -value;
    },
    angles,
    1e-4,
    CLIMB_STEPS,
  );
  return placeAt(angles);
}
