import { join } from 'node:path';
import { holdoutMask } from '../../../ml/evaluate/folds.js';
import { isMissing } from '../../../ml/preprocess/column-type.js';
import type { LabelValue } from '../../../ml/preprocess/label-encoder.js';
import { fitLabelEncoder, type LabelEncoder, type RawColumn } from '../../../ml/preprocess/table-encoder.js';
import type { Head } from '../../../core/kinds/heads.js';
import { ServiceError } from '../../../core/errors.js';
import { unitOf } from '../../artifacts/frozen-holdout.js';
import { queryColumns, quoteText, withDuckDb } from '../../duckdb.js';
import { choicesFor } from '../../preprocessing/column-choices.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import { GROUP_COLUMN, LEAST_ROWS } from './build-table.js';
import { settingsOf } from './plan.js';

/** The truth of one head, row by row. */
export interface HeadTarget {
  head: Head;
  /** Class number or value; NaN where the row has no truth for this head. */
  y: Float64Array;
  /** The classes in the order of their numbers; empty for a regression. */
  classes: LabelValue[];
}

/** The table of a run in memory, split once and for all steps alike. */
export interface TrainingTable {
  rows: number;
  features: RawColumn[];
  /** The entity of each row, as a number; rows of one entity stay on one side of every split. */
  groups: Int32Array;
  /** What is held out together, by row: the number of its entity, or of its content where there is none. See `unitOf`. */
  units: Float64Array;
  targets: HeadTarget[];
  /** 1 for the rows that no fit sees, and no choice but whether a variant that `optimize` asks for loses too much to be used. */
  isHeldOut: Uint8Array;
  /** True where the rows stand in order of time, and the latest are held out. */
  isInTime: boolean;
  /** What each entity did before its row, where a head is told from that. */
  histories?: RowHistories;
}

/** What the entity of each row did last, as known at the time of the row. */
export interface RowHistories {
  /** By row the activities, the latest last. */
  activities: readonly (readonly string[])[];
  /** The place of the latest of them among all that the entity did. */
  lastOrdinal: Float64Array;
}

/** Reads the staged table and splits it. The split follows from the plan alone, so every step and attempt has the same. */
export async function readTrainingTable(plan: TrainingPlan, staging: string): Promise<TrainingTable> {
  const file = join(staging, STAGED.table);
  const columns = completeRows(
    plan,
    await withDuckDb((connection) => queryColumns(connection, `SELECT * FROM read_parquet(${quoteText(file)})`)),
  );
  const byName = new Map(columns.map((column) => [column.name, column]));
  const group = byName.get(plan.kind === 'user_behavior' ? 'user_id' : GROUP_COLUMN)?.values ?? [];
  const rows = group.length;
  const groups = numberGroups(group);
  const targets = plan.heads.map((head) => readTarget(head, byName.get(head.column)?.values ?? [], plan));
  const first = targets[0]!;
  const isInTime = settingsOf(plan).split === 'time';
  const features = plan.features.map(
    (name) => byName.get(name) ?? { name, values: new Array<unknown>(rows).fill(null) },
  );
  const units = unitsOf(rows, features, targets, isHeldOutByEntity(plan) ? group : undefined);
  const labels = hasEveryTruth(first) ? first.y : undefined;
  const isHeldOut = isInTime
    ? Uint8Array.from({ length: rows }, (_, row) => (row >= Math.floor(rows * (1 - plan.validationSplit)) ? 1 : 0))
    : holdoutMask(rows, plan.validationSplit, { units, labels });
  if (!isHeldOut.includes(1) || !isHeldOut.includes(0))
    throw notTrainable(
      plan,
      `its ${rows} rows belong to ${new Set(groups).size} entity of ${plan.entity ?? 'its own'}, so that none can be held out; name another entity column`,
    );
  return {
    rows,
    features,
    groups,
    units,
    targets,
    isHeldOut,
    isInTime,
    ...readHistories(plan, byName),
  };
}

/** Without the rows that lack what the preprocessing asks for with `handle_missing: drop`. */
function completeRows(plan: TrainingPlan, columns: RawColumn[]): RawColumn[] {
  const { preprocessing } = settingsOf(plan);
  if (!preprocessing) return columns;
  const needed = columns.filter(
    ({ name }) => plan.features.includes(name) && choicesFor(preprocessing, name).missing === 'drop',
  );
  if (needed.length === 0) return columns;
  const rows = [...(columns[0]?.values.keys() ?? [])].filter((row) =>
    needed.every(({ values }) => !isMissing(values[row])),
  );
  if (rows.length < LEAST_ROWS)
    throw notTrainable(
      plan,
      `only ${rows.length} rows have every feature, and the preprocessing drops all others (handle_missing: drop); at least ${LEAST_ROWS} are needed`,
    );
  return columns.map(({ name, values }) => ({ name, values: rows.map((row) => values[row]) }));
}

