import * as tf from '@tensorflow/tfjs-core';
import type { EventSequences } from './event-sequences.js';
import { nextClasses, nextOf } from './event-sequences.js';
import { EVENT_FEATURES, layOutSequence, writeEventFeatures } from './sequence-network.js';
import type { SequenceDescription, SequenceNetwork } from './sequence-network.js';
import { logSoftmax, lookUp, multiply, oneHot, tensorsOf } from './tensor-operations.js';
import type { WeightTensors } from './weight-training.js';

/** The predictions before positions `from` to `to - 1` of a sequence, which begin with an empty memory. */
export interface Segment {
  sequence: number;
  from: number;
  to: number;
}

/** Segments side by side, padded to the longest: number `step * segments + segment`. */
export interface SequenceBatch {
  steps: number;
  segments: number;
  /** The activity before each prediction, plus 1; 0 = before the first. */
  codes: Int32Array;
  features: Float32Array;
  /** The class that is right. */
  next: Int32Array;
  /** How much each prediction counts; 0 where there is only padding. */
  weights: Float32Array;
  predictions: number;
  /** As `memory`, by step: 0 for what is dropped, else what makes up for it. */
  mask?: Float32Array;
}

/** Lays segments side by side. `weights` has a number for each sequence. */
export function makeSequenceBatch(
  sequences: EventSequences,
  segments: readonly Segment[],
  weights: Float64Array,
): SequenceBatch {
  const steps = segments.reduce((most, { from, to }) => Math.max(most, to - from), 0);
  const size = steps * segments.length;
  const batch = {
    steps,
    segments: segments.length,
    codes: new Int32Array(size),
    features: new Float32Array(size * EVENT_FEATURES),
    next: new Int32Array(size),
    weights: new Float32Array(size),
    predictions: 0,
  };
  segments.forEach(({ sequence, from, to }, column) => {
    const start = sequences.offsets[sequence]!;
    for (let position = from; position < to; position++) {
      const at = (position - from) * segments.length + column;
      batch.next[at] = nextOf(sequences, sequence, position);
      batch.weights[at] = weights[sequence]!;
      batch.predictions++;
      if (position === 0) continue;
      const event = start + position - 1;
      const before = position > 1 ? sequences.times[event - 1]! : NaN;
      batch.codes[at] = sequences.codes[event]! + 1;
      const { times } = sequences;
      writeEventFeatures(position - 1, times[start]!, before, times[event]!, batch.features, at * EVENT_FEATURES);
    }
  });
  return batch;
}

/** The scores before each prediction, `[steps * segments x classes]`. Runs inside a tidy. */
export function scoreSequences(
  description: SequenceDescription,
  weights: WeightTensors,
  batch: SequenceBatch,
): tf.Tensor2D {
  const { steps, segments, codes } = batch;
  const { hidden } = description;
  const rows = steps * segments;
  const embedded = lookUp(codes, weights.get('embedding')!);
  const joined = tf.concat([embedded, tf.tensor2d(batch.features, [rows, EVENT_FEATURES])], 1);
  const fromInput = tf.add(multiply(joined, weights.get('gru.input')!), weights.get('gru.input.bias')!);
  let memory: tf.Tensor2D = tf.zeros([segments, hidden]);
  const memories: tf.Tensor2D[] = [];
  // Splitting and not slicing: the gradient of a slice is as large as the whole, each time.
  // Of a single step there is nothing to split, and tfjs has no gradient for that.
  for (const own of steps === 1 ? [fromInput] : tf.split(fromInput as tf.Tensor2D, steps, 0)) {
    memory = advance(own as tf.Tensor2D, memory, weights);
    memories.push(memory);
  }
  let all = memories.length === 1 ? memories[0]! : tf.concat(memories, 0);
  if (batch.mask) all = tf.mul(all, tf.tensor2d(batch.mask, [rows, hidden]));
  const direct = lookUp(codes, weights.get('wide')!);
  return tf.add(tf.add(multiply(all, weights.get('output')!), weights.get('output.bias')!), direct);
}

function advance(own: tf.Tensor2D, memory: tf.Tensor2D, weights: WeightTensors): tf.Tensor2D {
  const fromState = tf.add(multiply(memory, weights.get('gru.state')!), weights.get('gru.state.bias')!) as tf.Tensor2D;
  const [keepInput, resetInput, nextInput] = tf.split(own, 3, 1);
  const [keepState, resetState, nextState] = tf.split(fromState, 3, 1);
  const keep = tf.sigmoid(tf.add(keepInput!, keepState!));
  const reset = tf.sigmoid(tf.add(resetInput!, resetState!));
  const next = tf.tanh(tf.add(nextInput!, tf.mul(reset, nextState!)));
  return tf.add(next, tf.mul(keep, tf.sub(memory, next)));
}

/** The weighted sum of -log p of what came next. Runs inside a tidy. */
export function sequenceLoss(
  description: SequenceDescription,
  weights: WeightTensors,
  batch: SequenceBatch,
): tf.Scalar {
  const scores = logSoftmax(scoreSequences(description, weights, batch));
  const truth = oneHot(batch.next, nextClasses(description));
  const perRow = tf.neg(tf.sum(tf.mul(scores, truth), 1));
  return tf.sum(tf.mul(perRow, tf.tensor1d(batch.weights)));
}

/**
 * The probability of each class before each position of a segment, on the current backend of tfjs; the same numbers as
 * `predictSequenceNetwork` within 1e-5, as long as the segment begins at 0 and is no longer than the network looks back.
 * @returns `[(position - from) * classes + class]`
 */
export function predictSequenceGraph(
  network: SequenceNetwork,
  sequences: EventSequences,
  segment: Segment,
): Float64Array {
  const { description, weights } = network;
  const batch = makeSequenceBatch(sequences, [segment], new Float64Array(sequences.offsets.length - 1).fill(1));
  const scores = tf.tidy(() =>
    logSoftmax(scoreSequences(description, tensorsOf(weights, layOutSequence(description)), batch)).dataSync(),
  );
  return Float64Array.from(scores, (score) => Math.exp(score));
}
