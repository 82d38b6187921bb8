import { chooseEnsemble } from '../../../ml/ensemble/choose-ensemble.js';
import type { Candidate } from './candidate.js';
import { blendedHead } from './head-model.js';
import { costOf, type ModelCost } from './model-cost.js';

/** A model that counts less than this is not worth its time. */
export const LEAST_WEIGHT = 0.05;
/** The weighted mean must be better than the best of its parts by more than chance: a one-sided 1 % of a paired z-test. */
export const LEAST_Z = 2.33;

/** Fewer rows than this hardly tell which of several good models is the best: whichever seems so is so partly by luck. */
const FEW_ROWS = 1000;

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
  const { answers, lossOf } = unseenAnswers(candidates, y);
  if (answers[0]!.length === 0) return undefined;
  const shares = chooseEnsemble({ answers, lossOf, isAllowed: withinLimits(candidates, limits) });
  if (!shares) return undefined;
  const weights = prune(shares);
  const chosen = candidates
    .map((candidate, at) => ({ candidate, weight: weights[at]! }))
    .filter(({ weight }) => weight > 0);
  if (chosen.length < 2 || !isBetterThanBest(answers, weights, lossOf)) return undefined;
  return blendOf(chosen);
}

/**
 * Where rows are few, the plain mean of the candidates that lose no more than the best of them by more than chance, within the limits: choosing one
 * of them by so few rows is mostly luck, and so are weights, which their mean needs not (R. T. Clemen, "Combining forecasts: a review and
 * annotated bibliography", 1989). Undefined where rows are many, or where one candidate is left.
 */
export function averageEquals(
  candidates: readonly Candidate[],
  y: Float64Array,
  limits: BlendLimits = {},
): Candidate | undefined {
  const { answers, judgedBy } = unseenAnswers(candidates, y);
  if (answers[0]!.length === 0 || answers[0]!.length >= FEW_ROWS) return undefined;
  const losses = answers.map((own) => own.map(judgedBy));
  const totals = losses.map(sum);
  const [best, ...others] = [...candidates.keys()].toSorted((one, other) => totals[one]! - totals[other]!);
  const isAllowed = withinLimits(candidates, limits) ?? (() => true);
  const members = [best!];
  for (const at of others) {
    const behind = losses[at]!.map((loss, row) => loss - losses[best!]![row]!);
    if (zOfMean(behind) <= LEAST_Z && isAllowed([...members, at])) members.push(at);
  }
  if (members.length < 2 || !isAllowed(members)) return undefined;
  return blendOf(
    members
      .toSorted((one, other) => one - other)
      .map((at) => ({ candidate: candidates[at]!, weight: 1 / members.length })),
  );
}

/** What each candidate said of the rows that none of them had seen: the chance of the truth, or a value; what a mean of several loses on a row, and by what a single one is judged there. */
function unseenAnswers(candidates: readonly Candidate[], y: Float64Array) {
  const rows = [...y.keys()].filter((row) => candidates.every(({ covered }) => covered[row] === 1));
  const isRegression = candidates[0]!.model.outputs === 1;
  const answers = candidates.map(({ unseen, model }) =>
    Float64Array.from(rows, (row) =>
      isRegression ? unseen[row]! : Math.max(1e-6, unseen[row * model.outputs + y[row]!]!),
    ),
  );
  const lossOf = isRegression
    ? (mean: number, at: number) => (mean - y[rows[at]!]!) ** 2
    : (mean: number) => -Math.log(mean);
  // Candidates of a regression are judged by absolute errors: a few rows of a long tail would drown every difference of squares.
  const judgedBy = isRegression ? (value: number, at: number) => Math.abs(value - y[rows[at]!]!) : lossOf;
  return { answers, lossOf, judgedBy };
}

type Parts = readonly { candidate: Candidate; weight: number }[];

function blendOf(parts: Parts): Candidate {
  const isCovered = (row: number) => parts.every(({ candidate }) => candidate.covered[row] === 1);
  return {
    algorithm: 'blend',
    model: blendedHead(parts.map(({ candidate, weight }) => ({ weight, model: candidate.model }))),
    unseen: weightedMean(parts),
    covered: parts[0]!.candidate.covered.map((_, row) => (isCovered(row) ? 1 : 0)),
    hyperparameters: Object.fromEntries(
      parts.map(({ candidate, weight }, at) => [nameOf(parts, at), { weight, ...candidate.hyperparameters }]),
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
function nameOf(chosen: Parts, at: number): string {
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
  const totals = losses.map(sum);
  const best = losses[totals.indexOf(Math.min(...totals))]!;
  const gains = best.map((loss, row) => {
    let mixed = 0;
    for (let k = 0; k < answers.length; k++) mixed += weights[k]! * answers[k]![row]!;
    return loss - lossOf(mixed, row);
  });
  return zOfMean(gains) > LEAST_Z;
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/** How many of its standard errors a mean is above 0; 0 where all values are. */
function zOfMean(values: Float64Array): number {
  const mean = sum(values) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return mean === 0 ? 0 : mean / Math.sqrt(variance / values.length);
}

function weightedMean(parts: Parts): Float64Array {
  const mean = new Float64Array(parts[0]!.candidate.unseen.length);
  for (const { candidate, weight } of parts) candidate.unseen.forEach((value, at) => (mean[at]! += weight * value));
  return mean;
}
