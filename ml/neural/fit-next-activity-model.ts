import {
  checkSequences,
  nextClasses,
  nextOf,
  predictionsOf,
  recencyWeights,
  sequenceCount,
  sliceSequences,
} from './event-sequences.js';
import type { EventSequences } from './event-sequences.js';
import { fitSequenceNetwork } from './fit-sequence-network.js';
import type { SequenceNetworkParameters } from './fit-sequence-network.js';
import { fitMarkovChain, predictMarkovChain } from './markov-chain.js';
import type { NextActivityModel } from './next-activity-model.js';
import { predictSequenceNetwork } from './sequence-prediction.js';
import type { EpochRecord } from './weight-training.js';

export interface NextActivityInput {
  /** Ordered in time: the last ones judge what is chosen. */
  sequences: EventSequences;
  parameters?: Partial<SequenceNetworkParameters>;
  /** Without: only chains are tried, no network is trained. Default true. */
  withNetwork?: boolean;
  seed: number;
  onEpoch?: (record: EpochRecord) => void | Promise<void>;
}

/** A candidate and its mean -log p on later sequences. */
export interface NextActivityCandidate {
  name: string;
  loss: number;
  accuracy: number;
}

/** Why the model is as it is. */
export interface NextActivityChoice {
  candidates: NextActivityCandidate[];
  chosen: string;
  /** Sequences that it was chosen on, and predictions in them. */
  judgedOn: { sequences: number; predictions: number };
}

const JUDGE_SHARE = 0.15;
/** Fewer sequences cannot tell one candidate from another: a chain of order 1 is taken. */
const LEAST_SEQUENCES = 40;
const NETWORK_SHARES = [0.25, 0.5, 0.75, 1];
/** A probability below this is not held against a candidate any more: the cut is the same for all. */
const LEAST_PROBABILITY = 1e-6;
/** One-sided 2.5 %. */
const LEAST_Z = 1.96;

/**
 * Chooses by validation in time between Markov chains of order 1 to 3, each with and without a preference for later
 * sequences, a recurrent network, and mixtures of the two; then learns the winner again from all sequences. The network is
 * trained where tfjs runs at the time.
 * @throws RangeError for sequences without events
 */
export async function fitNextActivityModel(
  input: NextActivityInput,
): Promise<{ model: NextActivityModel; choice: NextActivityChoice }> {
  const { sequences, withNetwork = true } = input;
  checkSequences(sequences);
  const count = sequenceCount(sequences);
  const judges = Math.floor(count * JUDGE_SHARE);
  const earlier = sliceSequences(sequences, 0, count - judges);
  if (count < LEAST_SEQUENCES || earlier.codes.length === 0) return fitLeast(sequences);
  const later = sliceSequences(sequences, count - judges, count);
  const truths = listTruths(later);
  const chains = listChains(count).map((options) => {
    const chain = fitMarkovChain(earlier, options);
    const probabilities = predictAll(later, (codes, _, out) => predictMarkovChain(chain, codes, out));
    return { options, probabilities, name: nameChain(options) };
  });
  const candidates = chains.map(({ name, probabilities }) => judge(name, probabilities, truths));
  const best = chooseChain(chains, candidates, truths);
  const { options, probabilities: ofChain } = chains[best]!;
  let networkShare = 0;
  let bestEpoch = 0;
  let chosen = candidates[best]!;
  if (withNetwork) {
    const { probabilities, epoch } = await tryNetwork(input, earlier, later, options.halfLife);
    bestEpoch = epoch;
    for (const share of NETWORK_SHARES) {
      const mixed = ofChain.map((p, i) => share * probabilities[i]! + (1 - share) * p);
      const name = share === 1 ? 'network' : `${share} network + ${1 - share} ${chains[best]!.name}`;
      const candidate = judge(name, mixed, truths);
      candidates.push(candidate);
      if (candidate.loss < chosen.loss) {
        chosen = candidate;
        networkShare = share;
      }
    }
  }
  const choice = { candidates, chosen: chosen.name, judgedOn: { sequences: judges, predictions: truths.length } };
  const chain = fitMarkovChain(sequences, options);
  if (networkShare === 0) return { model: { networkShare, chain }, choice };
  const { network } = await fitSequenceNetwork({
    ...input,
    weights: recencyWeights(count, options.halfLife),
    validationSequences: 0,
    // As many passes as were best; the rate still falls to zero over them.
    parameters: { ...input.parameters, epochs: Math.max(1, bestEpoch), patience: Math.max(1, bestEpoch) },
  });
  return { model: { networkShare, chain, network }, choice };
}

function fitLeast(sequences: EventSequences): { model: NextActivityModel; choice: NextActivityChoice } {
  const chosen = 'chain of order 1';
  const choice = { candidates: [], chosen, judgedOn: { sequences: 0, predictions: 0 } };
  return { model: { networkShare: 0, chain: fitMarkovChain(sequences, { order: 1 }) }, choice };
}

