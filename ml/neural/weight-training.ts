import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients: the core alone has them only in files that Node cannot load.
import '@tensorflow/tfjs-layers';
import type { WeightLayout } from './weight-layout.js';

/** The weights of a network as tensors, by name. */
export type WeightTensors = ReadonlyMap<string, tf.Tensor2D>;

/** What one pass over the training rows gave. */
export interface EpochRecord {
  /** From 1. */
  epoch: number;
  /** Mean over the epoch's batches, with dropout. */
  trainingLoss: number;
  /** Without dropout, on rows that no step has seen; absent where no rows could be spared. */
  validationLoss?: number;
}

/** How the training went. */
export interface TrainingHistory {
  epochs: EpochRecord[];
  /** The epoch whose weights the network has. */
  bestEpoch: number;
}

/** What is trained, and on what. `Batch` is whatever `loss` understands. */
export interface WeightTraining<Batch> {
  layout: WeightLayout;
  initial: Float32Array;
  /** Most passes over the rows; the rate falls to zero over them along a half cosine. */
  epochs: number;
  /** Passes without a better validation loss after which it stops. */
  patience: number;
  learningRate: number;
  weightDecay: number;
  /** The batches of one epoch, in their order. */
  batches(epoch: number): readonly Batch[];
  /** The mean loss of a batch; runs inside a tidy. */
  loss(weights: WeightTensors, batch: Batch): tf.Scalar;
  /** Absent: the weights of the last epoch are taken. */
  validationLoss?(weights: WeightTensors): number;
  /** After each epoch, for progress and heartbeats; what it throws ends the training. */
  onEpoch?: ((record: EpochRecord) => void | Promise<void>) | undefined;
}

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-7;
/** Steps longer than this (root of the sum of squares over all weights) are shortened: one odd batch must not undo an epoch. */
const LONGEST_GRADIENT = 5;

/**
 * Trains weights with Adam and decoupled weight decay (Loshchilov, Hutter 2019, "Decoupled weight decay regularization"), a
 * cosine rate and early stopping, on whatever backend is the current one of tfjs. Leaves no tensor behind, even when it throws.
 * @throws RangeError when the loss is not a number from the first epoch on
 */
export async function trainWeights<Batch>(
  training: WeightTraining<Batch>,
): Promise<{ weights: Float32Array; history: TrainingHistory }> {
  const optimizer = createOptimizer(training);
  const history: TrainingHistory = { epochs: [], bestEpoch: 0 };
  let best: Float32Array = training.initial.slice();
  let least = Infinity;
  try {
    for (let epoch = 1; epoch <= training.epochs; epoch++) {
      const trainingLoss = runEpoch(training, optimizer, epoch);
      const record: EpochRecord = { epoch, trainingLoss };
      if (training.validationLoss) record.validationLoss = training.validationLoss(optimizer.tensors);
      history.epochs.push(record);
      await training.onEpoch?.(record);
      const judged = record.validationLoss ?? -epoch;
      if (Number.isFinite(trainingLoss) && judged < least) {
        least = judged;
        best = optimizer.read();
        history.bestEpoch = epoch;
      }
      if (!Number.isFinite(trainingLoss) || epoch - history.bestEpoch >= training.patience) break;
      // Lets the process answer signals and send heartbeats.
      await tf.nextFrame();
    }
  } finally {
    optimizer.dispose();
  }
  if (history.bestEpoch === 0)
    throw new RangeError(
      'the loss is not a number after the first epoch: lower learningRate, or look for values beyond the range of a 32-bit number',
    );
  return { weights: best, history };
}

function runEpoch<Batch>(training: WeightTraining<Batch>, optimizer: Optimizer, epoch: number): number {
  const batches = training.batches(epoch);
  let total = 0;
  batches.forEach((batch, index) => {
    const progress = (epoch - 1 + index / batches.length) / training.epochs;
    const rate = (training.learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
    total += optimizer.step(() => training.loss(optimizer.tensors, batch), rate);
  });
  return total / batches.length;
}

interface Optimizer {
  tensors: WeightTensors;
  /** One step along the gradient of a loss; returns the loss before it. */
  step(loss: () => tf.Scalar, rate: number): number;
  read(): Float32Array;
  dispose(): void;
}

interface Trained {
  weights: tf.Variable;
  mean: tf.Variable;
  square: tf.Variable;
  isDecayed: boolean;
}

function createOptimizer({ layout, initial, weightDecay }: WeightTraining<never> | WeightTraining<unknown>): Optimizer {
  const trained: Trained[] = tf.tidy(() =>
    layout.blocks.map(({ rows, columns, offset, isDecayed }) => {
      const values = initial.slice(offset, offset + rows * columns);
      return {
        weights: tf.variable(tf.tensor2d(values, [rows, columns])),
        mean: tf.variable(tf.zeros([rows, columns]), false),
        square: tf.variable(tf.zeros([rows, columns]), false),
        isDecayed,
      };
    }),
  );
  const variables = trained.map(({ weights }) => weights);
  const tensors = new Map(layout.blocks.map(({ name }, i) => [name, variables[i] as unknown as tf.Tensor2D]));
  let steps = 0;
  return {
    tensors,
    step(loss, rate) {
      steps++;
      const { value, grads } = tf.variableGrads(loss, variables);
      tf.tidy(() => {
        const shrink = shortenedBy(trained.map(({ weights }) => grads[weights.name]!));
        for (const part of trained)
          update(part, tf.mul(grads[part.weights.name]!, shrink), rate, part.isDecayed ? weightDecay : 0, steps);
      });
      const answer = value.dataSync()[0]!;
      value.dispose();
      tf.dispose(grads);
      return answer;
    },
    read() {
      const all = new Float32Array(layout.size);
      layout.blocks.forEach(({ offset }, i) => all.set(variables[i]!.dataSync() as Float32Array, offset));
      return all;
    },
    dispose() {
      for (const { weights, mean, square } of trained)
        for (const variable of [weights, mean, square]) variable.dispose();
    },
  };
}

function shortenedBy(gradients: readonly tf.Tensor[]): tf.Tensor {
  const length = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
  return tf.div(LONGEST_GRADIENT, tf.maximum(length, LONGEST_GRADIENT));
}

function update(part: Trained, gradient: tf.Tensor, rate: number, decay: number, steps: number): void {
  part.mean.assign(tf.add(tf.mul(part.mean, BETA_1), tf.mul(gradient, 1 - BETA_1)));
  part.square.assign(tf.add(tf.mul(part.square, BETA_2), tf.mul(tf.square(gradient), 1 - BETA_2)));
  const size = tf.add(tf.sqrt(tf.div(part.square, 1 - BETA_2 ** steps)), EPSILON);
  const direction = tf.div(part.mean, size);
  const kept = tf.mul(part.weights, 1 - rate * decay);
  part.weights.assign(tf.sub(kept, tf.mul(direction, rate / (1 - BETA_1 ** steps))));
}
