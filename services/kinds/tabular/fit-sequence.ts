import { fitCalibration } from '../../../ml/calibrate/calibration.js';
import { assignFolds } from '../../../ml/evaluate/folds.js';
import type { EventSequences } from '../../../ml/neural/event-sequences.js';
import {
  chooseNextActivityModel,
  refitNextActivityModel,
  type NextActivityInput,
  type NextActivityTrial,
} from '../../../ml/neural/fit-next-activity-model.js';
import { createPrng, shuffle } from '../../../ml/random/prng.js';
import { MOST_RECENT_ACTIVITIES } from '../../features/user-behavior-features.js';
import { selectNetworkBackend } from '../../training/network-backend.js';
import { LEAST_WEIGHT, LEAST_Z } from './blend.js';
import type { FittedHead } from './fit-head.js';
import { encodeActivities, predictClasses, type SequenceHead } from './sequence-head.js';
import type { SequenceTrial } from './sequence-trial.js';
import type { HeadTarget, RowHistories } from './training-table.js';

export interface SequenceInput {
  target: HeadTarget;
  /** Rows to learn from; each has a truth. */
  rows: Uint32Array;
  groups: Int32Array;
  histories: RowHistories;
  /** What the features say, and of which of `rows` without having seen them. */
  fitted: Pick<FittedHead, 'model' | 'unseen'>;
  seed: number;
  gpuEnabled: boolean;
  onProgress: (share: number, detail: string) => void;
}

/** Of so many parts of the entities one judges. */
const FOLDS = 5;
/** With fewer entities to learn from, or rows to judge, nothing can be told from chance. */
const LEAST_ENTITIES = 100;
const LEAST_JUDGED = 100;
/** Entities whose activities are learned from: more cost time and tell little new about few activities. */
const MOST_ENTITIES = 3000;
/** Chosen for time: a pass over 1,600 entities takes about a second, and later passes bring nothing. */
const PARAMETERS = { hidden: 32, batchSize: 128, learningRate: 0.02, epochs: 12, longest: MOST_RECENT_ACTIVITIES };

/**
 * Tries whether what an entity did, one after another, tells more of a head than its features do. Four fifths of the entities are
 * learned from: chains, a recurrent network and mixtures of them, of which their last ones choose. The remaining fifth, which neither
 * they nor the features' models saw, gives the weights of a mean of both and a paired test of it against the features alone, an entity
 * a witness. Only when that is passed, the sequence model is learned again from all and becomes part of the head.
 */
export async function fitSequenceHead(
  input: SequenceInput,
): Promise<{ sequence?: SequenceHead; trial: SequenceTrial; warning?: string }> {
  const { target, rows, groups, seed, onProgress } = input;
  const activities = listActivities(input);
  const judged = chooseJudged(input);
  const judging = new Set(Array.from(judged.positions, (at) => groups[rows[at]!]!));
  const learning = rows.filter((row) => !judging.has(groups[row]!));
  const entities = new Set(Array.from(learning, (row) => groups[row]!)).size;
  if (entities < LEAST_ENTITIES || judged.positions.length < LEAST_JUDGED)
    return {
      trial: {
        isChosen: false,
        reason: `${entities} entities to learn from and ${judged.positions.length} rows to judge are too few to tell anything from chance: ${LEAST_ENTITIES} and ${LEAST_JUDGED} are needed`,
      },
    };
  const { device, warning } = await selectNetworkBackend({ gpuEnabled: input.gpuEnabled });
  let epoch = 0;
  const fit: Omit<NextActivityInput, 'sequences'> = {
    isInTime: false,
    parameters: PARAMETERS,
    seed,
    onEpoch: () => onProgress(Math.min(0.99, ++epoch / (2 * PARAMETERS.epochs)), `sequences, pass ${epoch}`),
  };
  const tried = await chooseNextActivityModel({ ...fit, sequences: mergeHistories(input, learning, activities) });
  const verdict = compare(input, tried, activities, judged.positions, judged.answers);
  const { network_share: networkShare } = verdict.trial;
  const trial: SequenceTrial = { ...verdict.trial, device };
  if (!trial.isChosen) return { trial, warning };
  const model = await refitNextActivityModel(
    { ...fit, sequences: mergeHistories(input, rows, activities) },
    tried.recipe,
  );
  const { name } = target.head;
  return {
    trial,
    warning,
    sequence: {
      model,
      stored: {
        field: target.head.sequence!,
        activities,
        longest: MOST_RECENT_ACTIVITIES,
        share: trial.share!,
        networkShare: networkShare!,
        calibration: fitCalibration(verdict.mixed, verdict.labels, target.classes.length, { seed }),
        chainFile: `${name}.chain.model`,
        ...(model.network ? { networkFile: `${name}.sequence.model` } : {}),
      },
    },
  };
}

