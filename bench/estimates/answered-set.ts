import { encodeLabels, fitLabelEncoder } from '../../ml/preprocess/label-encoder.js';
import { queryColumns, withDuckDb } from '../../services/duckdb.js';
import { predictFolds } from '../../services/kinds/tabular/cross-validate-model.js';
import type { TrainingTable } from '../../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../../services/training/training-plan.js';
import type { EstimateSet } from './estimate-sets.js';

/** Rows that a model answered which had not seen them, in their order. */
export interface AnsweredSet {
  name: string;
  classes: string[];
  rows: number;
  /** `[row * classes + class]`, calibrated. */
  probabilities: Float64Array;
  /** Class numbers. */
  truths: Float64Array;
  /** Features that hold numbers, those with the most different values first; NaN where one is missing. */
  numbers: { name: string; values: Float64Array }[];
  /** Rows that a peer which asks for known truths gets; the others are for chunks. */
  isReference: (row: number) => boolean;
}

const SEED = 42;
const LEARNT_SHARE = 0.4;
const MOST_LEARNT = 10_000;
/** In time the reference is what comes first. */
const REFERENCE_ROWS = 2000;

/** @param split `halves`: rows are learnt by chance; `later`: those that come first */
export async function answerSet(dataDir: string, set: EstimateSet, split: 'halves' | 'later'): Promise<AnsweredSet> {
  const columns = await withDuckDb((connection) => queryColumns(connection, set.sql(dataDir)));
  const truth = columns.find(({ name }) => name === 'target')!.values;
  const features = columns.filter(({ name }) => name !== 'target');
  const rows = truth.length;
  const encoder = fitLabelEncoder(truth);
  // By chance from all times: a half that is learnt from the end alone would be shifted in what the inputs mean.
  const share = split === 'later' ? LEARNT_SHARE : Math.min(LEARNT_SHARE, MOST_LEARNT / rows);
  const isLearnt = (row: number) =>
    split === 'later' ? row < share * rows : Math.imul(row, 2_654_435_761) >>> 0 < share * 2 ** 32;
  const all = Array.from({ length: rows }, (_, row) => row);
  const learnt = all.filter(isLearnt).slice(-MOST_LEARNT);
  const answered = all.filter((row) => !isLearnt(row));
  const usable = Uint32Array.from([...learnt, ...answered]);
  const order = Float64Array.from(all);
  const table: TrainingTable = {
    rows,
    features,
    groups: Int32Array.from(all),
    units: order,
    targets: [],
    isHeldOut: new Uint8Array(rows),
    isInTime: split === 'later',
  };
  const target = {
    head: { name: 'label', column: 'target', task: 'multiclass' as const },
    y: Float64Array.from(encodeLabels(encoder, truth)),
    classes: encoder.classes,
  };
  const plan = {
    model: set.name,
    datasetId: set.name,
    kind: 'classification',
    algorithm: 'gradient_boosting',
    hyperparameters: { seed: SEED },
    seed: SEED,
    features: features.map(({ name }) => name),
    heads: [target.head],
    settings: { split: table.isInTime ? 'time' : 'random' },
  } as unknown as TrainingPlan;
  const folds = Int32Array.from(usable, (_, at) => (at < learnt.length ? -1 : 0));
  const answers = await predictFolds(plan, { ...table, targets: [target] }, target, usable, folds, () => {});
  return {
    name: set.name,
    classes: encoder.classes.map(String),
    rows: answered.length,
    probabilities: answers.subarray(learnt.length * encoder.classes.length),
    truths: Float64Array.from(answered, (row) => target.y[row]!),
    numbers: numbersOf(features, answered),
    isReference: split === 'later' ? (row) => row < REFERENCE_ROWS : (row) => row % 3 === 0,
  };
}

function numbersOf(features: readonly { name: string; values: readonly unknown[] }[], answered: readonly number[]) {
  return features
    .filter(({ values }) => values.every((value) => value === null || typeof value === 'number'))
    .map(({ name, values }) => ({ name, values: Float64Array.from(answered, (row) => (values[row] as number) ?? NaN) }))
    .map((column) => ({ ...column, different: new Set(column.values).size }))
    .toSorted((a, b) => b.different - a.different);
}
