import type { RawColumn } from '../preprocess/table-encoder.js';
import { encodeTable, fitTableEncoder } from '../preprocess/table-encoder.js';
import { inferColumnType, isMissing, parseCategory, parseNumber } from '../preprocess/column-type.js';
import { midRanks } from './roc.js';
import { scoreSingleColumn } from './single-column-score.js';
import type { ScoredTask } from './single-column-score.js';

/**
 * Why a column may not be known when the model has to answer, or a score may be too good:
 * `predicts_alone` it alone nearly answers the question; `carries_the_model` it alone does nearly all the whole model does;
 * `dominates` it alone does most of it, and no other column comes near, which a very good feature does too;
 * `looks_like_id` it names or counts rows; `missing_predicts` the target follows from whether it is filled in;
 * `duplicate_rows` rows that are judged also stand in the training rows.
 */
export type LeakageKind =
  'predicts_alone' | 'carries_the_model' | 'dominates' | 'looks_like_id' | 'missing_predicts' | 'duplicate_rows';

/** One reason to look at the data before believing a score. */
export interface LeakageWarning {
  kind: LeakageKind;
  /** Null where it is about whole rows. */
  column: string | null;
  message: string;
  /** The figures it rests on. */
  evidence: Record<string, number>;
}

/** What is looked at. */
export interface LeakageInput {
  /** The features, without the target. */
  columns: readonly RawColumn[];
  /** Class numbers or values; NaN = not known, such rows are left out. */
  targets: Float64Array;
  task: ScoredTask;
  /** 1 = the row is for judging, 0 = for training. */
  isHeldOut: ArrayLike<number>;
  /** The whole model's score on held-out rows, ROC AUC or R², where there is one. */
  modelScore?: number;
}

const ALONE = 0.98;
const CARRIES = 0.95;
const DOMINATES = 0.6;
const AHEAD = 1.5;
/** A model that can do next to nothing is easily equalled by one of its columns. */
const LEAST_SKILL = 0.1;
/** Held-out rows below this cannot show that a column predicts well. */
const LEAST_HELD_OUT = 30;
const LEAST_ROWS_OF_ID = 30;
const ID_DISTINCT = 0.95;
const ID_ORDER = 0.95;
/** Largest distance from a uniform distribution: ids drawn from a range lie below it, amounts and measures do not. */
const ID_UNIFORM = 0.05;
const LEAST_ROWS_OF_UNIFORM_ID = 1000;
const MISSING_CORRELATION = 0.3;
/** Standard errors that a correlation with "missing" must exceed too. */
const MISSING_Z = 4;

/**
 * Looks for signs that the data tell the answer away. It can find what is nearly perfect or stands out in form; it cannot know when
 * a value became known: a late column that predicts well, but no better than a good feature does, at most `dominates`.
 * @throws RangeError for columns, targets and held-out marks of different lengths
 */
export function findLeakage(input: LeakageInput): LeakageWarning[] {
  const { columns, targets, isHeldOut } = input;
  const rows = targets.length;
  if (isHeldOut.length !== rows || columns.some(({ values }) => values.length !== rows))
    throw new RangeError(`targets, held-out marks and columns must have one entry a row: there are ${rows} targets`);
  const known = Int32Array.from(targets.keys()).filter((row) => !Number.isNaN(targets[row]!));
  const part: LeakageInput = {
    ...input,
    columns: columns.map(({ name, values }) => ({ name, values: Array.from(known, (row) => values[row]) })),
    targets: Float64Array.from(known, (row) => targets[row]!),
    isHeldOut: Uint8Array.from(known, (row) => (isHeldOut[row] ? 1 : 0)),
  };
  if (known.length === 0) return [];
  return [
    ...findStrongColumns(part),
    ...part.columns.flatMap((column) => findId(column)),
    ...part.columns.flatMap((column) => findTellingGaps(column, part)),
    ...findDuplicates(part),
  ];
}

function findStrongColumns(input: LeakageInput): LeakageWarning[] {
  const { task, modelScore } = input;
  const heldOut = Array.from(input.isHeldOut).reduce((sum, mark) => sum + mark, 0);
  if (heldOut < LEAST_HELD_OUT) return [];
  const skillOf = (score: number): number => (task.kind === 'classification' ? 2 * score - 1 : score);
  const name = task.kind === 'classification' ? 'ROC AUC' : 'R²';
  const scores = scoreColumns(input).sort((a, b) => b.score - a.score);
  const modelSkill = modelScore === undefined ? NaN : skillOf(modelScore);
  const isUseful = modelSkill > LEAST_SKILL && scores.length > 1;
  return scores.flatMap(({ column, score }, rank): LeakageWarning[] => {
    const share = skillOf(score) / modelSkill;
    const evidence = { score, rows: heldOut, ...(isUseful ? { model_score: modelScore!, share_of_skill: share } : {}) };
    const asks = 'is it known when the model has to answer? If not, remove it.';
    const figure = `${column} alone reaches ${name} ${score.toFixed(3)} on held-out rows`;
    if (score > ALONE)
      return [
        { kind: 'predicts_alone', column, message: `${figure}, which is too good to be a feature: ${asks}`, evidence },
      ];
    if (!isUseful) return [];
    const against = `, ${Math.round(100 * share)} % of what the whole model adds`;
    if (share > CARRIES)
      return [{ kind: 'carries_the_model', column, message: `${figure}${against}: ${asks}`, evidence }];
    const second = scores[1]!.score;
    if (rank > 0 || share < DOMINATES || skillOf(score) < AHEAD * skillOf(second)) return [];
    const message = `${figure}${against}, the next best column only ${second.toFixed(3)}: ${asks} If so, it is a very good feature.`;
    return [{ kind: 'dominates', column, message, evidence: { ...evidence, second_score: second } }];
  });
}

