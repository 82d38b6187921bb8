import { softmax } from '../softmax.js';
import { nextClasses } from './event-sequences.js';
import { EVENT_FEATURES, layOutSequence, writeEventFeatures } from './sequence-network.js';
import type { SequenceNetwork } from './sequence-network.js';
import { addProduct, sigmoid, weightsOf } from './weight-layout.js';

/** What one entity has done so far, oldest first. */
export interface EventHistory {
  /** Codes of 0 to `activities - 1`. */
  codes: ArrayLike<number>;
  /** Milliseconds since 1970, NaN = not known. */
  times: ArrayLike<number>;
}

interface PreparedNetwork {
  embedding: Float32Array;
  input: Float32Array;
  inputBias: Float32Array;
  state: Float32Array;
  stateBias: Float32Array;
  output: Float32Array;
  outputBias: Float32Array;
  wide: Float32Array;
  row: Float32Array;
  fromInput: Float64Array;
  fromState: Float64Array;
  memory: Float64Array;
  scores: Float64Array;
}

const prepared = new WeakMap<SequenceNetwork, PreparedNetwork>();

/**
 * The probability of each class after a history, without TensorFlow: equal to the trained graph within 1e-5.
 * @param history empty = before the first event; only the last `longest` events are looked at
 * @param out receives `nextClasses` probabilities, the end marker last
 * @throws RangeError for a code that is no activity
 */
export function predictSequenceNetwork(network: SequenceNetwork, history: EventHistory, out: Float64Array): void {
  const ready = prepare(network);
  const { activities, hidden, longest } = network.description;
  const { codes, times } = history;
  ready.memory.fill(0);
  const first = Math.max(0, codes.length - longest);
  // The step before the first event is part of every history that is looked at whole.
  if (first === 0) advance(ready, hidden, 0, -1, NaN, NaN, NaN);
  for (let i = first; i < codes.length; i++) {
    const code = codes[i]!;
    if (!(Number.isInteger(code) && code >= 0 && code < activities))
      throw new RangeError(`${code} is no activity of 0 to ${activities - 1}`);
    advance(ready, hidden, code + 1, i, times[0]!, i > 0 ? times[i - 1]! : NaN, times[i]!);
  }
  const { scores } = ready;
  scores.set(ready.outputBias);
  addProduct(ready.memory, ready.output, hidden, scores);
  const last = codes.length > 0 ? codes[codes.length - 1]! + 1 : 0;
  const classes = scores.length;
  for (let c = 0; c < classes; c++) scores[c] = scores[c]! + ready.wide[last * classes + c]!;
  softmax(scores, 0, out, 0, classes);
}

function advance(
  ready: PreparedNetwork,
  hidden: number,
  activity: number,
  position: number,
  first: number,
  before: number,
  time: number,
): void {
  const { row, fromInput, fromState, memory } = ready;
  const width = row.length - EVENT_FEATURES;
  row.set(ready.embedding.subarray(activity * width, (activity + 1) * width));
  if (activity === 0) row.fill(0, width);
  else writeEventFeatures(position, first, before, time, row, width);
  fromInput.set(ready.inputBias);
  addProduct(row, ready.input, row.length, fromInput);
  fromState.set(ready.stateBias);
  addProduct(memory, ready.state, hidden, fromState);
  for (let i = 0; i < hidden; i++) {
    const keep = sigmoid(fromInput[i]! + fromState[i]!);
    const reset = sigmoid(fromInput[hidden + i]! + fromState[hidden + i]!);
    const next = Math.tanh(fromInput[2 * hidden + i]! + reset * fromState[2 * hidden + i]!);
    memory[i] = keep * memory[i]! + (1 - keep) * next;
  }
}

function prepare(network: SequenceNetwork): PreparedNetwork {
  const known = prepared.get(network);
  if (known) return known;
  const { description, weights } = network;
  const layout = layOutSequence(description);
  const view = (name: string): Float32Array => weightsOf(weights, layout, name);
  const ready: PreparedNetwork = {
    embedding: view('embedding'),
    input: view('gru.input'),
    inputBias: view('gru.input.bias'),
    state: view('gru.state'),
    stateBias: view('gru.state.bias'),
    output: view('output'),
    outputBias: view('output.bias'),
    wide: view('wide'),
    row: new Float32Array(description.width + EVENT_FEATURES),
    fromInput: new Float64Array(3 * description.hidden),
    fromState: new Float64Array(3 * description.hidden),
    memory: new Float64Array(description.hidden),
    scores: new Float64Array(nextClasses(description)),
  };
  prepared.set(network, ready);
  return ready;
}
