import { chooseEnsemble } from '../../../ml/ensemble/choose-ensemble.js';
import type { Candidate } from './candidate.js';
import { blendedHead } from './head-model.js';
import { costOf, type ModelCost } from './model-cost.js';

/** A model that counts less than this is not worth its time. */
export const LEAST_WEIGHT = 0.05;
/** The weighted mean must be better than the best of its parts by more than chance: a one-sided 1 % of a paired z-test. */
export const LEAST_Z = 2.33;

/** What the models of a blend may come to together. */
export type BlendLimits = Partial<ModelCost>;

/**
 * The weighted mean of the candidates that loses least on rows which they had not seen, within the limits on size and time; or undefined
 * where it is no better than the best of them by more than chance.
 * @param y class numbers, or values on the scale that the candidates learned
 */
export function blendCandidates(
  candidates: readonly Candidate[],
  y: Float64Array,
  limits: BlendLimits = {},
): Candidate | undefined {
  const rows = [...y.keys()].filter((row) => candidates.every(({ covered }) => covered[row] === 1));
  if (rows.length === 0) return undefined;
  const isRegression = candidates[0]!.model.outputs === 1;
  const answers = candidates.map(({ unseen, model }) =>
    Float64Array.from(rows, (row) =>
      isRegression ? unseen[row]! : Math.max(1e-6, unseen[row * model.outputs + y[row]!]!),
    ),
  );
  const lossOf = isRegression
    ? (mean: number, at: number) => (mean - y[rows[at]!]!) ** 2
    : (mean: number) => -Math.log(mean);
  const shares = chooseEnsemble({ answers, lossOf, isAllowed: withinLimits(candidates, limits) });
  if (!shares) return undefined;
  const weights = prune(shares);
  const chosen = candidates
    .map((candidate, at) => ({ candidate, weight: weights[at]! }))
    .filter(({ weight }) => weight > 0);
  if (chosen.length < 2 || !isBetterThanBest(answers, weights, lossOf)) return undefined;
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

function withinLimits(candidates: readonly Candidate[], { model_bytes: bytes, latency_us: us }: BlendLimits) {
  if (bytes === undefined && us === undefined) return undefined;
  const costs = candidates.map(({ model }) => costOf([model]));
  const total = (members: readonly number[], of: keyof ModelCost) =>
    members.reduce((sum, at) => sum + costs[at]![of], 0);
  return (members: readonly number[]) =>
    total(members, 'model_bytes') <= (bytes ?? Infinity) && total(members, 'latency_us') <= (us ?? Infinity);
}

/** The algorithm, and from its second model on a number: `gradient_boosting`, `gradient_boosting_2`. */
function nameOf(chosen: readonly { candidate: Candidate }[], at: number): string {
  const { algorithm } = chosen[at]!.candidate;
  const earlier = chosen.slice(0, at).filter(({ candidate }) => candidate.algorithm === algorithm).length;
  return earlier === 0 ? algorithm : `${algorithm}_${earlier + 1}`;
}

function prune(weights: readonly number[]): number[] {
  const kept = weights.map((weight) => (weight >= LEAST_WEIGHT ? weight : 0));
  const total = kept.reduce((sum, weight) => sum + weight, 0);
  return kept.map((weight) => weight / total);
}

function isBetterThanBest(
  answers: readonly Float64Array[],
  weights: readonly number[],
  lossOf: (mean: number, at: number) => number,
): boolean {
  const losses = answers.map((own) => own.map(lossOf));
  const totals = losses.map((own) => own.reduce((sum, loss) => sum + loss, 0));
  const best = losses[totals.indexOf(Math.min(...totals))]!;
  const gains = best.map((loss, row) => {
    let mixed = 0;
    for (let k = 0; k < answers.length; k++) mixed += weights[k]! * answers[k]![row]!;
    return loss - lossOf(mixed, row);
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
