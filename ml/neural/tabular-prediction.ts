import type { FeatureMatrix } from '../matrix.js';
import { softmax } from '../softmax.js';
import { categoryColumns, encodeTabularRow } from './tabular-input.js';
import { headOutputs, headScores, layOutTabular, measureTabular } from './tabular-network.js';
import type { TabularHead, TabularNetwork } from './tabular-network.js';
import { addProduct, addProducts, ROWS_TOGETHER, sigmoid, weightsOf } from './weight-layout.js';

/** A network made ready: views on its weights, and room for one row. */
interface PreparedNetwork {
  embeddings: { table: Float32Array; width: number }[];
  layers: { matrix: Float32Array; bias: Float32Array; inputs: number; values: Float64Array }[];
  output: Float32Array;
  outputBias: Float32Array;
  wide: Float32Array | undefined;
  /** By head; empty for those that are not ordered. */
  thresholds: Float32Array[];
  dense: Float32Array;
  codes: Int32Array;
  inputs: Float64Array;
  scores: Float64Array;
  outputs: number;
}

const prepared = new WeakMap<TabularNetwork, PreparedNetwork>();

/**
 * Answers one row without TensorFlow and without allocating, equal to the trained graph within 1e-5 (it adds in double precision
 * where tfjs adds in single).
 * @param row a number a column of the training matrix, NaN = missing; categories as their codes
 * @param out receives, head after head, the probability of each class, or the number of a regression
 * @throws RangeError when `out` is too short
 */
export function predictTabularNetworkRow(network: TabularNetwork, row: ArrayLike<number>, out: Float64Array): void {
  const ready = prepare(network);
  if (out.length < ready.outputs)
    throw new RangeError(`the heads answer with ${ready.outputs} numbers, but out has room for ${out.length}`);
  const { columns, bound, heads } = network.description;
  encodeTabularRow(columns, bound, row, ready.dense, 0, ready.codes, 0);
  fillInputs(ready, ready.inputs, 0);
  const { scores } = ready;
  scores.set(ready.outputBias);
  let values = ready.inputs;
  for (const layer of ready.layers) {
    layer.values.set(layer.bias);
    addProduct(values, layer.matrix, layer.inputs, layer.values);
    values = layer.values;
    for (let i = 0; i < values.length; i++) values[i] = values[i]! * sigmoid(values[i]!);
  }
  addProduct(values, ready.output, values.length, scores);
  if (ready.wide) addProduct(ready.inputs, ready.wide, ready.inputs.length, scores);
  answerHeads(heads, ready, scores, out, 0);
}

/**
 * Answers every row of a matrix, each as `predictTabularNetworkRow` does to the bit: four rows at a time, which share each weight.
 * @returns `[row * outputs + output]`, the heads' answers one after the other
 */
export function predictTabularNetwork(network: TabularNetwork, x: FeatureMatrix): Float64Array {
  const ready = prepare(network);
  const { outputs } = ready;
  const answers = new Float64Array(x.rows * outputs);
  const block = makeBlock(ready);
  const row = new Float64Array(x.columns);
  const readRow = (at: number): void => {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + at]!;
  };
  const whole = x.rows - (x.rows % ROWS_TOGETHER);
  for (let start = 0; start < whole; start += ROWS_TOGETHER) {
    for (let k = 0; k < ROWS_TOGETHER; k++) {
      readRow(start + k);
      const { columns, bound } = network.description;
      encodeTabularRow(columns, bound, row, ready.dense, 0, ready.codes, 0);
      fillInputs(ready, block.inputs, k * ready.inputs.length);
    }
    scoreBlock(ready, block);
    for (let k = 0; k < ROWS_TOGETHER; k++) {
      const scores = block.scores.subarray(k * ready.scores.length, (k + 1) * ready.scores.length);
      answerHeads(network.description.heads, ready, scores, answers, (start + k) * outputs);
    }
  }
  for (let at = whole; at < x.rows; at++) {
    readRow(at);
    predictTabularNetworkRow(network, row, answers.subarray(at * outputs, (at + 1) * outputs));
  }
  return answers;
}

/** Room for rows that are answered together. */
interface Block {
  inputs: Float64Array;
  layers: Float64Array[];
  scores: Float64Array;
}

const makeBlock = ({ inputs, layers, scores }: PreparedNetwork): Block => ({
  inputs: new Float64Array(ROWS_TOGETHER * inputs.length),
  layers: layers.map(({ values }) => new Float64Array(ROWS_TOGETHER * values.length)),
  scores: new Float64Array(ROWS_TOGETHER * scores.length),
});

