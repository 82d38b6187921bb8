import * as tf from '@tensorflow/tfjs-core';
import { createPrng, shuffle } from '../random/prng.js';
import type { FeatureMatrix } from '../matrix.js';
import type { Prng } from '../random/prng.js';
import { categoryColumns, denseWidth, encodeTabularRows, fitTabularColumns } from './tabular-input.js';
import type { TabularInputs } from './tabular-input.js';
import { tabularLoss } from './tabular-graph.js';
import type { TabularBatch } from './tabular-graph.js';
import { makeHead, selectTargets, startHead } from './tabular-targets.js';
import type { PreparedHead, TabularHeadInput } from './tabular-targets.js';
import { headScores, layOutTabular } from './tabular-network.js';
import type { TabularDescription, TabularNetwork } from './tabular-network.js';
import { weightsOf } from './weight-layout.js';
import { trainWeights } from './weight-training.js';
import type { EpochRecord, TrainingHistory, WeightTensors } from './weight-training.js';

export type { TabularHeadInput } from './tabular-targets.js';

export interface TabularNetworkParameters {
  /** Widths of the hidden layers, 0 to 32 of them. */
  hidden: number[];
  /** Share of a hidden layer's outputs that a training step leaves out, in [0, 1). */
  dropout: number;
  /** First step size of Adam. */
  learningRate: number;
  /** Decoupled L2 decay: each step shrinks a weight by `learningRate * weightDecay` of itself. */
  weightDecay: number;
  /** Most passes over the training rows. */
  epochs: number;
  /** Passes without a better validation loss after which it stops. */
  patience: number;
  batchSize: number;
  /** Inputs also reach the heads directly. */
  isWide: boolean;
  /** Scaled numbers are bent to stay within ±bound. */
  bound: number;
}

/** Everything that a fit follows. */
export interface TabularNetworkInput {
  matrix: FeatureMatrix;
  /** For each column the number of its categories, whose codes are 0 to n - 1, or 0 for a column of numbers. */
  categories: ArrayLike<number>;
  heads: readonly TabularHeadInput[];
  /** Rows kept for early stopping, such as the latest; default a seeded sixth of all. */
  validationRows?: Uint32Array;
  parameters?: Partial<TabularNetworkParameters>;
  /** A whole number. The same seed gives the same weights to the bit on the same backend and machine. */
  seed: number;
  onEpoch?: (record: EpochRecord) => void | Promise<void>;
}

export const TABULAR_NETWORK_DEFAULTS: TabularNetworkParameters = {
  hidden: [64, 32],
  dropout: 0.1,
  learningRate: 0.003,
  weightDecay: 0.03,
  epochs: 60,
  patience: 10,
  batchSize: 128,
  isWide: true,
  bound: 3,
};
const VALIDATION_SHARE = 1 / 6;
/** Fewer rows cannot spare any for early stopping: all epochs are run. */
const LEAST_ROWS_TO_SPLIT = 30;
const CHUNK_ROWS = 4096;

/**
 * Trains one network for several answers at once: hidden layers that all heads share, embeddings for categories, masks for
 * truths that a row lacks. Runs on the current backend of tfjs and leaves no tensor behind.
 * @throws RangeError for no rows, no heads, a head without any truth, truths that are no class of their head, or parameters out of range
 */
