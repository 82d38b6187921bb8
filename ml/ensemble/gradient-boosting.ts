import type { FeatureMatrix } from '../matrix.js';
import { createPrng, shuffle } from '../random/prng.js';
import { BoostingGrower, type BoostedTree, type OpenLeaf } from './boosting-grow.js';
import { baseMargins, marginCount, meanLoss, weightedQuantile, type BoostingLoss } from './boosting-loss.js';
import {
  boostedTreesOf,
  joinBoostedTrees,
  roundCount,
  truncateBoosting,
  type GradientBoosting,
} from './boosting-model.js';
import { checkBoostingInput, checkBoostingParameters, type GradientBoostingInput } from './boosting-parameters.js';
import { predictMargins } from './boosting-prediction.js';
import { setUpBoosting, splittableColumns, type BoostingSetup } from './boosting-setup.js';
import { DERIVE, TASK, type BoostingCrew } from './boosting-work.js';

export type { BoostingLoss } from './boosting-loss.js';
export { boostingFeatureImportance, roundCount, truncateBoosting, type GradientBoosting } from './boosting-model.js';
export { defaultGradientBoostingParameters } from './boosting-parameters.js';
export type { GradientBoostingInput, GradientBoostingParameters } from './boosting-parameters.js';
export { boostingRawRow, predictBoosting, predictBoostingRow } from './boosting-prediction.js';

/** The training loss of a round is measured on about this many rows: it is for looking at, and costs nothing then. */
const LOSS_ROWS = 5000;

/** Rows that are scored along with the fit. */
interface ScoredRows {
  x: FeatureMatrix;
  y: Float64Array;
  weights: Float64Array | undefined;
  margins: Float64Array;
}

/**
 * Fits a boosted model: each round grows a tree on the derivatives of the loss at what the rounds before it say. Derivatives are
 * summed in whole numbers, so the model does not depend on the order of sums or on how many threads made them, and a fit that was
 * interrupted and resumed gives the same model to the bit.
 * @param crew several threads to work on, where there are any
 * @throws RangeError for inputs or parameters out of range
 */
export function fitGradientBoosting(input: GradientBoostingInput, crew?: BoostingCrew): GradientBoosting {
  checkBoostingParameters(input.parameters);
  checkBoostingInput(input);
  const weights = balancedWeights(input);
  const base = baseMargins(input.loss, input.y, weights);
  try {
    const setup = setUpBoosting(input, weights, crew);
    return growRounds(input, weights, base, setup, crew);
  } finally {
    crew?.detach();
  }
}

