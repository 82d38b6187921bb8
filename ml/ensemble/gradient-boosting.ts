import type { FeatureMatrix } from '../matrix.js';
import { createPrng, shuffle } from '../random/prng.js';
import { binForGradients } from '../tree/gradient-bins.js';
import { GradientTreeGrower, type AddRows, type GradientTree } from '../tree/gradient-grow.js';
import { toFixedPoint } from '../tree/gradient-histogram.js';
import { baseMargins, derive, marginCount, meanLoss, weightedQuantile, type BoostingLoss } from './boosting-loss.js';
import {
  boostedTreesOf,
  joinBoostedTrees,
  roundCount,
  type AnsweredTree,
  type GradientBoosting,
} from './boosting-model.js';
import { checkBoostingInput, checkBoostingParameters, type GradientBoostingInput } from './boosting-parameters.js';
import { predictMargins } from './boosting-prediction.js';

export type { BoostingLoss } from './boosting-loss.js';
export { boostingFeatureImportance, roundCount, truncateBoosting, type GradientBoosting } from './boosting-model.js';
export { defaultGradientBoostingParameters } from './boosting-parameters.js';
export type { BoostingProgress, GradientBoostingInput, GradientBoostingParameters } from './boosting-parameters.js';
export { boostingRawRow, predictBoosting, predictBoostingRow } from './boosting-prediction.js';

/** The training loss of a round is measured on about this many rows: it is for looking at, and costs nothing then. */
const LOSS_ROWS = 5000;

/** Rows that are scored along with the fit. */
interface ScoredRows {
  x: FeatureMatrix;
  y: Float64Array;
  weights: Float64Array;
  margins: Float64Array;
}

/**
 * Fits a boosted model: each round grows a tree on the derivatives of the loss at what the rounds before it say. Derivatives are
 * summed in whole numbers, so the model does not depend on the order of sums or on how many threads made them, and a fit that was
 * interrupted and resumed gives the same model to the bit.
 * @param add how rows are added to histograms, for several threads
 * @throws RangeError for inputs or parameters out of range
 */
export function fitGradientBoosting(
  input: GradientBoostingInput,
  add?: (data: ReturnType<typeof binForGradients>) => AddRows,
): GradientBoosting {
  checkBoostingParameters(input.parameters);
  checkBoostingInput(input);
  const { x, y, loss, parameters: p } = input;
  const weights = balancedWeights(input);
  const data = binForGradients(x, input.weights, p.maxBins, p.seed, input.categorical);
  const limits = { ...p, maxDepth: p.maxDepth ?? Infinity };
  const grower = new GradientTreeGrower(data, limits, input.monotone, add?.(data));
  const base = baseMargins(loss, y, weights);
  const header = { loss, features: x.columns, trainRows: x.rows, baseMargins: base };
  const resumed = input.resumeFrom ? Math.min(p.nEstimators, roundCount(input.resumeFrom)) : 0;
  const trees = input.resumeFrom ? resumeTrees(input.resumeFrom, input, base, resumed) : [];
  const training = scoredRows(x, y, weights, base, input.resumeFrom);
  const { validation: v } = input;
  const validation = v && scoredRows(v.x, v.y, v.weights ?? new Float64Array(v.x.rows).fill(1), base, input.resumeFrom);
  const history = {
    train: [...(input.resumeFrom?.history.train ?? [])],
    validation: [...(input.resumeFrom?.history.validation ?? [])],
  };
  const join = (rounds: number): GradientBoosting =>
    joinBoostedTrees(trees.slice(0, rounds * marginCount(loss)), {
      ...header,
      history: {
        train: Float64Array.from(history.train.slice(0, rounds)),
        validation: Float64Array.from(history.validation.slice(0, rounds)),
      },
    });
  const round = createRound(input, grower, training, weights);
  for (let done = resumed; done < p.nEstimators && !hasStopped(history.validation, p.earlyStoppingRounds);) {
    for (const tree of round(done)) {
      trees.push(tree);
      if (validation) addAnswers(tree, trees.length - 1, validation, header);
    }
    done++;
    history.train.push(meanLoss(loss, y, training.margins, weights, LOSS_ROWS));
    if (validation) history.validation.push(meanLoss(loss, validation.y, validation.margins, validation.weights));
    input.onRound?.({
      done,
      total: p.nEstimators,
      trainLoss: history.train.at(-1)!,
      validationLoss: history.validation.at(-1),
      partial: () => join(done),
    });
  }
  const kept = p.earlyStoppingRounds !== null && validation ? bestRound(history.validation) + 1 : history.train.length;
  return join(kept);
}

