import { nextClasses } from './event-sequences.js';
import { predictMarkovChain } from './markov-chain.js';
import type { MarkovChain } from './markov-chain.js';
import { predictSequenceNetwork } from './sequence-prediction.js';
import type { EventHistory } from './sequence-prediction.js';
import type { SequenceNetwork } from './sequence-network.js';

/** What says which activity comes next: a chain, a network, or both mixed, as later sequences decided. */
export interface NextActivityModel {
  /** Share of the network in the answer, 0 to 1. */
  readonly networkShare: number;
  readonly chain: MarkovChain;
  /** Absent where its share is 0. */
  readonly network?: SequenceNetwork;
}

/**
 * The probability of each activity after a history, and of the end where it was learnt. Runs without TensorFlow.
 * @param history oldest event first; empty = before the first
 * @param out receives `nextClasses` probabilities that sum to 1
 * @throws RangeError when `out` is too short
 */
export function predictNextActivity(model: NextActivityModel, history: EventHistory, out: Float64Array): void {
  const { networkShare, chain, network } = model;
  const classes = nextClasses(chain.description);
  if (out.length < classes) throw new RangeError(`there are ${classes} classes, but out has room for ${out.length}`);
  predictMarkovChain(chain, history.codes, out);
  if (!network || networkShare === 0) return;
  const own = new Float64Array(classes);
  predictSequenceNetwork(network, history, own);
  for (let c = 0; c < classes; c++) out[c] = networkShare * own[c]! + (1 - networkShare) * out[c]!;
}
