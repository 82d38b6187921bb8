import { permutationImportance, type FeatureImportance } from '../../../ml/evaluate/permutation-importance.js';
import { findSlices, type Slice } from '../../../ml/evaluate/slices.js';
import { takeRows, type FeatureMatrix } from '../../../ml/matrix.js';
import type { TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { answerRows } from './fit-head.js';
import type { StoredHead } from './fit-model.js';
import type { HeadModel } from './head-model.js';
import { mixInSequences, type SequenceHead } from './sequence-head.js';
import type { HeadTarget, TrainingTable } from './training-table.js';

/** A head with what it says of the held-out rows. */
export interface JudgedHead {
  stored: StoredHead;
  model: HeadModel;
  /** What answers beside the model from what the entities did last. */
  sequence?: SequenceHead;
  /** The model as it is stored. */
  bytes: Uint8Array;
  target: HeadTarget;
  /** Held-out rows with a truth. */
  rows: Uint32Array;
  /** `[row * classes + class]`, or values; in the order of `rows`. */
  answers: Float64Array;
}

/** What the measures are taken on. */
export interface MeasuredTable {
  plan: TrainingPlan;
  table: TrainingTable;
  encoder: TableEncoder;
  x: FeatureMatrix;
}

/** What a reader knows a head by: a table's only head has no name of its own, but its column has. */
export const shownName = ({ target: { head } }: Pick<JudgedHead, 'target'>): string =>
  head.name === 'label' || head.name === 'value' ? head.column : head.name;

/** What the losses of a head are called. */
export const lossName = ({ stored }: Pick<JudgedHead, 'stored'>): string =>
  stored.task === 'regression' ? 'absolute error' : 'log loss';

/** One loss a row: of its true class's probability, or the distance to its value. */
export function rowLosses(target: HeadTarget, rows: Uint32Array, answers: Float64Array): Float64Array {
  const classes = target.classes.length;
  return Float64Array.from(rows, (row, at) =>
    target.head.task === 'regression'
      ? Math.abs(target.y[row]! - answers[at]!)
      : -Math.log(Math.max(1e-15, answers[at * classes + target.y[row]!]!)),
  );
}

const MOST_IMPORTANCE_ROWS = 2000;
const LEAST_IMPORTANCE_ROWS = 200;
/** Answers that measuring importance may take, a head: about two seconds of a large forest. */
const IMPORTANCE_ANSWERS = 100_000;
const MOST_REPEATS = 5;

/** What each feature is worth on held-out rows; fewer rows and shuffles where there are many features. */
export function measureImportance(head: JudgedHead, measured: MeasuredTable): FeatureImportance[] {
  const { plan, encoder, x } = measured;
  const features = Math.max(1, encoder.features.length);
  const affordable = Math.max(LEAST_IMPORTANCE_ROWS, Math.floor(IMPORTANCE_ANSWERS / features));
  const rows = thinRows(head.rows, Math.min(MOST_IMPORTANCE_ROWS, affordable));
  if (rows.length === 0) return [];
  const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.floor(IMPORTANCE_ANSWERS / (rows.length * features))));
  const groups = encoder.features.map(({ name, start, width }) => ({
    name,
    columns: Array.from({ length: width }, (_, at) => start + at),
  }));
  const { sequence } = head;
  return permutationImportance({
    x: sequence ? withRowNumbers(takeRows(x, rows), rows) : takeRows(x, rows),
    predict: (part) => predictPart(head, measured, part),
    lossOf: (answers) => rowLosses(head.target, rows, answers),
    groups: sequence ? [...groups, { name: sequence.stored.field, columns: [x.columns] }] : groups,
    seed: plan.seed,
    repeats,
  });
}

/** A last column with each row's number in the table: shuffling it gives rows the sequences of others. */
function withRowNumbers({ rows, columns, values }: FeatureMatrix, numbers: Uint32Array): FeatureMatrix {
  const wider = new Float64Array(rows * (columns + 1));
  wider.set(values);
  wider.set(numbers, rows * columns);
  return { rows, columns: columns + 1, values: wider };
}

function predictPart({ stored, model, sequence }: JudgedHead, { table, x }: MeasuredTable, part: FeatureMatrix) {
  if (!sequence) return answerRows({ ...stored, model }, part);
  const size = part.rows * x.columns;
  const features = { rows: part.rows, columns: x.columns, values: part.values.subarray(0, size) };
  const histories = Array.from(part.values.subarray(size), (row) => table.histories?.activities[row] ?? []);
  return mixInSequences(sequence, histories, answerRows({ ...stored, model }, features));
}

const MOST_SLICE_CELLS = 500_000;
const MOST_SLICES = 100;

/** Groups of held-out rows by the values of each feature, the worst first. */
export function measureSlices(head: JudgedHead, { table }: MeasuredTable): { overall: number; slices: Slice[] } {
  const most = Math.max(LEAST_IMPORTANCE_ROWS, Math.floor(MOST_SLICE_CELLS / Math.max(1, table.features.length)));
  const places = thinRows(
    Uint32Array.from(head.rows, (_, at) => at),
    most,
  );
  const all = rowLosses(head.target, head.rows, head.answers);
  const losses = Float64Array.from(places, (at) => all[at]!);
  if (losses.length === 0) return { overall: 0, slices: [] };
  const slices = findSlices({
    columns: table.features.map(({ name, values }) => ({
      name,
      values: Array.from(places, (at) => values[head.rows[at]!]),
    })),
    losses,
  });
  // The worst and the best say something; those in between are like the rest.
  const telling = slices.filter((slice) => slice.verdict !== 'same');
  const others = slices.filter((slice) => slice.verdict === 'same').slice(0, Math.max(0, MOST_SLICES - telling.length));
  return {
    overall: losses.reduce((sum, loss) => sum + loss / losses.length, 0),
    slices: [...telling, ...others].slice(0, MOST_SLICES),
  };
}

/** At most so many, at equal distances. */
export function thinRows(rows: Uint32Array, most: number): Uint32Array {
  if (rows.length <= most) return rows;
  return Uint32Array.from({ length: most }, (_, at) => rows[Math.floor((at * rows.length) / most)]!);
}