/** The classes, then whatever else occurs in the rows that are learned from. */
function listActivities({ target, rows, histories }: SequenceInput): string[] {
  const classes = target.classes.map(String);
  const others = new Set<string>();
  for (const row of rows) for (const name of histories.activities[row]!) others.add(name);
  for (const name of classes) others.delete(name);
  return [...classes, ...[...others].sort()];
}

/** Rows that the features' models answered unseen: those of a fifth of the entities, or all where they are few already. */
function chooseJudged({ target, rows, groups, fitted, seed }: SequenceInput) {
  const { rows: unseen, answers } = fitted.unseen;
  const classes = target.classes.length;
  const folds =
    unseen.length > rows.length / 2
      ? assignFolds(rows.length, FOLDS, { seed, groups: Int32Array.from(rows, (row) => groups[row]!) })
      : undefined;
  const places = Array.from(unseen.keys()).filter((at) => !folds || folds[unseen[at]!] === 0);
  const own = new Float64Array(places.length * classes);
  places.forEach((at, to) => own.set(answers.subarray(at * classes, (at + 1) * classes), to * classes));
  return { positions: Uint32Array.from(places, (at) => unseen[at]!), answers: own };
}

/**
 * One sequence an entity: what its rows tell of it, each event once, with the truth of a row in its place. Where an entity did more
 * between two rows than the later one lists, the part before the gap is left out.
 */
export function mergeHistories(
  { target, groups, histories, seed }: Pick<SequenceInput, 'target' | 'groups' | 'histories' | 'seed'>,
  rows: Uint32Array,
  activities: readonly string[],
): EventSequences {
  const merged = new Map<number, { codes: number[]; end: number }>();
  const byTime = [...rows].sort((a, b) => histories.lastOrdinal[a]! - histories.lastOrdinal[b]! || a - b);
  for (const row of byTime) {
    const last = histories.lastOrdinal[row]!;
    const own = encodeActivities({ activities: activities as string[], longest: Infinity }, histories.activities[row]!);
    const entity = merged.get(groups[row]!);
    const fresh = entity ? last - entity.end : own.length;
    if (!entity || fresh > own.length) merged.set(groups[row]!, { codes: [...own], end: last });
    else if (fresh > 0) {
      entity.codes.push(...own.subarray(own.length - fresh));
      entity.end = last;
    }
    const known = merged.get(groups[row]!)!;
    if (known.end === last && !Number.isNaN(target.y[row]!)) {
      known.codes.push(target.y[row]!);
      known.end++;
    }
  }
  const entities = [...merged].sort(([a], [b]) => a - b).map(([, { codes }]) => codes);
  const chosen = shuffle(entities, createPrng(seed, 0x736571)).slice(0, MOST_ENTITIES);
  const lists = chosen.map((codes) => codes.slice(-MOST_RECENT_ACTIVITIES));
  const offsets = new Uint32Array(lists.length + 1);
  lists.forEach((codes, at) => (offsets[at + 1] = offsets[at]! + codes.length));
  const codes = Int32Array.from(lists.flat());
  return {
    activities: activities.length,
    hasEnd: false,
    offsets,
    codes,
    times: new Float64Array(codes.length).fill(NaN),
  };
}

