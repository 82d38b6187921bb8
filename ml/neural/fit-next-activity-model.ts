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
import type { SequenceNetwork } from './sequence-network.js';
import { predictSequenceNetwork } from './sequence-prediction.js';
import type { EpochRecord, TrainingHistory } from './weight-training.js';

export interface NextActivityInput {
  /** The last ones judge what is chosen. */
  sequences: EventSequences;
  /** Whether they are ordered in time, so that later ones may count more. Default true. */
  isInTime?: boolean;
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

/** What was chosen, so that it can be learnt again from other sequences. */
export interface NextActivityRecipe {
  chain: ChainOptions;
  /** Share of the network in the answer, 0 to 1. */
  networkShare: number;
  /** Passes that were best for the network; 0 where none is trained. */
  epochs: number;
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
 * Chooses by the last sequences between Markov chains of order 1 to 3, each with and without a preference for later
 * sequences, a recurrent network, and mixtures of the two; then learns the winner again from all sequences. The network is
 * trained where tfjs runs at the time.
 * @throws RangeError for sequences without events
 */
export async function fitNextActivityModel(
  input: NextActivityInput,
): Promise<{ model: NextActivityModel; choice: NextActivityChoice }> {
  const { recipe, choice } = await chooseNextActivityModel(input);
  return { model: await refitNextActivityModel(input, recipe), choice };
}

/** What `chooseNextActivityModel` found. */
export interface NextActivityTrial {
  /** The winner as it was judged: learnt from the earlier sequences alone. */
  model: NextActivityModel;
  recipe: NextActivityRecipe;
  choice: NextActivityChoice;
  /** How the training of the network went, where one was tried. */
  history?: TrainingHistory;
}

/**
 * The choice of `fitNextActivityModel` without the second fit.
 * @throws RangeError for sequences without events
 */
export async function chooseNextActivityModel(input: NextActivityInput): Promise<NextActivityTrial> {
  const { sequences, withNetwork = true, isInTime = true } = input;
  checkSequences(sequences);
  const count = sequenceCount(sequences);
  const judges = Math.floor(count * JUDGE_SHARE);
  const earlier = sliceSequences(sequences, 0, count - judges);
  if (count < LEAST_SEQUENCES || earlier.codes.length === 0) return chooseLeast(sequences);
  const later = sliceSequences(sequences, count - judges, count);
  const truths = listTruths(later);
  const chains = listChains(count, isInTime).map((options) => {
    const chain = fitMarkovChain(earlier, options);
    const probabilities = predictAll(later, (codes, _, out) => predictMarkovChain(chain, codes, out));
    return { options, chain, probabilities, name: nameChain(options) };
  });
  const candidates = chains.map(({ name, probabilities }) => judge(name, probabilities, truths));
  const best = chooseChain(chains, candidates, truths);
  const { options, chain, probabilities: ofChain } = chains[best]!;
  let networkShare = 0;
  let chosen = candidates[best]!;
  const tried = withNetwork ? await tryNetwork(input, earlier, later, options.halfLife) : undefined;
  if (tried) {
    const { probabilities } = tried;
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
  return {
    model: { networkShare, chain, ...(networkShare > 0 && tried ? { network: tried.network } : {}) },
    recipe: { chain: options, networkShare, epochs: networkShare > 0 ? (tried?.history.bestEpoch ?? 0) : 0 },
    choice: { candidates, chosen: chosen.name, judgedOn: { sequences: judges, predictions: truths.length } },
    ...(tried ? { history: tried.history } : {}),
  };
}

/**
 * Learns what was chosen from all of some sequences.
 * @throws RangeError for sequences without events
 */
export async function refitNextActivityModel(
  input: NextActivityInput,
  { chain: options, networkShare, epochs }: NextActivityRecipe,
): Promise<NextActivityModel> {
  const { sequences } = input;
  const chain = fitMarkovChain(sequences, options);
  if (networkShare === 0) return { networkShare, chain };
  const { network } = await fitSequenceNetwork({
    ...input,
    weights: recencyWeights(sequenceCount(sequences), options.halfLife),
    validationSequences: 0,
    // As many passes as were best; the rate still falls to zero over them.
    parameters: { ...input.parameters, epochs: Math.max(1, epochs), patience: Math.max(1, epochs) },
  });
  return { networkShare, chain, network };
}

function chooseLeast(sequences: EventSequences): NextActivityTrial {
  const options = { order: 1, halfLife: Infinity };
  return {
    model: { networkShare: 0, chain: fitMarkovChain(sequences, options) },
    recipe: { chain: options, networkShare: 0, epochs: 0 },
    choice: { candidates: [], chosen: 'chain of order 1', judgedOn: { sequences: 0, predictions: 0 } },
  };
}

interface ChainOptions {
  order: number;
  halfLife: number;
}

/** Half-lives from all of the past to a sixteenth of it, where later means something. */
function listChains(sequences: number, isInTime: boolean): ChainOptions[] {
  const halfLives = [Infinity, ...(isInTime ? [2, 4, 8, 16].map((part) => sequences / part) : [])];
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
): Promise<{ network: SequenceNetwork; history: TrainingHistory; probabilities: Float64Array }> {
  const count = sequenceCount(earlier);
  const { network, history } = await fitSequenceNetwork({
    ...input,
    sequences: earlier,
    weights: recencyWeights(count, halfLife),
    // The last of the earlier ones stop the training, so that the judges stay unseen.
    validationSequences: Math.max(1, Math.floor(count * JUDGE_SHARE)),
  });
  const predict: Predict = (codes, times, out) => predictSequenceNetwork(network, { codes, times }, out);
  return { network, history, probabilities: predictAll(later, predict) };
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