function scoreColumns({ columns, targets, isHeldOut, task }: LeakageInput): { column: string; score: number }[] {
  const training = Uint32Array.from(targets.keys()).filter((row) => isHeldOut[row] === 0);
  return columns.flatMap((column) => {
    const encoder = fitTableEncoder([column], training);
    const [feature] = encoder.features;
    if (!feature) return [];
    const x = encodeTable(encoder, [column]);
    let score = -Infinity;
    for (let c = 0; c < x.columns; c++) {
      const cells = x.values.subarray(c * x.rows, (c + 1) * x.rows);
      const found = scoreSingleColumn(cells, targets, isHeldOut, task, feature.type === 'category');
      if (found > score) score = found;
    }
    return score > -Infinity ? [{ column: column.name, score }] : [];
  });
}

function findId({ name, values }: RawColumn): LeakageWarning[] {
  const present = values.filter((value) => !isMissing(value));
  if (present.length < LEAST_ROWS_OF_ID) return [];
  const distinct = new Set(present.map((value) => parseCategory(value) ?? value)).size / present.length;
  if (distinct <= ID_DISTINCT) return [];
  const numbers = present.map((value) => parseNumber(value));
  if (!numbers.every((number) => number !== undefined && Number.isInteger(number))) {
    // All-different fractions are measurements, all-different texts of several words are texts.
    if (inferColumnType(present) !== 'id') return [];
    const message = `${name} has another value in ${percent(distinct)} of the rows, so it names rows: a model cannot learn from it and should not see it.`;
    return [
      { kind: 'looks_like_id', column: name, message, evidence: { distinct_share: distinct, rows: present.length } },
    ];
  }
  const sizes = Float64Array.from(numbers, Number);
  const order = Math.abs(rankCorrelation(sizes));
  const distance = uniformDistance(sizes);
  const isSpread = distance < ID_UNIFORM && present.length >= LEAST_ROWS_OF_UNIFORM_ID;
  if (order < ID_ORDER && !isSpread) return [];
  const how = order >= ID_ORDER ? 'goes with the order of the rows' : 'is spread evenly over its range';
  const message = `${name} is a whole number, another one in ${percent(distinct)} of the rows, and ${how}: it looks like an id or a counter. Where it stands for time, use a date.`;
  const evidence = {
    distinct_share: distinct,
    order_correlation: order,
    uniform_distance: distance,
    rows: present.length,
  };
  return [{ kind: 'looks_like_id', column: name, message, evidence }];
}

/** Spearman's correlation of values with their position. */
function rankCorrelation(values: Float64Array): number {
  return correlation(midRanks(values), Float64Array.from(values.keys()));
}

/** Kolmogorov's distance between the values and a uniform distribution over their range. */
function uniformDistance(values: Float64Array): number {
  const sorted = values.slice().sort();
  const low = sorted[0]!;
  const range = sorted.at(-1)! - low;
  let most = 0;
  sorted.forEach((value, i) => (most = Math.max(most, Math.abs((value - low) / range - (i + 0.5) / sorted.length))));
  return range > 0 ? most : 1;
}

function findTellingGaps({ name, values }: RawColumn, { targets, task }: LeakageInput): LeakageWarning[] {
  const gaps = Float64Array.from(values, (value) => (isMissing(value) ? 1 : 0));
  const missing = gaps.reduce((sum, gap) => sum + gap, 0);
  if (missing === 0 || missing === gaps.length) return [];
  let strongest = 0;
  if (task.kind === 'regression') strongest = correlation(gaps, targets);
  else {
    for (let c = 0; c < task.classes; c++) {
      const found = correlation(
        gaps,
        targets.map((target) => (target === c ? 1 : 0)),
      );
      if (Math.abs(found) > Math.abs(strongest)) strongest = found;
    }
  }
  const size = Math.abs(strongest);
  if (!(size >= MISSING_CORRELATION && size * Math.sqrt(gaps.length) > MISSING_Z)) return [];
  const message = `whether ${name} is filled in goes with the target (correlation ${size.toFixed(2)}): it may be entered only after the outcome is known. If so, remove it.`;
  const evidence = { correlation: size, missing_share: missing / gaps.length, rows: gaps.length };
  return [{ kind: 'missing_predicts', column: name, message, evidence }];
}

function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value / values.length, 0);
  const [middleA, middleB] = [mean(a), mean(b)];
  let products = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    products += (a[i]! - middleA) * (b[i]! - middleB);
    squaresA += (a[i]! - middleA) ** 2;
    squaresB += (b[i]! - middleB) ** 2;
  }
  return squaresA > 0 && squaresB > 0 ? products / Math.sqrt(squaresA * squaresB) : 0;
}

function findDuplicates({ columns, isHeldOut, targets }: LeakageInput): LeakageWarning[] {
  if (columns.length === 0) return [];
  const keyOf = (row: number): string =>
    columns
      .map(({ values }) => (isMissing(values[row]) ? '' : `=${parseCategory(values[row]) ?? 'object'}`))
      .join('\u0000');
  const training = new Set<string>();
  targets.forEach((_, row) => !isHeldOut[row] && training.add(keyOf(row)));
  let held = 0;
  let twins = 0;
  for (let row = 0; row < targets.length; row++) {
    if (!isHeldOut[row]) continue;
    held++;
    if (training.has(keyOf(row))) twins++;
  }
  if (twins === 0) return [];
  const message = `${twins} of ${held} held-out rows (${percent(twins / held)}) are equal in every feature to a training row. Where they are doubles, not chance, keep each with its twins in one fold (group_by), or remove them.`;
  return [{ kind: 'duplicate_rows', column: null, message, evidence: { duplicates: twins, held_out: held } }];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
