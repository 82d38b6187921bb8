import { decodeNetwork, encodeNetwork } from '../../../ml/neural/network-format.js';
import { headOutputs, tabularOutputs, type TabularNetwork } from '../../../ml/neural/tabular-network.js';
import { predictTabularNetwork, predictTabularNetworkRow } from '../../../ml/neural/tabular-prediction.js';
import type { HeadModel } from './head-model.js';

const decoded = new WeakMap<Uint8Array, TabularNetwork>();

/** What a network has answered last, and to which row: its heads are asked one after the other about the same one. */
interface LastAnswer {
  row: Float64Array;
  all: Float64Array;
}
const lastAnswers = new WeakMap<TabularNetwork, LastAnswer>();

/** The answers of all heads to a row, which the network gives once for all of them. */
function answerAll(network: TabularNetwork, row: Float64Array): Float64Array {
  let last = lastAnswers.get(network);
  if (!last) {
    last = { row: new Float64Array(0), all: new Float64Array(tabularOutputs(network.description)) };
    lastAnswers.set(network, last);
  }
  if (isSame(last.row, row)) return last.all;
  if (last.row.length !== row.length) last.row = new Float64Array(row.length);
  last.row.set(row);
  predictTabularNetworkRow(network, row, last.all);
  return last.all;
}

function isSame(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (!Object.is(a[at], b[at])) return false;
  return true;
}

/** One of the answers of a network that has several. It runs on typed arrays, without TensorFlow. */
export function networkHead(network: TabularNetwork, index: number): HeadModel {
  const { heads } = network.description;
  const outputs = headOutputs(heads[index]!);
  const first = heads.slice(0, index).reduce((sum, head) => sum + headOutputs(head), 0);
  const width = tabularOutputs(network.description);
  const predictRow = (row: Float64Array, out: Float64Array): void => {
    const all = answerAll(network, row);
    for (let o = 0; o < outputs; o++) out[o] = all[first + o]!;
  };
  const answerOf = (row: Float64Array): Float64Array => {
    const out = new Float64Array(outputs);
    predictRow(row, out);
    return out;
  };
  return {
    algorithm: 'neural_network',
    outputs,
    work: { nodes: 0, products: network.weights.length },
    predict(x, shared) {
      const answered = shared?.get(network) ?? predictTabularNetwork(network, x);
      shared?.set(network, answered);
      const answers = new Float64Array(x.rows * outputs);
      for (let row = 0; row < x.rows; row++)
        for (let o = 0; o < outputs; o++) answers[row * outputs + o] = answered[row * width + first + o]!;
      return answers;
    },
    predictRow,
    explainRow: (row) => explainByLeavingOut(answerOf, row, outputs),
    link: (raw, out) => out.set(raw),
    encode: () => encodeNetwork(network),
  };
}

/**
 * A network has no exact attributions in little time. Each column's part is how much the answer changes when the column is not
 * known, all scaled so that they add up from the answer about nobody to the answer about this row.
 */
function explainByLeavingOut(answerOf: (row: Float64Array) => Float64Array, row: Float64Array, outputs: number) {
  const raw = answerOf(row);
  const base = answerOf(new Float64Array(row.length).fill(NaN));
  const contributions = new Float64Array(outputs * row.length);
  const without = row.slice();
  for (let column = 0; column < row.length; column++) {
    without[column] = NaN;
    const answer = answerOf(without);
    without[column] = row[column]!;
    for (let o = 0; o < outputs; o++) contributions[o * row.length + column] = raw[o]! - answer[o]!;
  }
  for (let o = 0; o < outputs; o++) {
    const own = contributions.subarray(o * row.length, (o + 1) * row.length);
    const rest = raw[o]! - base[o]! - own.reduce((sum, part) => sum + part, 0);
    const size = own.reduce((sum, part) => sum + Math.abs(part), 0);
    // What the columns do together is shared out by how much each does alone.
    if (size > 0) own.forEach((part, column) => (own[column] = part + (rest * Math.abs(part)) / size));
    else base[o] = raw[o]!;
  }
  return { base, raw, contributions };
}

/** Reads a stored network. @throws Error for bytes that are no such network */
export function decodeNetworkHead(bytes: Uint8Array, index: number): HeadModel {
  let network = decoded.get(bytes);
  if (!network) {
    const found = decodeNetwork(bytes);
    if (!('description' in found) || found.description.kind !== 'tabular')
      throw new RangeError('this is no network for tables');
    // Heads of one file share its network, and what it answers.
    decoded.set(bytes, (network = found as TabularNetwork));
  }
  if (!network.description.heads[index]) throw new RangeError(`the network has no head ${index}`);
  return networkHead(network, index);
}
