import * as tf from '@tensorflow/tfjs-core';
import { createPrng, shuffle } from '../random/prng.js';
import type { Prng } from '../random/prng.js';
import { checkSequences, nextClasses, nextOf, predictionsOf, sequenceCount } from './event-sequences.js';
import type { EventSequences } from './event-sequences.js';
import { checkNetworkParameters, drawMask } from './fit-tabular-network.js';
import { makeSequenceBatch, sequenceLoss } from './sequence-graph.js';
import type { Segment, SequenceBatch } from './sequence-graph.js';
import { layOutSequence } from './sequence-network.js';
import type { SequenceDescription, SequenceNetwork } from './sequence-network.js';
import { weightsOf } from './weight-layout.js';
import { trainWeights } from './weight-training.js';
import type { EpochRecord, TrainingHistory } from './weight-training.js';

export interface SequenceNetworkParameters {
  /** Numbers that stand for one activity. */
  width: number;
  /** Numbers that it remembers. */
  hidden: number;
  /** Share of the memory that a training step does not show to the answer, in [0, 1). */
  dropout: number;
  learningRate: number;
  weightDecay: number;
  epochs: number;
  patience: number;
  /** Sequences a step; 0 = a fortieth of those that are learnt from, from 32 to 256. */
  batchSize: number;
  /** Only so many last events are looked at. */
  longest: number;
}

export interface SequenceNetworkInput {
  sequences: EventSequences;
  /** How much each sequence counts; default all the same. Only ratios matter. */
  weights?: Float64Array;
  /** The last so many sequences are kept for early stopping; 0 = run all epochs. */
  validationSequences: number;
  parameters?: Partial<SequenceNetworkParameters>;
  seed: number;
  onEpoch?: (record: EpochRecord) => void | Promise<void>;
}

export const SEQUENCE_NETWORK_DEFAULTS: SequenceNetworkParameters = {
  width: 16,
  hidden: 48,
  dropout: 0.1,
  learningRate: 0.005,
  weightDecay: 0.03,
  epochs: 20,
  patience: 4,
  batchSize: 0,
  longest: 64,
};

/**
 * Trains a recurrent network that says what an entity does next: from what it did, when, and in which order. Runs on the
 * current backend of tfjs and leaves no tensor behind; the same seed gives the same weights to the bit on the same backend.
 * @throws RangeError for sequences without events or parameters out of range
 */
export async function fitSequenceNetwork(
  input: SequenceNetworkInput,
): Promise<{ network: SequenceNetwork; history: TrainingHistory }> {
  const { sequences, seed } = input;
  checkSequences(sequences);
  const parameters = { ...SEQUENCE_NETWORK_DEFAULTS, ...input.parameters };
  const count = sequenceCount(sequences);
  if (parameters.batchSize === 0) parameters.batchSize = Math.min(256, Math.max(32, Math.round(count / 40)));
  checkNetworkParameters({ ...parameters, hidden: [parameters.hidden, parameters.width, parameters.longest] });
  if (input.validationSequences >= count)
    throw new RangeError(`${input.validationSequences} of ${count} sequences cannot be kept: leave some to train on`);
  const weights = input.weights ?? new Float64Array(count).fill(1);
  if (weights.length !== count) throw new RangeError(`there are ${weights.length} weights for ${count} sequences`);
  const description: SequenceDescription = {
    kind: 'sequence',
    activities: sequences.activities,
    hasEnd: sequences.hasEnd,
    width: parameters.width,
    hidden: parameters.hidden,
    longest: parameters.longest,
  };
  const first = count - input.validationSequences;
  const training = cutSegments(sequences, 0, first, parameters.longest);
  if (training.length === 0) throw new RangeError('the sequences to train on have no events');
  const validation = cutSegments(sequences, first, count, parameters.longest);
  const scaled = scaleWeights(weights, training);
  const held =
    validation.length === 0
      ? []
      : batchByLength(validation, 4 * parameters.batchSize).map((segments) =>
          makeSequenceBatch(sequences, segments, new Float64Array(count).fill(1)),
        );
  const { weights: trained, history } = await trainWeights<SequenceBatch>({
    ...parameters,
    layout: layOutSequence(description),
    initial: startWeights(description, sequences, training, scaled, createPrng(seed, 1)),
    batches: (epoch) => drawBatches(sequences, training, scaled, parameters, createPrng(seed, 2, epoch)),
    loss: (tensors, batch) => tf.div(sequenceLoss(description, tensors, batch), batch.predictions),
    validationLoss:
      held.length === 0
        ? undefined
        : (tensors) => {
            let total = 0;
            for (const batch of held) total += tf.tidy(() => sequenceLoss(description, tensors, batch).dataSync()[0]!);
            return total / held.reduce((sum, { predictions }) => sum + predictions, 0);
          },
    onEpoch: input.onEpoch,
  });
  return { network: { description, weights: trained }, history };
}

