import { takeRows } from '../../../ml/matrix.js';
import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import {
  fitRandomForest,
  outOfBagPredictions,
  treeCount,
  type RandomForest,
} from '../../../ml/ensemble/random-forest.js';
import { pick, predictUnseen, type Candidate, type CandidateInput } from './candidate.js';
import { forestHead } from './head-model.js';
import { forestParameters } from './hyperparameters.js';

/** What a tree or two say of a row may be a chance of 0. */
const LEAST_CHANCE = 1e-6;

/**
 * A random forest. Each row is judged by the trees that did not see it, which costs no data; where rows are neighbours in
 * time, by forests that did not see their stretch of time.
 */
export function fitForestCandidate(input: CandidateInput): Candidate {
  const { x, y, classes, checkpoint } = input;
  const parameters = forestParameters(input.hyperparameters, classes === 0, x.rows);
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  const forest = fitRandomForest({
    x,
    y,
    task,
    parameters,
    resumeFrom: readForest(checkpoint?.read('forest')),
    onTree({ done, total, partial }) {
      input.onProgress(done / total, `tree ${done} of ${total}`);
      checkpoint?.write('forest', () => encodeForest(partial()), done === total);
    },
  });
  const judged = input.isInTime
    ? predictUnseen(input, (rows) =>
        forestHead(fitRandomForest({ x: takeRows(x, rows), y: pick(y, rows), task, parameters })),
      )
    : outOfBag(forest, input);
  return {
    algorithm: 'random_forest',
    model: forestHead(forest),
    ...judged,
    hyperparameters: {
      n_estimators: parameters.nEstimators,
      max_depth: parameters.maxDepth,
      min_samples_split: parameters.minSamplesSplit,
      min_samples_leaf: parameters.minSamplesLeaf,
      max_features: parameters.maxFeatures,
      class_weight: parameters.classWeight,
      seed: parameters.seed,
    },
  };
}

function outOfBag(forest: RandomForest, input: CandidateInput) {
  const { x, hyperparameters, classes, onProgress } = input;
  const { predictions, covered } = outOfBagPredictions(
    forest,
    x,
    forestParameters(hyperparameters, classes === 0, x.rows),
    (trees, sums, votes) =>
      onProgress(1, `judging ${trees} trees`, { step: trees, values: { unseen_loss: unseenLoss(input, sums, votes) } }),
  );
  return { unseen: predictions, covered };
}

/** Log loss or squared error of rows by the trees that did not see them. */
function unseenLoss({ y, classes }: CandidateInput, sums: Float64Array, votes: Int32Array): number {
  let [loss, rows] = [0, 0];
  votes.forEach((count, row) => {
    if (count === 0) return;
    rows++;
    loss +=
      classes === 0
        ? (sums[row]! / count - y[row]!) ** 2
        : -Math.log(Math.max(LEAST_CHANCE, sums[row * classes + y[row]!]! / count));
  });
  return loss / rows;
}

/** A checkpoint that cannot be read is no reason to fail: the trees are grown again. */
function readForest(bytes: Uint8Array | undefined): RandomForest | undefined {
  if (!bytes) return undefined;
  try {
    const forest = decodeForest(bytes);
    return treeCount(forest) > 0 ? forest : undefined;
  } catch {
    return undefined;
  }
}
