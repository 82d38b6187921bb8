import { takeRows } from '../../../ml/matrix.js';
import { decodeBoosting, encodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  roundCount,
  type BoostingLoss,
  type GradientBoosting,
  type GradientBoostingParameters,
} from '../../../ml/ensemble/gradient-boosting.js';
import { lossesOf, measuredOf } from '../recipe.js';
import { pick, predictUnseen, type Candidate, type CandidateInput } from './candidate.js';
import { boostingHead } from './head-model.js';
import { DEFAULT_SEED } from './hyperparameters.js';

/** Rounds at most, where the data decide how many are kept. */
const MOST_ROUNDS = 600;
/** Rounds where nothing decides how many, at a lower rate. */
const SETTLED_ROUNDS = 400;
/** From so many rows on, trees may be larger without learning chance by heart. */
const MANY_ROWS = 100_000;
const PATIENCE = 30;
/** Up to so many rows the folds are fitted once more, all with the same rounds. */
const FEW_ROWS = 5000;

/**
 * Gradient boosting. A model for each fold finds by early stopping how many rounds pay; the model of all rows then has as many as
 * they had on average. Each row is judged by the model that did not learn from its fold.
 */
export function fitBoostingCandidate(input: CandidateInput): Candidate {
  const { x, y, classes, categorical, monotone, checkpoint, crew } = input;
  const loss = boostingLossOf(classes);
  const rules = { categorical, monotone, loss };
  const parameters = boostingParameters(input, loss);
  const share = 1 / (1 + new Set(input.folds).size);
  const rounds: number[] = [];
  const stopped = predictUnseen(input, (rows, fold, held) => {
    const known = readModel(checkpoint?.read(`fold-${fold}`));
    const model =
      known ??
      fitGradientBoosting(
        {
          ...rules,
          x: takeRows(x, rows),
          y: pick(y, rows),
          parameters,
          validation: { x: takeRows(x, held), y: pick(y, held) },
          onRound: ({ done, total, trainLoss, validationLoss }) =>
            input.onProgress(
              share * (fold + done / total),
              `fold ${fold + 1}, round ${done}`,
              measuredOf(`fold_${fold + 1}`, lossesOf(done, trainLoss, validationLoss)),
            ),
        },
        crew,
      );
    if (!known) checkpoint?.write(`fold-${fold}`, () => encodeBoosting(model), true);
    rounds.push(roundCount(model));
    return boostingHead(model);
  });
  const nEstimators =
    parameters.earlyStoppingRounds === null
      ? parameters.nEstimators
      : Math.max(1, Math.round(rounds.reduce((sum, count) => sum + count, 0) / rounds.length));
  const settled = { ...parameters, nEstimators, earlyStoppingRounds: null };
  // Stopping where a fold's own rows say flatters the fold, which shows where it has few rows.
  const judged =
    x.rows > FEW_ROWS || parameters.earlyStoppingRounds === null
      ? stopped
      : predictUnseen(input, (rows) =>
          boostingHead(
            fitGradientBoosting({ ...rules, x: takeRows(x, rows), y: pick(y, rows), parameters: settled }, crew),
          ),
        );
  const resumeFrom = readModel(checkpoint?.read('final'));
  const progressAt = (done: number, total: number, trainLoss: number) =>
    input.onProgress(1 - share * (1 - done / total), `round ${done} of ${total}`, lossesOf(done, trainLoss));
  // An attempt that was killed may not have told of its last rounds.
  resumeFrom?.history.train.forEach((loss, round) => progressAt(round + 1, nEstimators, loss));
  const model = fitGradientBoosting(
    {
      ...rules,
      x,
      y,
      parameters: settled,
      resumeFrom,
      onRound({ done, total, trainLoss, partial }) {
        progressAt(done, total, trainLoss);
        checkpoint?.write('final', () => encodeBoosting(partial()), done === total);
      },
    },
    crew,
  );
  return {
    algorithm: 'gradient_boosting',
    model: boostingHead(model),
    ...judged,
    hyperparameters: describe(parameters, nEstimators),
  };
}

/** @param classes of the target; 0 for a regression */
export function boostingLossOf(classes: number): BoostingLoss {
  return classes === 0 ? { kind: 'squared' } : classes === 2 ? { kind: 'logistic' } : { kind: 'softmax', classes };
}

/** What was given, else values that do well on most tables. */
export function boostingParameters(
  { hyperparameters: given, isInTime, x: { rows } }: Pick<CandidateInput, 'hyperparameters' | 'isInTime' | 'x'>,
  loss: BoostingLoss,
): GradientBoostingParameters {
  // Stretches of time differ from each other: where one of them stops learning says little of those to come.
  const usual = isInTime ? null : PATIENCE;
  const stopping = given.early_stopping_rounds === undefined ? usual : given.early_stopping_rounds;
  return {
    ...defaultGradientBoostingParameters(loss),
    nEstimators: given.n_estimators ?? (stopping === null ? SETTLED_ROUNDS : MOST_ROUNDS),
    learningRate: given.learning_rate ?? (stopping === null ? 0.03 : 0.05),
    maxLeaves: given.max_leaf_nodes ?? (rows >= MANY_ROWS ? 31 : loss.kind === 'softmax' ? 8 : 15),
    maxDepth: given.max_depth ?? null,
    minSamplesLeaf: given.min_samples_leaf ?? Math.max(3, Math.min(20, Math.floor(rows / 50))),
    l2: given.l2_regularization ?? 1,
    rowSubsample: given.subsample ?? 0.8,
    columnSubsample: typeof given.max_features === 'number' ? given.max_features : 0.8,
    classWeight: given.class_weight ?? 'none',
    earlyStoppingRounds: stopping,
    seed: given.seed ?? DEFAULT_SEED,
  };
}

const describe = (p: GradientBoostingParameters, rounds: number) => ({
  n_estimators: rounds,
  learning_rate: p.learningRate,
  max_leaf_nodes: p.maxLeaves,
  max_depth: p.maxDepth,
  min_samples_leaf: p.minSamplesLeaf,
  l2_regularization: p.l2,
  subsample: p.rowSubsample,
  max_features: p.columnSubsample,
  class_weight: p.classWeight,
  early_stopping_rounds: p.earlyStoppingRounds,
  seed: p.seed,
});

/** A checkpoint that cannot be read is no reason to fail: the rounds are fitted again. */
function readModel(bytes: Uint8Array | undefined): GradientBoosting | undefined {
  if (!bytes) return undefined;
  try {
    return decodeBoosting(bytes);
  } catch {
    return undefined;
  }
}