function scoreBlock(ready: PreparedNetwork, block: Block): void {
  const { layers, output, outputBias, wide } = ready;
  for (let k = 0; k < ROWS_TOGETHER; k++) block.scores.set(outputBias, k * outputBias.length);
  let values = block.inputs;
  layers.forEach(({ matrix, bias, inputs }, i) => {
    const next = block.layers[i]!;
    for (let k = 0; k < ROWS_TOGETHER; k++) next.set(bias, k * bias.length);
    addProducts(values, matrix, inputs, next);
    for (let at = 0; at < next.length; at++) next[at] = next[at]! * sigmoid(next[at]!);
    values = next;
  });
  addProducts(values, output, values.length / ROWS_TOGETHER, block.scores);
  if (wide) addProducts(block.inputs, wide, ready.inputs.length, block.scores);
}

/** @param at of the first answer in `out` */
function answerHeads(
  heads: readonly TabularHead[],
  { thresholds }: PreparedNetwork,
  scores: Float64Array,
  out: Float64Array,
  at: number,
): void {
  let score = 0;
  let to = at;
  for (let i = 0; i < heads.length; i++) {
    const head = heads[i]!;
    answerHead(head, scores, score, thresholds[i]!, out, to);
    score += headScores(head);
    to += headOutputs(head);
  }
}

/** @param start where the row begins in `inputs` */
function fillInputs({ dense, codes, embeddings }: PreparedNetwork, inputs: Float64Array, start: number): void {
  inputs.set(dense, start);
  let at = start + dense.length;
  for (let i = 0; i < embeddings.length; i++) {
    const { table, width } = embeddings[i]!;
    const from = codes[i]! * width;
    for (let j = 0; j < width; j++) inputs[at++] = table[from + j]!;
  }
}

/**
 * Turns the scores of one head into its answer.
 * @param thresholds of an ordered head: the first threshold, then the logarithm of each step to the next
 */
export function answerHead(
  head: TabularHead,
  scores: Float64Array,
  score: number,
  thresholds: Float32Array,
  out: Float64Array,
  at: number,
): void {
  if (head.kind === 'multiclass') return softmax(scores, score, out, at, head.classes);
  const value = scores[score]!;
  if (head.kind === 'regression') out[at] = head.centre + head.scale * value;
  else if (head.kind === 'binary') {
    out[at] = sigmoid(-value);
    out[at + 1] = sigmoid(value);
  } else answerOrdered(value, thresholds, out, at);
}

/** P(class > k) falls with each threshold, so that no class gets less than nothing. */
function answerOrdered(value: number, thresholds: Float32Array, out: Float64Array, at: number): void {
  let above = 1;
  let threshold = 0;
  for (let k = 0; k < thresholds.length; k++) {
    threshold = k === 0 ? thresholds[0]! : threshold + Math.exp(thresholds[k]!);
    const next = sigmoid(value - threshold);
    out[at + k] = Math.max(0, above - next);
    above = next;
  }
  out[at + thresholds.length] = above;
}

function prepare(network: TabularNetwork): PreparedNetwork {
  const known = prepared.get(network);
  if (known) return known;
  const { description, weights } = network;
  const layout = layOutTabular(description);
  const view = (name: string): Float32Array => weightsOf(weights, layout, name);
  const sizes = measureTabular(description);
  const categories = categoryColumns(description.columns);
  const ready: PreparedNetwork = {
    embeddings: categories.map(({ width }, i) => ({ table: view(`embedding.${i}`), width })),
    layers: description.hidden.map((units, i) => ({
      matrix: view(`hidden.${i}`),
      bias: view(`hidden.${i}.bias`),
      inputs: i === 0 ? sizes.inputs : description.hidden[i - 1]!,
      values: new Float64Array(units),
    })),
    output: view('output'),
    outputBias: view('output.bias'),
    wide: description.isWide ? view('wide') : undefined,
    thresholds: description.heads.map((head, i) =>
      head.kind === 'ordered' ? view(`head.${i}.thresholds`) : new Float32Array(0),
    ),
    dense: new Float32Array(sizes.dense),
    codes: new Int32Array(categories.length),
    inputs: new Float64Array(sizes.inputs),
    scores: new Float64Array(sizes.scores),
    outputs: sizes.outputs,
  };
  prepared.set(network, ready);
  return ready;
}
