import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import { assignFolds } from '../../../ml/evaluate/folds.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import { fitTabularNetwork, TABULAR_NETWORK_DEFAULTS } from '../../../ml/neural/fit-tabular-network.js';
import type { TabularHeadInput } from '../../../ml/neural/fit-tabular-network.js';
import type { TrainingHistory } from '../../../ml/neural/weight-training.js';
import { selectNetworkBackend, type NetworkBackend } from '../../training/network-backend.js';
import { lossesOf, measuredOf, type OnProgress } from '../recipe.js';
import type { Candidate } from './candidate.js';
import { judgeCandidate, type FittedHead } from './fit-head.js';
import { DEFAULT_SEED } from './hyperparameters.js';
import { networkHead } from './network-head.js';
import type { HeadTarget } from './training-table.js';

export interface NetworkInput {
  x: FeatureMatrix;
  /** By matrix column the count of its codes, 0 for numbers. */
  categories: readonly number[];
  targets: readonly HeadTarget[];
  /** Rows to learn from; a head skips those without its truth. */
  rows: Uint32Array;
  groups: Int32Array;
  isInTime: boolean;
  hyperparameters: Hyperparameters;
  gpuEnabled: boolean;
  onProgress: OnProgress;
}

/** A sixth of the rows says when to stop, and another one how right the probabilities are. */
const FOLDS = 6;
const STOPPING = FOLDS - 2;
const JUDGING = FOLDS - 1;

/**
 * Trains one network for all heads together: what helps one answer helps the others. Four sixths of the rows are learned from, one
 * stops the training, and the last, which the network never saw, calibrates it.
 */
export async function fitNetworkHeads(
  input: NetworkInput,
): Promise<{ heads: FittedHead[]; backend: NetworkBackend; history: TrainingHistory }> {
  const { x, targets, rows, hyperparameters: given } = input;
  const backend = await selectNetworkBackend({ gpuEnabled: input.gpuEnabled });
  const seed = given.seed ?? DEFAULT_SEED;
  const folds = foldsOf(input, seed);
  const at = Uint32Array.from(rows.keys());
  const fitting = takeRows(
    x,
    rows.filter((_, index) => folds[index] !== JUDGING),
  );
  const fittingAt = at.filter((index) => folds[index] !== JUDGING);
  const parameters = {
    hidden: given.hidden_units ?? TABULAR_NETWORK_DEFAULTS.hidden,
    dropout: given.dropout ?? TABULAR_NETWORK_DEFAULTS.dropout,
    learningRate: given.learning_rate ?? TABULAR_NETWORK_DEFAULTS.learningRate,
    weightDecay: given.l2_regularization ?? TABULAR_NETWORK_DEFAULTS.weightDecay,
    epochs: given.epochs ?? TABULAR_NETWORK_DEFAULTS.epochs,
    batchSize: given.batch_size ?? TABULAR_NETWORK_DEFAULTS.batchSize,
  };
  const { network, history } = await fitTabularNetwork({
    matrix: fitting,
    categories: input.categories,
    heads: targets.map((target) =>
      describeHead(
        target,
        Float64Array.from(fittingAt, (index) => target.y[rows[index]!]!),
      ),
    ),
    validationRows: Uint32Array.from(fittingAt.keys()).filter((index) => folds[fittingAt[index]!] === STOPPING),
    parameters,
    seed,
    onEpoch: ({ epoch, trainingLoss, validationLoss }) =>
      input.onProgress(
        Math.min(0.99, epoch / parameters.epochs),
        `epoch ${epoch}`,
        measuredOf('network', lossesOf(epoch, trainingLoss, validationLoss)),
      ),
  });
  const heads = targets.map((target, index) => {
    const model = networkHead(network, index);
    // Rows without the truth of a head cannot judge it.
    const known = at.filter((row) => !Number.isNaN(target.y[rows[row]!]!));
    const candidate: Candidate = {
      algorithm: 'neural_network',
      model,
      unseen: model.predict(
        takeRows(
          x,
          known.map((row) => rows[row]!),
        ),
      ),
      covered: Uint8Array.from(known, (row) => (folds[row] === JUDGING ? 1 : 0)),
      hyperparameters: {
        hidden_units: parameters.hidden,
        dropout: parameters.dropout,
        learning_rate: parameters.learningRate,
        l2_regularization: parameters.weightDecay,
        epochs: parameters.epochs,
        batch_size: parameters.batchSize,
        seed,
        device: backend.device,
      },
    };
    const y = Float64Array.from(known, (row) => target.y[rows[row]!]!);
    const { fitted, loss } = judgeCandidate(candidate, y, target, seed);
    return { ...fitted, candidates: [{ algorithm: candidate.algorithm, loss, isChosen: true }] };
  });
  return { heads, backend, history };
}

function foldsOf({ rows, groups, isInTime }: NetworkInput, seed: number): ArrayLike<number> {
  if (isInTime) return Uint8Array.from(rows, (_, at) => Math.floor((at * FOLDS) / rows.length));
  return assignFolds(rows.length, FOLDS, { seed, groups: Int32Array.from(rows, (row) => groups[row]!) });
}

/** The levels of engagement follow one another; other classes do not. */
function describeHead({ head, classes }: HeadTarget, truth: Float64Array): TabularHeadInput {
  if (head.task === 'regression') return { name: head.name, kind: 'regression', truth };
  if (classes.length === 2) return { name: head.name, kind: 'binary', truth };
  const isOrdered = head.name === 'engagement_level';
  return { name: head.name, kind: isOrdered ? 'ordered' : 'multiclass', classes: classes.length, truth };
}