export async function fitTabularNetwork(
  input: TabularNetworkInput,
): Promise<{ network: TabularNetwork; history: TrainingHistory }> {
  const parameters = { ...TABULAR_NETWORK_DEFAULTS, ...input.parameters };
  checkInput(input, parameters);
  const { trainingRows, validationRows } = splitRows(input);
  const heads = input.heads.map((head) => makeHead(head, input.matrix.rows, trainingRows));
  const description: TabularDescription = {
    kind: 'tabular',
    columns: fitTabularColumns(input.matrix, input.categories, trainingRows),
    bound: parameters.bound,
    hidden: [...parameters.hidden],
    isWide: parameters.isWide,
    heads: heads.map(({ head }) => head),
  };
  const headWeights = heads.map(({ weight }) => weight);
  const select = (rows: Uint32Array): TabularBatch => ({
    inputs: encodeTabularRows(description.columns, description.bound, input.matrix, rows),
    targets: heads.map((head) => selectTargets(head, rows)),
  });
  const training = select(trainingRows);
  const validation = chunk(validationRows, CHUNK_ROWS).map(select);
  const layout = layOutTabular(description);
  const { weights, history } = await trainWeights<TabularBatch>({
    ...parameters,
    layout,
    initial: startWeights(description, heads, trainingRows, createPrng(input.seed, 1)),
    batches: (epoch) =>
      cutBatches(description, training, heads, trainingRows, parameters, createPrng(input.seed, 2, epoch)),
    loss: (tensors, batch) => tabularLoss(description, headWeights, tensors, batch),
    validationLoss:
      validation.length === 0 ? undefined : (tensors) => meanLoss(description, headWeights, tensors, validation),
    onEpoch: input.onEpoch,
  });
  return { network: { description, weights }, history };
}

function checkInput({ matrix, categories, heads }: TabularNetworkInput, parameters: TabularNetworkParameters): void {
  if (matrix.rows === 0 || matrix.columns === 0)
    throw new RangeError(`a network needs rows and columns, got ${matrix.rows} x ${matrix.columns}`);
  if (categories.length !== matrix.columns)
    throw new RangeError(
      `categories has ${categories.length} entries for ${matrix.columns} columns: give 0 for a number`,
    );
  if (heads.length === 0) throw new RangeError('a network needs at least one head');
  checkNetworkParameters(parameters);
}

/**
 * @throws RangeError for parameters that no training can follow
 */
export function checkNetworkParameters(parameters: {
  hidden: readonly number[];
  dropout: number;
  learningRate: number;
  weightDecay: number;
  epochs: number;
  patience: number;
  batchSize: number;
}): void {
  const check = (isRight: boolean, name: string, wanted: string, got: unknown): void => {
    if (!isRight) throw new RangeError(`${name} must be ${wanted}, got ${String(got)}`);
  };
  const { hidden, dropout, learningRate, weightDecay } = parameters;
  check(
    hidden.length <= 32 && hidden.every((units) => Number.isInteger(units) && units > 0 && units <= 65_536),
    'hidden',
    'at most 32 widths of 1 to 65536',
    hidden,
  );
  check(dropout >= 0 && dropout < 1, 'dropout', 'in [0, 1)', dropout);
  check(learningRate > 0 && Number.isFinite(learningRate), 'learningRate', 'above 0', learningRate);
  check(
    weightDecay >= 0 && weightDecay * learningRate < 1,
    'weightDecay',
    'at least 0 and below 1 / learningRate',
    weightDecay,
  );
  for (const name of ['epochs', 'patience', 'batchSize'] as const)
    check(Number.isInteger(parameters[name]) && parameters[name] > 0, name, 'a whole number above 0', parameters[name]);
}

function splitRows(input: TabularNetworkInput): { trainingRows: Uint32Array; validationRows: Uint32Array } {
  const { rows } = input.matrix;
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  const kept = new Uint8Array(rows);
  if (input.validationRows) {
    for (const row of input.validationRows) {
      if (row >= rows) throw new RangeError(`validation row ${row} does not exist, there are ${rows} rows`);
      kept[row] = 1;
    }
  } else if (rows >= LEAST_ROWS_TO_SPLIT) {
    const order = shuffle(all.slice(), createPrng(input.seed, 0));
    for (const row of order.subarray(0, Math.floor(rows * VALIDATION_SHARE))) kept[row] = 1;
  }
  const trainingRows = all.filter((row) => kept[row] === 0);
  if (trainingRows.length === 0) throw new RangeError('all rows are validation rows: leave some to train on');
  return { trainingRows, validationRows: all.filter((row) => kept[row] === 1) };
}

