import type { Candidate } from './candidate.js';
import { blendedHead } from './head-model.js';

/** A model that counts less than this is not worth its time. */
export const LEAST_WEIGHT = 0.05;
/** The weighted mean must be better than the best of its parts by more than chance: a one-sided 1 % of a paired z-test. */
export const LEAST_Z = 2.33;
const ITERATIONS = 100;

/**
 * The weighted mean of the candidates whose log loss on rows that they had not seen is least, or undefined where it is no better
 * than the best of them by more than chance. The weights are those of a mixture, found by expectation-maximisation (Dempster,
 * Laird and Rubin 1977): each step lowers the loss, and the only optimum is the best one.
 */
export function blendCandidates(candidates: readonly Candidate[], y: Float64Array): Candidate | undefined {
  const rows = [...y.keys()].filter((row) => candidates.every(({ covered }) => covered[row] === 1));
  if (rows.length === 0) return undefined;
  const truths = candidates.map(({ unseen, model }) =>
    Float64Array.from(rows, (row) => Math.max(1e-6, unseen[row * model.outputs + y[row]!]!)),
  );
  const weights = prune(mixtureWeights(truths));
  const chosen = candidates
    .map((candidate, at) => ({ candidate, weight: weights[at]! }))
    .filter(({ weight }) => weight > 0);
  if (chosen.length < 2 || !isBetterThanBest(truths, weights)) return undefined;
  return {
    algorithm: 'blend',
    model: blendedHead(chosen.map(({ candidate, weight }) => ({ weight, model: candidate.model }))),
    unseen: weightedMean(chosen),
    covered: Uint8Array.from(y, (_, row) => (candidates.every(({ covered }) => covered[row] === 1) ? 1 : 0)),
    hyperparameters: Object.fromEntries(
      chosen.map(({ candidate, weight }, at) => [nameOf(chosen, at), { weight, ...candidate.hyperparameters }]),
    ),
  };
}

/** The algorithm, and from its second model on a number: `gradient_boosting`, `gradient_boosting_2`. */
function nameOf(chosen: readonly { candidate: Candidate }[], at: number): string {
  const { algorithm } = chosen[at]!.candidate;
  const earlier = chosen.slice(0, at).filter(({ candidate }) => candidate.algorithm === algorithm).length;
  return earlier === 0 ? algorithm : `${algorithm}_${earlier + 1}`;
}

/** @param truths by model the probability that it gave the true class of each row */
export function mixtureWeights(truths: readonly Float64Array[]): number[] {
  const rows = truths[0]!.length;
  let weights = truths.map(() => 1 / truths.length);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const next = truths.map(() => 0);
    for (let row = 0; row < rows; row++) {
      let mixed = 0;
      for (let k = 0; k < truths.length; k++) mixed += weights[k]! * truths[k]![row]!;
      for (let k = 0; k < truths.length; k++) next[k]! += (weights[k]! * truths[k]![row]!) / mixed / rows;
    }
    weights = next;
  }
  return weights;
}

function prune(weights: readonly number[]): number[] {
  const kept = weights.map((weight) => (weight >= LEAST_WEIGHT ? weight : 0));
  const total = kept.reduce((sum, weight) => sum + weight, 0);
  return kept.map((weight) => weight / total);
}

function isBetterThanBest(truths: readonly Float64Array[], weights: readonly number[]): boolean {
  const loss = (probabilities: Float64Array) => probabilities.reduce((sum, p) => sum - Math.log(p), 0);
  const losses = truths.map(loss);
  const best = truths[losses.indexOf(Math.min(...losses))]!;
  const gains = best.map((p, row) => {
    let mixed = 0;
    for (let k = 0; k < truths.length; k++) mixed += weights[k]! * truths[k]![row]!;
    return Math.log(mixed) - Math.log(p);
  });
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / Math.max(1, gains.length - 1);
  return mean > 0 && mean / Math.sqrt(variance / gains.length) > LEAST_Z;
}

function weightedMean(parts: readonly { candidate: Candidate; weight: number }[]): Float64Array {
  const sum = new Float64Array(parts[0]!.candidate.unseen.length);
  for (const { candidate, weight } of parts) candidate.unseen.forEach((value, at) => (sum[at]! += weight * value));
  return sum;
}