function growRounds(
  input: GradientBoostingInput,
  weights: Float64Array | undefined,
  base: Float64Array,
  setup: BoostingSetup,
  crew: BoostingCrew | undefined,
): GradientBoosting {
  const { x, y, loss, parameters: p, validation: v } = input;
  const header = { loss, features: x.columns, trainRows: x.rows, baseMargins: base };
  const before = input.resumeFrom && truncateBoosting(input.resumeFrom, p.nEstimators);
  const trees = before ? resumeTrees(before, input, base) : [];
  const startFrom = (matrix: FeatureMatrix, margins: Float64Array): Float64Array => {
    if (before) margins.set(predictMargins(before, matrix));
    else for (let at = 0; at < margins.length; at++) margins[at] = base[at % base.length]!;
    return margins;
  };
  const training: ScoredRows = { x, y, weights, margins: startFrom(x, setup.margins) };
  const validation = v && {
    ...v,
    weights: v.weights,
    margins: startFrom(v.x, new Float64Array(v.x.rows * base.length)),
  };
  const history = { train: [...(before?.history.train ?? [])], validation: [...(before?.history.validation ?? [])] };
  const join = (rounds: number): GradientBoosting =>
    joinBoostedTrees(trees.slice(0, rounds * marginCount(loss)), {
      ...header,
      history: {
        train: Float64Array.from(history.train.slice(0, rounds)),
        validation: Float64Array.from(history.validation.slice(0, rounds)),
      },
    });
  const growRound = createRound(input, setup, training, crew);
  for (
    let done = history.train.length;
    done < p.nEstimators && !hasStopped(history.validation, p.earlyStoppingRounds);
  ) {
    for (const tree of growRound(done)) {
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
  return join(p.earlyStoppingRounds !== null && validation ? bestRound(history.validation) + 1 : history.train.length);
}

/** The sample weights times those of the classes; undefined where all are 1. */
function balancedWeights({ weights, y, x, loss, parameters }: GradientBoostingInput): Float64Array | undefined {
  const classes = loss.kind === 'logistic' ? 2 : loss.kind === 'softmax' ? loss.classes : 0;
  if (parameters.classWeight === 'none' || classes === 0) return weights;
  const given = weights ?? new Float64Array(x.rows).fill(1);
  const perClass = new Float64Array(classes);
  for (let row = 0; row < y.length; row++) perClass[y[row]!]! += given[row]!;
  const total = perClass.reduce((sum, weight) => sum + weight, 0);
  const present = perClass.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  return given.map((weight, row) => (weight > 0 ? (weight * total) / (present * perClass[y[row]!]!) : 0));
}

function resumeTrees(partial: GradientBoosting, { loss, x }: GradientBoostingInput, base: Float64Array): BoostedTree[] {
  const isSame =
    JSON.stringify(partial.loss) === JSON.stringify(loss) &&
    partial.features === x.columns &&
    partial.trainRows === x.rows &&
    partial.baseMargins.every((margin, k) => margin === base[k]);
  if (!isSame)
    throw new RangeError(
      `cannot resume: the partial model has the ${partial.loss.kind} loss on ${partial.trainRows} rows x ${partial.features} columns, this fit the ${loss.kind} loss on ${x.rows} x ${x.columns}, or the targets differ: start afresh`,
    );
  return boostedTreesOf(partial, roundCount(partial));
}

/** Makes the function that grows the trees of one round and adds their answers to the training margins. */
function createRound(
  { loss, parameters: p, x }: GradientBoostingInput,
  setup: BoostingSetup,
  training: ScoredRows,
  crew: BoostingCrew | undefined,
): (round: number) => BoostedTree[] {
  const { worker, memory, cuts, usable } = setup;
  const { plan } = worker.job;
  const limits = { maxLeaves: p.maxLeaves, maxDepth: p.maxDepth ?? Infinity, learningRate: p.learningRate };
  const grower = new BoostingGrower(worker, memory, cuts, limits, crew);
  const order = new Uint32Array(memory.buffer, plan.at.order, x.rows);
  const splittable = splittableColumns(cuts);
  const renew = loss.kind === 'quantile' ? createRenewal(loss.alpha, order, training) : undefined;
  const all = orderRows(usable, x.rows);
  return (round) => {
    deriveRound(setup, grower);
    const drawn = drawRows(usable, p.rowSubsample, p.seed, round);
    const columns = drawColumns(splittable, p.columnSubsample, p.seed, round);
    const rows = drawn === usable ? all : orderRows(drawn, x.rows);
    return Array.from({ length: plan.margins }, (_, margin) => {
      order.set(rows);
      return grower.grow(margin, drawn.length, columns, renew);
    });
  };
}

/** All rows, those drawn first. */
function orderRows(drawn: Uint32Array, rows: number, first = drawn): Uint32Array {
  if (drawn.length === rows) return drawn;
  const isDrawn = new Uint8Array(rows);
  for (const row of drawn) isDrawn[row] = 1;
  const order = new Uint32Array(rows);
  order.set(first);
  let at = first.length;
  for (let row = 0; row < rows; row++) if (isDrawn[row] === 0) order[at++] = row;
  return order;
}

/** Derives the loss by all margins and chooses units for whole numbers, as fine as their sums stay exact. */
function deriveRound({ worker, memory, mostCount }: BoostingSetup, grower: BoostingGrower): void {
  const { plan } = worker.job;
  const task = new Float64Array(memory.buffer, plan.at.task, 32);
  const answers = new Float64Array(memory.buffer, plan.at.answers, 128);
  const cells = plan.rows * plan.margins;
  task[TASK.kind] = DERIVE;
  const parts = grower.perform(cells);
  let [most, mostHessian] = [0, 0];
  for (let part = 0; part < parts; part++) {
    most = Math.max(most, answers[2 * part]!);
    mostHessian = Math.max(mostHessian, answers[2 * part + 1]!);
  }
  const rowBits = Math.ceil(Math.log2(plan.rows + 1));
  task[TASK.gradientUnit] = unitFor(most * mostCount, Math.min(30, 52 - rowBits));
  task[TASK.hessianUnit] = unitFor(mostHessian * mostCount, Math.min(30, 52 - rowBits, 62 - plan.countBits - rowBits));
}

/** The largest power of two by which `most` can be multiplied without taking more than `bits` bits. */
function unitFor(most: number, bits: number): number {
  return most > 0 ? 2 ** Math.floor(bits - Math.log2(most)) : 1;
}

/** A leaf of the quantile loss answers with the quantile of its rows' residuals: its derivatives only say on which side they are. */
function createRenewal(alpha: number, order: Uint32Array, { y, margins, weights }: ScoredRows) {
  return ({ start, end }: OpenLeaf): number => {
    const rows = order.subarray(start, end);
    const residuals = Float64Array.from(rows, (row) => y[row]! - margins[row]!);
    return weightedQuantile(residuals, weights && Float64Array.from(rows, (row) => weights[row]!), alpha);
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

function drawColumns(columns: Int32Array, share: number, seed: number, round: number): Int32Array {
  if (share >= 1) return columns;
  return shuffle(columns.slice(), createPrng(seed, round, 0x636f6c73))
    .slice(0, Math.max(1, Math.round(columns.length * share)))
    .sort();
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
  tree: BoostedTree,
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