/** Gaussian weights after He et al. 2015, heads that begin at the base rates, and nothing for unknown categories. */
function startWeights(
  description: TabularDescription,
  heads: readonly PreparedHead[],
  rows: Uint32Array,
  prng: Prng,
): Float32Array {
  const layout = layOutTabular(description);
  const weights = new Float32Array(layout.size);
  for (const block of layout.blocks) {
    if (!block.isDecayed || block.name === 'wide') continue;
    const isEmbedding = block.name.startsWith('embedding');
    const spread = isEmbedding
      ? 1 / Math.sqrt(block.columns)
      : Math.sqrt((block.name === 'output' ? 0.1 : 2) / block.rows);
    const first = block.offset + (isEmbedding ? block.columns : 0);
    for (let i = first; i < block.offset + block.rows * block.columns; i++) weights[i] = spread * prng.nextGaussian();
  }
  const bias = weightsOf(weights, layout, 'output.bias');
  let score = 0;
  heads.forEach((prepared, i) => {
    const start = startHead(prepared, rows);
    if (prepared.head.kind === 'ordered') weightsOf(weights, layout, `head.${i}.thresholds`).set(start);
    else bias.set(start, score);
    score += headScores(prepared.head);
  });
  return weights;
}

function cutBatches(
  description: TabularDescription,
  training: TabularBatch,
  heads: readonly PreparedHead[],
  rows: Uint32Array,
  { batchSize, dropout }: TabularNetworkParameters,
  prng: Prng,
): TabularBatch[] {
  const order = shuffle(
    Uint32Array.from(rows, (_, i) => i),
    prng,
  );
  return chunk(order, batchSize).map((chosen) => ({
    inputs: pickInputs(description, training.inputs, chosen),
    targets: heads.map((head) =>
      selectTargets(
        head,
        Uint32Array.from(chosen, (i) => rows[i]!),
      ),
    ),
    masks: dropout > 0 ? description.hidden.map((units) => drawMask(chosen.length * units, dropout, prng)) : undefined,
  }));
}

function pickInputs(description: TabularDescription, inputs: TabularInputs, chosen: Uint32Array): TabularInputs {
  const width = denseWidth(description.columns);
  const categories = categoryColumns(description.columns).length;
  const dense = new Float32Array(chosen.length * width);
  const codes = new Int32Array(chosen.length * categories);
  chosen.forEach((row, i) => {
    dense.set(inputs.dense.subarray(row * width, (row + 1) * width), i * width);
    codes.set(inputs.codes.subarray(row * categories, (row + 1) * categories), i * categories);
  });
  return { rows: chosen.length, dense, codes };
}

/** Zeros for the share that is dropped, and for the rest what keeps the expected sum. */
export function drawMask(size: number, dropout: number, prng: Prng): Float32Array {
  const kept = 1 / (1 - dropout);
  const mask = new Float32Array(size);
  for (let i = 0; i < size; i++) mask[i] = prng.next() < dropout ? 0 : kept;
  return mask;
}

/** Cuts a list into pieces of at most `size`. */
export function chunk(rows: Uint32Array, size: number): Uint32Array[] {
  const pieces: Uint32Array[] = [];
  for (let at = 0; at < rows.length; at += size) pieces.push(rows.subarray(at, at + size));
  return pieces;
}

function meanLoss(
  description: TabularDescription,
  headWeights: readonly number[],
  tensors: WeightTensors,
  batches: readonly TabularBatch[],
): number {
  let total = 0;
  let rows = 0;
  for (const batch of batches) {
    const loss = tf.tidy(() => tabularLoss(description, headWeights, tensors, batch).dataSync()[0]!);
    total += loss * batch.inputs.rows;
    rows += batch.inputs.rows;
  }
  return total / rows;
}
