import { assignFolds } from '../../../ml/evaluate/folds.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { fitRemovalBounds, isOutside } from '../../../ml/preprocess/remove-outliers.js';
import {
  encodeOutOfFold,
  encodeTable,
  fitTableEncoder,
  type TableEncoder,
} from '../../../ml/preprocess/table-encoder.js';
import type { EncodingTarget } from '../../../ml/preprocess/target-encoding.js';
import { choicesFor } from '../../preprocessing/column-choices.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import { settingsOf } from './plan.js';
import type { TrainingTable } from './training-table.js';

/** Rows whose truth stands in their own features teach nothing: each fold's are encoded from the others. */
const FOLDS = 5;

/** How the raw columns become numbers, learnt from some rows and from nothing else. */
export interface FittedEncoder {
  encoder: TableEncoder;
  /** The rows to learn from: those that were given, without removed outliers. */
  rows: Uint32Array;
  /** The whole table; rows to learn from do not have their own truth in it. */
  x: FeatureMatrix;
}

/** Learns the encoding, with the preprocessing of the model's entry, from `rows` alone. */
export function fitEncoder(plan: TrainingPlan, table: TrainingTable, rows: Uint32Array): FittedEncoder {
  const { preprocessing } = settingsOf(plan);
  if (!preprocessing) {
    const encoder = fitTableEncoder(table.features, rows);
    return { encoder, rows, x: encodeTable(encoder, table.features) };
  }
  const choicesOf = (column: string) => choicesFor(preprocessing, column);
  const kept = withoutOutliers(table, rows, choicesOf);
  const { normalize } = preprocessing;
  const encoder = fitTableEncoder(table.features, kept, { choicesOf, normalize, target: encodingTarget(table) });
  return { encoder, rows: kept, x: encodeForLearning(plan, table, encoder, kept) };
}

/** Categories are encoded by the first head: its mean, or the share of each class. */
function encodingTarget({ targets }: TrainingTable): EncodingTarget {
  const { y, classes } = targets[0]!;
  return { y, classes: classes.length };
}

function withoutOutliers(
  { features }: TrainingTable,
  rows: Uint32Array,
  choicesOf: Parameters<typeof fitRemovalBounds>[2],
): Uint32Array {
  const bounds = fitRemovalBounds(features, rows, choicesOf);
  if (bounds.length === 0) return rows;
  const byName = new Map(features.map(({ name, values }) => [name, values]));
  return rows.filter((row) => !bounds.some((one) => isOutside(one, byName.get(one.name)![row])));
}

/** The table in numbers, where what `rows` say of the target is told to each of them by the others. */
export function encodeForLearning(
  plan: TrainingPlan,
  table: TrainingTable,
  encoder: TableEncoder,
  rows: Uint32Array,
): FeatureMatrix {
  const x = encodeTable(encoder, table.features);
  if (!encoder.features.some(({ encoding }) => encoding === 'target')) return x;
  const folds = new Int32Array(table.rows).fill(-1);
  const groups = Int32Array.from(rows, (row) => table.groups[row]!);
  const assigned = table.isInTime
    ? Uint8Array.from(rows, (_, at) => Math.floor((at * FOLDS) / rows.length))
    : assignFolds(rows.length, FOLDS, { seed: plan.seed, groups });
  rows.forEach((row, at) => (folds[row] = assigned[at]!));
  encodeOutOfFold(encoder, table.features, x, encodingTarget(table), folds);
  return x;
}