function balancedWeights({ weights, y, x, loss, parameters }: GradientBoostingInput): Float64Array {
  const given = weights ?? new Float64Array(x.rows).fill(1);
  const classes = loss.kind === 'logistic' ? 2 : loss.kind === 'softmax' ? loss.classes : 0;
  if (parameters.classWeight === 'none' || classes === 0) return given;
  const perClass = new Float64Array(classes);
  for (let row = 0; row < y.length; row++) perClass[y[row]!]! += given[row]!;
  const total = perClass.reduce((sum, weight) => sum + weight, 0);
  const present = perClass.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  return given.map((weight, row) => (weight > 0 ? (weight * total) / (present * perClass[y[row]!]!) : 0));
}

function scoredRows(
  x: FeatureMatrix,
  y: Float64Array,
  weights: Float64Array,
  base: Float64Array,
  resumeFrom: GradientBoosting | undefined,
): ScoredRows {
  if (resumeFrom) return { x, y, weights, margins: predictMargins(resumeFrom, x) };
  const margins = new Float64Array(x.rows * base.length);
  for (let row = 0; row < x.rows; row++) margins.set(base, row * base.length);
  return { x, y, weights, margins };
}

function resumeTrees(
  partial: GradientBoosting,
  { loss, x }: GradientBoostingInput,
  base: Float64Array,
  rounds: number,
): AnsweredTree[] {
  const isSame =
    JSON.stringify(partial.loss) === JSON.stringify(loss) &&
    partial.features === x.columns &&
    partial.trainRows === x.rows &&
    partial.baseMargins.every((margin, k) => margin === base[k]);
  if (!isSame)
    throw new RangeError(
      `cannot resume: the partial model has the ${partial.loss.kind} loss on ${partial.trainRows} rows x ${partial.features} columns, this fit the ${loss.kind} loss on ${x.rows} x ${x.columns}, or the targets differ: start afresh`,
    );
  return boostedTreesOf(partial, rounds);
}

/** Makes the function that grows the trees of one round and adds their answers to the training margins. */
function createRound(
  { loss, parameters: p, x, y }: GradientBoostingInput,
  grower: GradientTreeGrower,
  training: ScoredRows,
  weights: Float64Array,
): (round: number) => AnsweredTree[] {
  const rows = x.rows;
  const count = marginCount(loss);
  const areWeightsWhole = weights.every((weight) => Number.isInteger(weight));
  const derivatives = { gradients: new Float64Array(rows), hessians: new Float64Array(rows) };
  const pairs = new Float64Array(2 * rows);
  const usable = Uint32Array.from(weights.keys()).filter((row) => weights[row]! > 0);
  const isSampled = p.rowSubsample < 1;
  return (round) => {
    const sample = drawRows(usable, p.rowSubsample, p.seed, round);
    const columns = drawColumns(x.columns, p.columnSubsample, p.seed, round);
    // All margins of a round are derived from the same answers.
    const before = count > 1 ? training.margins.slice() : training.margins;
    return Array.from({ length: count }, (_, k) => {
      derive(loss, y, before, k, derivatives);
      const fixed = toFixedPoint(derivatives.gradients, derivatives.hessians, weights, areWeightsWhole, pairs);
      const tree = grower.grow(fixed, sample.slice(), columns);
      const answered = answerLeaves(tree, derivatives, weights, training, { loss, p, k, count });
      if (isSampled) addAnswers(answered, k, training, { loss, features: x.columns });
      else addLeafAnswers(tree, answered, training.margins, k, count, weights, x);
      return answered;
    });
  };
}

