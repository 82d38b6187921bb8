import * as tf from '@tensorflow/tfjs-core';
import type { FeatureMatrix } from '../matrix.js';
import { categoryColumns, denseWidth, encodeTabularRows } from './tabular-input.js';
import type { TabularInputs } from './tabular-input.js';
import { headOutputs, headScores, layOutTabular, tabularOutputs, tabularScores } from './tabular-network.js';
import type { TabularDescription, TabularHead, TabularNetwork } from './tabular-network.js';
import { answerHead } from './tabular-prediction.js';
import { logSoftmax, lookUp, multiply, tensorsOf } from './tensor-operations.js';
import type { WeightTensors } from './weight-training.js';

/** The truths of some rows, a head each: what its loss compares with. */
export interface HeadTargets {
  /**
   * `[rows x scores]`: 1 where the truth is "yes" (binary), in the column of the true class (multiclass), in the column of
   * each threshold below it (ordered), or the scaled number. 0 everywhere in a row without truth.
   */
  values: Float32Array;
  /** 1 for a row with a truth, else 0. */
  known: Float32Array;
  knownRows: number;
}

/** Rows ready for the graph. */
export interface TabularBatch {
  inputs: TabularInputs;
  targets: HeadTargets[];
  /** A mask `[rows x units]` for each hidden layer: 0 for what is dropped, else what makes up for it. */
  masks?: Float32Array[] | undefined;
}

/** Columns of a head's targets. */
export function targetWidth(head: TabularHead): number {
  return head.kind === 'ordered' ? head.classes - 1 : headScores(head);
}

/** The scores of the last layer, `[rows x scores]`. Runs inside a tidy. */
export function scoreTabular(
  description: TabularDescription,
  weights: WeightTensors,
  inputs: TabularInputs,
  masks?: readonly Float32Array[],
): tf.Tensor2D {
  const first = joinInputs(description, weights, inputs);
  let values = first;
  description.hidden.forEach((units, i) => {
    const sum = tf.add(multiply(values, weights.get(`hidden.${i}`)!), weights.get(`hidden.${i}.bias`)!);
    values = tf.mul(sum, tf.sigmoid(sum));
    if (masks) values = tf.mul(values, tf.tensor2d(masks[i]!, [inputs.rows, units]));
  });
  const deep = tf.add(multiply(values, weights.get('output')!), weights.get('output.bias')!);
  return description.isWide ? tf.add(deep, multiply(first, weights.get('wide')!)) : (deep as tf.Tensor2D);
}

function joinInputs(description: TabularDescription, weights: WeightTensors, inputs: TabularInputs): tf.Tensor2D {
  const { rows, dense, codes } = inputs;
  const categories = categoryColumns(description.columns);
  const width = denseWidth(description.columns);
  const parts: tf.Tensor2D[] = width > 0 ? [tf.tensor2d(dense, [rows, width])] : [];
  categories.forEach((_, i) => {
    const own = Int32Array.from({ length: rows }, (_, row) => codes[row * categories.length + i]!);
    parts.push(lookUp(own, weights.get(`embedding.${i}`)!));
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
}

/** The sum over heads of weight times mean loss over the rows with a truth. Runs inside a tidy. */
export function tabularLoss(
  description: TabularDescription,
  headWeights: readonly number[],
  weights: WeightTensors,
  batch: TabularBatch,
): tf.Scalar {
  const scores = scoreTabular(description, weights, batch.inputs, batch.masks);
  const losses: tf.Tensor[] = [];
  let at = 0;
  description.heads.forEach((head, i) => {
    const own = tf.slice(scores, [0, at], [batch.inputs.rows, headScores(head)]);
    at += headScores(head);
    const { knownRows } = batch.targets[i]!;
    if (knownRows === 0) return;
    const sum = headLoss(head, own, batch.targets[i]!, weights.get(`head.${i}.thresholds`));
    losses.push(tf.mul(sum, headWeights[i]! / knownRows));
  });
  // A batch without any truth moves nothing.
  return (losses.length > 0 ? tf.addN(losses) : tf.mul(tf.sum(scores), 0)) as tf.Scalar;
}

function headLoss(
  head: TabularHead,
  scores: tf.Tensor2D,
  { values, known }: HeadTargets,
  thresholds: tf.Tensor2D | undefined,
): tf.Tensor {
  const rows = known.length;
  const truth = tf.tensor2d(values, [rows, targetWidth(head)]);
  if (head.kind === 'multiclass') return tf.neg(tf.sum(tf.mul(truth, logSoftmax(scores))));
  const mask = tf.tensor2d(known, [rows, 1]);
  if (head.kind === 'regression') return tf.mul(tf.sum(tf.mul(tf.square(tf.sub(scores, truth)), mask)), 0.5);
  const logits = head.kind === 'ordered' ? tf.sub(scores, risingThresholds(thresholds!, head.classes - 1)) : scores;
  return tf.sum(tf.mul(tf.sub(tf.softplus(logits), tf.mul(logits, truth)), mask));
}

/** The first threshold, and after it the logarithms of the steps, become thresholds that rise whatever the weights are. */
function risingThresholds(raw: tf.Tensor2D, count: number): tf.Tensor2D {
  if (count === 1) return raw;
  const steps = tf.concat([tf.slice(raw, [0, 0], [1, 1]), tf.exp(tf.slice(raw, [0, 1], [1, count - 1]))], 1);
  const sums = Float32Array.from({ length: count * count }, (_, i) => (Math.floor(i / count) <= i % count ? 1 : 0));
  return multiply(steps, tf.tensor2d(sums, [count, count]));
}

/**
 * Answers all rows of a matrix on the current backend of tfjs; the same numbers as `predictTabularNetworkRow` within 1e-5.
 * @returns `[row * outputs + i]`
 */
export function predictTabularGraph(network: TabularNetwork, matrix: FeatureMatrix): Float64Array {
  const { description, weights } = network;
  const rows = Uint32Array.from({ length: matrix.rows }, (_, row) => row);
  const inputs = encodeTabularRows(description.columns, description.bound, matrix, rows);
  const layout = layOutTabular(description);
  const scores = tf.tidy(() => scoreTabular(description, tensorsOf(weights, layout), inputs).dataSync());
  const perRow = tabularScores(description);
  const outputs = tabularOutputs(description);
  const out = new Float64Array(matrix.rows * outputs);
  const thresholds = description.heads.map((_, i) => {
    const block = layout.blocks.find(({ name }) => name === `head.${i}.thresholds`);
    return block ? weights.subarray(block.offset, block.offset + block.columns) : new Float32Array(0);
  });
  const own = new Float64Array(perRow);
  for (let row = 0; row < matrix.rows; row++) {
    for (let i = 0; i < perRow; i++) own[i] = scores[row * perRow + i]!;
    let score = 0;
    let at = row * outputs;
    description.heads.forEach((head, i) => {
      answerHead(head, own, score, thresholds[i]!, out, at);
      score += headScores(head);
      at += headOutputs(head);
    });
  }
  return out;
}