function cutSegments(sequences: EventSequences, start: number, end: number, longest: number): Segment[] {
  const segments: Segment[] = [];
  for (let sequence = start; sequence < end; sequence++) {
    const predictions = predictionsOf(sequences, sequence);
    for (let from = 0; from < predictions; from += longest)
      segments.push({ sequence, from, to: Math.min(predictions, from + longest) });
  }
  return segments;
}

/** Weights whose mean over all predictions is 1, so that the learning rate means the same with and without them. */
function scaleWeights(weights: Float64Array, segments: readonly Segment[]): Float64Array {
  let sum = 0;
  let predictions = 0;
  for (const { sequence, from, to } of segments) {
    sum += weights[sequence]! * (to - from);
    predictions += to - from;
  }
  if (!(sum > 0 && Number.isFinite(sum)))
    throw new RangeError('the weights of the sequences must be at least 0, not all 0');
  return weights.map((weight) => (weight * predictions) / sum);
}

/** Segments of like length share a batch, so that little is padding. */
function batchByLength(segments: readonly Segment[], size: number): Segment[][] {
  const sorted = [...segments].sort((a, b) => a.to - a.from - (b.to - b.from));
  const batches: Segment[][] = [];
  for (let at = 0; at < sorted.length; at += size) batches.push(sorted.slice(at, at + size));
  return batches;
}

function drawBatches(
  sequences: EventSequences,
  training: readonly Segment[],
  weights: Float64Array,
  { batchSize, dropout, hidden }: SequenceNetworkParameters,
  prng: Prng,
): SequenceBatch[] {
  const batches = shuffle(batchByLength(shuffle([...training], prng), batchSize), prng);
  return batches.map((segments) => {
    const batch = makeSequenceBatch(sequences, segments, weights);
    if (dropout > 0) batch.mask = drawMask(batch.codes.length * hidden, dropout, prng);
    return batch;
  });
}

function startWeights(
  description: SequenceDescription,
  sequences: EventSequences,
  training: readonly Segment[],
  weights: Float64Array,
  prng: Prng,
): Float32Array {
  const layout = layOutSequence(description);
  const start = new Float32Array(layout.size);
  for (const { name, isDecayed, offset, rows, columns } of layout.blocks) {
    if (!isDecayed || name === 'wide') continue;
    const spread = name === 'embedding' ? 1 / Math.sqrt(columns) : (name === 'output' ? 0.3 : 1) / Math.sqrt(rows);
    for (let i = 0; i < rows * columns; i++) start[offset + i] = spread * prng.nextGaussian();
  }
  // The answer of a network that has learnt nothing: how often each class comes next.
  const counts = new Float64Array(nextClasses(description)).fill(0.5);
  for (const { sequence, from, to } of training)
    for (let position = from; position < to; position++)
      counts[nextOf(sequences, sequence, position)]! += weights[sequence]!;
  const total = counts.reduce((sum, count) => sum + count, 0);
  weightsOf(start, layout, 'output.bias').set(Array.from(counts, (count) => Math.log(count / total)));
  return start;
}