/** The paired comparison on the judged rows. */
function compare(
  { target, rows, groups, histories }: SequenceInput,
  tried: NextActivityTrial,
  activities: string[],
  judged: Uint32Array,
  tabular: Float64Array,
): { trial: SequenceTrial; mixed: Float64Array; labels: Float64Array } {
  const classes = target.classes.length;
  const labels = Float64Array.from(judged, (at) => target.y[rows[at]!]!);
  const own = new Float64Array(tabular.length);
  judged.forEach((at, index) => {
    const codes = encodeActivities({ activities, longest: MOST_RECENT_ACTIVITIES }, histories.activities[rows[at]!]!);
    predictClasses(tried.model, codes, classes, own.subarray(index * classes, (index + 1) * classes));
  });
  const truthsOf = (answers: Float64Array) => labels.map((label, at) => Math.max(1e-6, answers[at * classes + label]!));
  const [byFeatures, bySequence] = [truthsOf(tabular), truthsOf(own)];
  const share = mixtureWeights([byFeatures, bySequence])[1]!;
  const mixed = tabular.map((p, at) => (1 - share) * p + share * own[at]!);
  const byBoth = truthsOf(mixed);
  const gain = gainByEntity(
    Float64Array.from(byBoth, (p, at) => Math.log(p / byFeatures[at]!)),
    Int32Array.from(judged, (at) => groups[rows[at]!]!),
  );
  const figures = (answers: Float64Array, truths: Float64Array) => ({
    log_loss: truths.reduce((sum, p) => sum - Math.log(p), 0) / truths.length,
    accuracy: accuracyOf(answers, labels, classes),
  });
  const { recipe, choice, history } = tried;
  return {
    mixed,
    labels,
    trial: {
      isChosen: share >= LEAST_WEIGHT && gain.value > LEAST_Z * gain.standard_error,
      rows: judged.length,
      entities: gain.entities,
      features: figures(tabular, byFeatures),
      sequence: figures(own, bySequence),
      both: figures(mixed, byBoth),
      gain: { value: gain.value, standard_error: gain.standard_error },
      share,
      network_share: recipe.networkShare,
      learned_by: choice.chosen,
      epochs: history?.epochs ?? [],
      best_epoch: history?.bestEpoch ?? 0,
    },
  };
}

/** The mean gain, where many rows of one entity are one witness. */
function gainByEntity(gains: Float64Array, groups: Int32Array) {
  const sums = new Map<number, { sum: number; rows: number }>();
  gains.forEach((gain, at) => {
    const one = sums.get(groups[at]!) ?? { sum: 0, rows: 0 };
    sums.set(groups[at]!, { sum: one.sum + gain, rows: one.rows + 1 });
  });
  const value = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  let squares = 0;
  for (const { sum, rows } of sums.values()) squares += (sum - rows * value) ** 2;
  return { value, standard_error: Math.sqrt(squares) / gains.length, entities: sums.size };
}

function accuracyOf(answers: Float64Array, labels: Float64Array, classes: number): number {
  let hits = 0;
  labels.forEach((label, at) => {
    const own = answers.subarray(at * classes, (at + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) hits++;
  });
  return hits / labels.length;
}

const ITERATIONS = 100;

/**
 * The weights of a mixture, found by expectation-maximisation (Dempster, Laird and Rubin 1977): each step lowers the log loss, and the only
 * optimum is the best one.
 * @param truths by model the probability that it gave the true class of each row
 */
function mixtureWeights(truths: readonly Float64Array[]): number[] {
  const rows = truths[0]!.length;
  let weights = truths.map(() => 1 / truths.length);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const next = truths.map(() => 0);
    for (let row = 0; row < rows; row++) {
      let mixed = 0;
      for (let k = 0; k < truths.length; k++) mixed += weights[k]! * truths[k]![row]!;
      for (let k = 0; k < truths.length; k++) next[k]! += (weights[k]! * truths[k]![row]!) / mixed / rows;
    }
    weights = next;
  }
  return weights;
}
