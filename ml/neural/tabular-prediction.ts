import { softmax } from '../softmax.js';
import { categoryColumns, encodeTabularRow } from './tabular-input.js';
import { headOutputs, headScores, layOutTabular, measureTabular } from './tabular-network.js';
import type { TabularHead, TabularNetwork } from './tabular-network.js';
import { addProduct, sigmoid, weightsOf } from './weight-layout.js';

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
  fillInputs(ready);
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
  let score = 0;
  let at = 0;
  for (let i = 0; i < heads.length; i++) {
    const head = heads[i]!;
    answerHead(head, scores, score, ready.thresholds[i]!, out, at);
    score += headScores(head);
    at += headOutputs(head);
  }
}

function fillInputs({ dense, codes, embeddings, inputs }: PreparedNetwork): void {
  inputs.set(dense);
  let at = dense.length;
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