/** Whether all rows of an entity lie on one side. The latest rows of an entity may be held out where the split is in time. */
export function isHeldOutByEntity(plan: TrainingPlan): boolean {
  return settingsOf(plan).split !== 'time' && (plan.entity !== undefined || plan.kind === 'user_behavior');
}

function unitsOf(
  rows: number,
  features: readonly RawColumn[],
  targets: readonly HeadTarget[],
  entities: readonly unknown[] | undefined,
): Float64Array {
  const known = new Map<unknown, number>();
  return Float64Array.from({ length: rows }, (_, row) => {
    if (!entities)
      return unitOf(
        JSON.stringify([
          features.map(({ values }) => plainValue(values[row])),
          targets.map(({ y }) => (Number.isNaN(y[row]!) ? null : y[row]!)),
        ]),
      );
    const entity = entities[row];
    const unit = known.get(entity) ?? unitOf(String(entity));
    known.set(entity, unit);
    return unit;
  });
}

function readHistories(
  plan: TrainingPlan,
  columns: ReadonlyMap<string, RawColumn>,
): Pick<TrainingTable, 'histories'> | undefined {
  const name = plan.heads.find((head) => head.sequence !== undefined)?.sequence;
  const lists = name === undefined ? undefined : columns.get(name)?.values;
  const ordinals = columns.get('last_ordinal')?.values;
  if (!lists || !ordinals) return undefined;
  return {
    histories: {
      activities: lists.map((list) => (list ?? []) as string[]),
      lastOrdinal: Float64Array.from(ordinals, Number),
    },
  };
}

const hasEveryTruth = (target: HeadTarget) => !target.y.some(Number.isNaN);

function numberGroups(values: readonly unknown[]): Int32Array {
  const numbers = new Map<unknown, number>();
  return Int32Array.from(values, (value) => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  });
}

function readTarget(head: Head, values: readonly unknown[], plan: TrainingPlan): HeadTarget {
  if (head.task === 'regression') {
    const y = Float64Array.from(values, (value) => (value === null ? NaN : Number(value)));
    const bad = values.findIndex((value, row) => value !== null && !Number.isFinite(y[row]!));
    if (bad >= 0)
      throw notTrainable(
        plan,
        `the target ${head.column} is ${JSON.stringify(values[bad])} in row ${bad + 1}, which is no number; use the kind classification for classes`,
      );
    return { head, y, classes: [] };
  }
  if (head.positive !== undefined) return readBinaryTarget(head, head.positive, values, plan);
  const encoder: LabelEncoder = head.classes
    ? { classes: [...head.classes] }
    : fitLabelEncoder(values.filter((value) => value !== null));
  if (encoder.classes.length < 2)
    throw notTrainable(
      plan,
      `the target ${head.column} has one value only (${String(encoder.classes[0])}): there is nothing to tell apart`,
    );
  if (encoder.classes.length > MOST_CLASSES)
    throw notTrainable(
      plan,
      `the target ${head.column} has ${encoder.classes.length} different values, more than ${MOST_CLASSES}; use the kind regression for numbers`,
    );
  const numbers = new Map(encoder.classes.map((name, index) => [String(name), index]));
  return {
    head,
    y: Float64Array.from(values, (value) => (value === null ? NaN : (numbers.get(String(value)) ?? NaN))),
    classes: encoder.classes,
  };
}

/** One value against all others. */
function readBinaryTarget(head: Head, positive: string, values: readonly unknown[], plan: TrainingPlan): HeadTarget {
  const y = Float64Array.from(values, (value) => (value === null ? NaN : Number(String(value) === positive)));
  const seen = new Set(values.filter((value) => value !== null).map(String));
  if (!seen.has(positive) || seen.size < 2) {
    const found = [...seen].slice(0, 8).join(', ');
    throw notTrainable(
      plan,
      `of the target ${head.column} both ${positive} and another value are needed, but it holds ${found || 'nothing'}`,
    );
  }
  return { head, y, classes: [false, true] };
}

/** A value as a request would give it. */
export function plainValue(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? value : String(value);
}

/** More classes than this are an identifier or a number, not a class. */
const MOST_CLASSES = 200;

export const notTrainable = (plan: TrainingPlan, why: string) =>
  new ServiceError('training_data_insufficient', `${plan.model} cannot be trained on ${plan.datasetId}: ${why}.`);

/** The rows that a head can use, of those that `isWanted` picks. */
export function rowsOf(target: HeadTarget, isWanted: (row: number) => boolean): Uint32Array {
  const rows: number[] = [];
  for (let row = 0; row < target.y.length; row++) if (!Number.isNaN(target.y[row]!) && isWanted(row)) rows.push(row);
  return Uint32Array.from(rows);
}