interface ChainOptions {
  order: number;
  halfLife: number;
}

/** Half-lives from all of the past to a sixteenth of it. */
function listChains(sequences: number): ChainOptions[] {
  const halfLives = [Infinity, sequences / 2, sequences / 4, sequences / 8, sequences / 16];
  return [1, 2, 3].flatMap((order) =>
    halfLives.map((halfLife) => ({ order, halfLife: Math.max(1, Math.round(halfLife)) })),
  );
}

function nameChain({ order, halfLife }: ChainOptions): string {
  return `chain of order ${order}${Number.isFinite(halfLife) ? `, half-life ${halfLife}` : ''}`;
}

async function tryNetwork(
  input: NextActivityInput,
  earlier: EventSequences,
  later: EventSequences,
  halfLife: number,
): Promise<{ probabilities: Float64Array; epoch: number }> {
  const count = sequenceCount(earlier);
  const { network, history } = await fitSequenceNetwork({
    ...input,
    sequences: earlier,
    weights: recencyWeights(count, halfLife),
    // The last of the earlier ones stop the training, so that the judges stay unseen.
    validationSequences: Math.max(1, Math.floor(count * JUDGE_SHARE)),
  });
  const predict: Predict = (codes, times, out) => predictSequenceNetwork(network, { codes, times }, out);
  return { probabilities: predictAll(later, predict), epoch: history.bestEpoch };
}

type Predict = (codes: Int32Array, times: Float64Array, out: Float64Array) => void;

/** The probabilities of all predictions of some sequences, `[prediction * classes + class]`. */
function predictAll(sequences: EventSequences, predict: Predict): Float64Array {
  const classes = nextClasses(sequences);
  let predictions = 0;
  for (let i = 0; i < sequenceCount(sequences); i++) predictions += predictionsOf(sequences, i);
  const all = new Float64Array(predictions * classes);
  let at = 0;
  for (let i = 0; i < sequenceCount(sequences); i++) {
    const start = sequences.offsets[i]!;
    for (let position = 0; position < predictionsOf(sequences, i); position++, at += classes) {
      const codes = sequences.codes.subarray(start, start + position);
      const times = sequences.times.subarray(start, start + position);
      predict(codes, times, all.subarray(at, at + classes));
    }
  }
  return all;
}

function listTruths(sequences: EventSequences): Int32Array {
  const truths: number[] = [];
  for (let i = 0; i < sequenceCount(sequences); i++)
    for (let position = 0; position < predictionsOf(sequences, i); position++)
      truths.push(nextOf(sequences, i, position));
  return Int32Array.from(truths);
}

function judge(name: string, probabilities: Float64Array, truths: Int32Array): NextActivityCandidate {
  const classes = probabilities.length / Math.max(1, truths.length);
  let hits = 0;
  truths.forEach((truth, i) => {
    const own = probabilities.subarray(i * classes, (i + 1) * classes);
    if (own.indexOf(own.reduce((most, p) => Math.max(most, p), 0)) === truth) hits++;
  });
  const loss = lossesOf(probabilities, truths).reduce((sum, value) => sum + value, 0);
  return { name, loss: loss / Math.max(1, truths.length), accuracy: hits / Math.max(1, truths.length) };
}

/** -log p of what came, a prediction each. */
function lossesOf(probabilities: Float64Array, truths: Int32Array): Float64Array {
  const classes = probabilities.length / Math.max(1, truths.length);
  return Float64Array.from(
    truths,
    (truth, i) => -Math.log(Math.max(LEAST_PROBABILITY, probabilities[i * classes + truth]!)),
  );
}

/** The best chain of all; but one with a half-life only if it beats the best without by more than chance (a paired z-test). */
function chooseChain(
  chains: readonly { options: ChainOptions; probabilities: Float64Array }[],
  candidates: readonly NextActivityCandidate[],
  truths: Int32Array,
): number {
  const indices = chains.map((_, i) => i).sort((a, b) => candidates[a]!.loss - candidates[b]!.loss);
  const steady = indices.find((i) => chains[i]!.options.halfLife === Infinity)!;
  const best = indices[0]!;
  if (best === steady) return best;
  const [before, after] = [steady, best].map((i) => lossesOf(chains[i]!.probabilities, truths));
  const gains = before!.map((loss, i) => loss - after![i]!);
  const gain = gains.reduce((sum, value) => sum + value, 0) / gains.length;
  const variance = gains.reduce((sum, value) => sum + (value - gain) ** 2, 0) / Math.max(1, gains.length - 1);
  return gain > LEAST_Z * Math.sqrt(variance / gains.length) ? best : steady;
}
