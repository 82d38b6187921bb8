import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { applyCalibration, type Calibration } from '../../../ml/calibrate/calibration.js';
import type { MarkovChain } from '../../../ml/neural/markov-chain.js';
import { decodeNetwork, encodeNetwork } from '../../../ml/neural/network-format.js';
import { predictNextActivity, type NextActivityModel } from '../../../ml/neural/next-activity-model.js';
import type { SequenceNetwork } from '../../../ml/neural/sequence-network.js';

/** What a head knows of sequences besides its files; plain JSON. */
export interface StoredSequence {
  /** The field of a request that lists the latest activities. */
  field: string;
  /** Names by code; the classes of the head stand first. */
  activities: string[];
  /** Only so many latest activities are looked at. */
  longest: number;
  /** How much the sequence counts beside the features, above 0 to 1. */
  share: number;
  /** Of that, how much the network counts beside the chain, 0 to 1. */
  networkShare: number;
  /** Of the weighted mean. */
  calibration: Calibration;
  chainFile: string;
  /** Absent where the network has no share. */
  networkFile?: string;
}

/** The part of a head that answers from the order of what an entity did. Runs without TensorFlow. */
export interface SequenceHead {
  stored: StoredSequence;
  model: NextActivityModel;
}

/** The files of the model, by name. */
export function encodeSequenceFiles({ stored, model }: SequenceHead): [file: string, bytes: Uint8Array][] {
  const files: [string, Uint8Array][] = [[stored.chainFile, encodeNetwork(model.chain)]];
  if (stored.networkFile && model.network) files.push([stored.networkFile, encodeNetwork(model.network)]);
  return files;
}

/**
 * Reads a stored part.
 * @param read gives what `decode` makes of a file's bytes
 * @throws RangeError or ModelFormatError for bytes that are no such model
 */
export function loadSequence(
  stored: StoredSequence,
  read: <T>(file: string, decode: (bytes: Uint8Array) => T) => T,
): SequenceHead {
  const chain = read(stored.chainFile, decodeChain);
  const network = stored.networkFile === undefined ? undefined : read(stored.networkFile, decodeSequence);
  const known = stored.activities.length;
  for (const { activities } of [chain.description, ...(network ? [network.description] : [])])
    if (activities !== known)
      throw new RangeError(`a model of ${activities} activities was stored with ${known} names`);
  return { stored, model: { networkShare: stored.networkShare, chain, ...(network ? { network } : {}) } };
}

function decodeChain(bytes: Uint8Array): MarkovChain {
  const chain = decodeNetwork(bytes);
  if ('counts' in chain) return chain;
  throw new RangeError('this is no chain of activities');
}

function decodeSequence(bytes: Uint8Array): SequenceNetwork {
  const network = decodeNetwork(bytes);
  if ('weights' in network && network.description.kind === 'sequence') return network as SequenceNetwork;
  throw new RangeError('this is no network for sequences');
}

/** The latest activities that a request lists; its schema has checked them. */
export const activitiesOf = ({ stored }: SequenceHead, options: ScoreInput['options']): readonly string[] =>
  (options?.[stored.field] ?? []) as readonly string[];

/** The codes of the latest activities; names that did not occur in training are left out. */
export function encodeActivities(
  { activities, longest }: Pick<StoredSequence, 'activities' | 'longest'>,
  names: readonly string[],
): Int32Array {
  const codes = codesOf(activities);
  return Int32Array.from(names.flatMap((name) => codes.get(name) ?? []).slice(-longest));
}

const known = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

function codesOf(activities: readonly string[]): ReadonlyMap<string, number> {
  const codes = known.get(activities) ?? new Map(activities.map((name, code) => [name, code]));
  known.set(activities, codes);
  return codes;
}

/**
 * The probabilities of a head's classes after some activities.
 * @param out receives `classes` probabilities that sum to 1
 */
export function predictClasses(model: NextActivityModel, codes: Int32Array, classes: number, out: Float64Array): void {
  const all = new Float64Array(model.chain.description.activities);
  // Requests give the order and not the times, so that the model knows no times either.
  predictNextActivity(model, { codes, times: new Float64Array(codes.length).fill(NaN) }, all);
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += all[c]!;
  for (let c = 0; c < classes; c++) out[c] = sum > 0 ? all[c]! / sum : 1 / classes;
}

/**
 * Mixes what the features say with what the sequence says, in place. Without any known activity the answer stays that of the features.
 * @param answer the calibrated probabilities of the features' model
 * @returns whether the sequence had a say
 */
export function mixInSequence(
  { stored, model }: SequenceHead,
  names: readonly string[],
  answer: Float64Array,
): boolean {
  const codes = encodeActivities(stored, names);
  if (codes.length === 0) return false;
  const own = new Float64Array(answer.length);
  predictClasses(model, codes, answer.length, own);
  for (let c = 0; c < answer.length; c++) answer[c] = stored.share * own[c]! + (1 - stored.share) * answer[c]!;
  applyCalibration(stored.calibration, answer, answer);
  return true;
}

/** The same for many rows; `histories` has the activities of each row of `answers`. */
export function mixInSequences(
  head: SequenceHead,
  histories: readonly (readonly string[])[],
  answers: Float64Array,
): Float64Array {
  const classes = answers.length / Math.max(1, histories.length);
  histories.forEach((names, row) => mixInSequence(head, names, answers.subarray(row * classes, (row + 1) * classes)));
  return answers;
}