function drawRows(usable: Uint32Array, share: number, seed: number, round: number): Uint32Array {
  if (share >= 1) return usable;
  const prng = createPrng(seed, round, 0x726f7773);
  const wanted = Math.max(1, Math.round(usable.length * share));
  const drawn = new Uint32Array(wanted);
  // Selection sampling keeps the order (Knuth, algorithm S).
  for (let i = 0, taken = 0; taken < wanted; i++) {
    if (prng.next() * (usable.length - i) < wanted - taken) drawn[taken++] = usable[i]!;
  }
  return drawn;
}

function drawColumns(columns: number, share: number, seed: number, round: number): Int32Array {
  const all = Int32Array.from({ length: columns }, (_, column) => column);
  if (share >= 1) return all;
  return shuffle(all, createPrng(seed, round, 0x636f6c73))
    .slice(0, Math.max(1, Math.round(columns * share)))
    .sort();
}

interface LeafContext {
  loss: BoostingLoss;
  p: GradientBoostingInput['parameters'];
  k: number;
  count: number;
}

/** The leaves' answers: a Newton step from the exact derivatives of their rows, or of a quantile the quantile of the residuals. */
function answerLeaves(
  tree: GradientTree,
  { gradients, hessians }: { gradients: Float64Array; hessians: Float64Array },
  weights: Float64Array,
  training: ScoredRows,
  { loss, p, k, count }: LeafContext,
): AnsweredTree {
  const value = tree.gain.slice();
  for (const { node, start, end, bounds } of tree.leaves) {
    let answer: number;
    if (loss.kind === 'quantile') {
      const rows = tree.rows.subarray(start, end);
      const residuals = Float64Array.from(rows, (row) => training.y[row]! - training.margins[row * count + k]!);
      answer = weightedQuantile(
        residuals,
        Float64Array.from(rows, (row) => weights[row]!),
        loss.alpha,
      );
    } else {
      let gradient = 0;
      let hessian = p.l2;
      for (let i = start; i < end; i++) {
        const row = tree.rows[i]!;
        gradient += weights[row]! * gradients[row]!;
        hessian += weights[row]! * hessians[row]!;
      }
      answer = hessian > 0 ? -gradient / hessian : 0;
    }
    value[node] = p.learningRate * Math.min(bounds.upper, Math.max(bounds.lower, answer));
  }
  return { ...tree, value };
}

/** Adds a tree's answers to the margins of the rows it was grown on, and walks the others down. */
function addLeafAnswers(
  tree: GradientTree,
  answered: AnsweredTree,
  margins: Float64Array,
  k: number,
  count: number,
  weights: Float64Array,
  x: FeatureMatrix,
): void {
  for (const { node, start, end } of tree.leaves) {
    const answer = answered.value[node]!;
    for (let i = start; i < end; i++) margins[tree.rows[i]! * count + k]! += answer;
  }
  if (tree.rows.length === weights.length) return;
  const rest = Uint32Array.from(weights.keys()).filter((row) => !(weights[row]! > 0));
  const single = joinBoostedTrees([answered], singleHeader(x.columns));
  const row = new Float64Array(x.columns);
  for (const at of rest) {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + at]!;
    margins[at * count + k]! += predictMargins(single, { rows: 1, columns: x.columns, values: row })[0]!;
  }
}

const singleHeader = (features: number) => ({
  loss: { kind: 'squared' } as const,
  features,
  trainRows: 0,
  baseMargins: new Float64Array(1),
  history: { train: new Float64Array(0), validation: new Float64Array(0) },
});

/** Adds a tree's answers to rows that it was not grown on. */
function addAnswers(
  tree: AnsweredTree,
  index: number,
  scored: ScoredRows,
  { loss, features }: { loss: BoostingLoss; features: number },
): void {
  const count = marginCount(loss);
  const answers = predictMargins(joinBoostedTrees([tree], singleHeader(features)), scored.x);
  for (let row = 0; row < answers.length; row++) scored.margins[row * count + (index % count)]! += answers[row]!;
}

/** The first round with the least loss. */
function bestRound(losses: readonly number[]): number {
  let best = 0;
  for (let round = 1; round < losses.length; round++) if (losses[round]! < losses[best]!) best = round;
  return best;
}

function hasStopped(losses: readonly number[], patience: number | null): boolean {
  return patience !== null && losses.length > 0 && losses.length - 1 - bestRound(losses) >= patience;
}
