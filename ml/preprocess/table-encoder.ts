import type { FeatureMatrix } from '../matrix.js';
import { categoryCodes, fitCategory } from './category-cells.js';
import { fitCellSteps, type CellSteps } from './cell-steps.js';
import { NO_CHOICES, type ColumnChoices } from './column-choices.js';
import { inferColumnType, parseDate } from './column-type.js';
import type { ColumnType } from './column-type.js';
import { fitDateParts, UNSTORED_DATE_PARTS } from './date-parts.js';
import type { DateParts } from './date-parts.js';
import { createReader, describeProblem, parseText, type Reader } from './feature-reader.js';
import { normalizeRow } from './normalize-row.js';
import { fitTargetValues, type EncodingTarget } from './target-encoding.js';
import { fitTextParts } from './text-parts.js';
import type { TextParts } from './text-parts.js';

export { inferColumnType } from './column-type.js';
export type { ColumnType } from './column-type.js';
export { decodeLabel, encodeLabels, fitLabelEncoder } from './label-encoder.js';
export type { LabelEncoder } from './label-encoder.js';

/** One column of a raw table: values of any type, a row each. */
export type RawColumn = { name: string; values: readonly unknown[] };

/** How one raw column becomes numbers. */
export interface EncodedFeature {
  name: string;
  type: 'number' | 'boolean' | 'category' | 'date' | 'text';
  /** First matrix column it fills, and how many. */
  start: number;
  width: number;
  /** Of a category: its values with their training counts, by code. Values not listed count as missing. */
  categories?: { value: string; count: number }[];
  /** Of a category: one column with the code, one column a value, how frequent it was, or what the target was like among its rows. */
  encoding?: ColumnChoices['encoding'];
  /** Of `frequency` and `target`: `[code * width + cell]`. */
  values?: number[];
  /** Of a category: the cells of a value that training did not have; absent where these count as missing. */
  unknown?: number[];
  /** Of a category: the value that stands for a missing one. */
  fill?: string;
  /** Of `target`: as it was chosen, to learn the same without some rows. */
  smoothing?: ColumnChoices['smoothing'];
  /** Of a date: what it is taken apart into; absent in encoders from before this was stored, which had `UNSTORED_DATE_PARTS`. */
  date?: DateParts;
  /** Of free text: what it is summed up by. */
  text?: TextParts;
  /** By cell what is done with its number; null where nothing is. */
  steps?: (CellSteps | null)[];
  /** A request without a value is refused. */
  required?: true;
}

/** How a raw table becomes a matrix; plain JSON, stored with the model so that training and serving encode alike. */
export interface TableEncoder {
  version: 1;
  features: EncodedFeature[];
  /** Columns that carry nothing a model can use; a request may have them all the same. */
  ignored: { name: string; type: ColumnType }[];
  /** Names of the matrix columns. */
  columns: string[];
  /** Matrix columns whose numbers are brought to the length 1, row by row, at the end. */
  normalized?: number[];
}

/** What may be chosen. */
export interface TableEncoderOptions {
  /** Types by column name, where the inferred one is wrong. */
  types?: Readonly<Record<string, ColumnType>>;
  /** What is done with each column; `NO_CHOICES` where it says nothing. */
  choicesOf?: (column: string) => ColumnChoices;
  /** Bring the numbers of each row to the Euclidean length 1. */
  normalize?: boolean;
  /** What a category can be encoded by, for all rows of the table. */
  target?: EncodingTarget;
}

/** Why a value was taken as missing. */
export interface EncodeProblem {
  /** Such as `features.tenure`. */
  path: string;
  message: string;
}

/**
 * Learns from the training rows alone how each column is encoded.
 * @param rowIndices the training rows
 * @throws RangeError for columns of different lengths or two of one name
 */
export function fitTableEncoder(
  columns: readonly RawColumn[],
  rowIndices: Uint32Array,
  options: TableEncoderOptions = {},
): TableEncoder {
  checkColumns(columns);
  const encoder: TableEncoder = { version: 1, features: [], ignored: [], columns: [] };
  const target = options.target && {
    classes: options.target.classes,
    y: Float64Array.from(rowIndices, (row) => options.target!.y[row]!),
  };
  for (const { name, values } of columns) {
    const training = Array.from(rowIndices, (row) => values[row]);
    const type = options.types && Object.hasOwn(options.types, name) ? options.types[name]! : inferColumnType(training);
    const choices = options.choicesOf?.(name) ?? NO_CHOICES;
    const feature = fitFeature({ name, type, start: encoder.columns.length, width: 1 }, training, choices, target);
    if (!feature) {
      encoder.ignored.push({ name, type });
      continue;
    }
    encoder.columns.push(...columnNames(feature));
    encoder.features.push(feature);
  }
  if (options.normalize) encoder.normalized = numberColumns(encoder);
  return encoder;
}

const numberColumns = ({ features }: TableEncoder) =>
  features.filter(({ type }) => type === 'number').map(({ start }) => start);

/** Encoders of different columns as one, in their order. */
export function joinEncoders(parts: readonly TableEncoder[], options: { normalize?: boolean } = {}): TableEncoder {
  const joined: TableEncoder = { version: 1, features: [], ignored: [], columns: [] };
  for (const part of parts) {
    const offset = joined.columns.length;
    joined.features.push(...part.features.map((feature) => ({ ...feature, start: feature.start + offset })));
    joined.ignored.push(...part.ignored);
    joined.columns.push(...part.columns);
  }
  if (options.normalize) joined.normalized = numberColumns(joined);
  return joined;
}

/** How a column becomes numbers, or undefined where nothing in it differs or can be used. */
function fitFeature(
  { type, ...place }: { name: string; type: ColumnType; start: number; width: number },
  training: readonly unknown[],
  choices: ColumnChoices,
  target: EncodingTarget | undefined,
): EncodedFeature | undefined {
  if (type === 'id' || type === 'constant') return undefined;
  const feature: EncodedFeature = { ...place, type };
  if (type === 'category') {
    fitCategory(feature, training, choices, target);
  } else if (type === 'date') {
    feature.date = fitDateParts(Float64Array.from(training, (value) => parseDate(value) ?? NaN));
  } else if (type === 'text') {
    const texts = training.map(parseText);
    // A column of objects is no text, however it was called.
    if (texts.includes(undefined)) return undefined;
    feature.text = fitTextParts(texts.map((text) => text ?? null));
  }
  feature.width = columnNames(feature).length;
  if (feature.width === 0 && type !== 'category') return undefined;
  if (type !== 'category') fitSteps(feature, training, choices);
  if (choices.missing === 'drop') feature.required = true;
  return feature;
}

/** Clips, fills and scales, learnt from what the feature's own reader makes of the training values. */
function fitSteps(feature: EncodedFeature, training: readonly unknown[], choices: ColumnChoices): void {
  const { read } = createReader({ ...feature, start: 0 });
  const cells = new Float64Array(feature.width);
  const columns = Array.from(cells, () => new Float64Array(training.length));
  training.forEach((value, row) => {
    read(value, cells);
    columns.forEach((column, cell) => (column[row] = cells[cell]!));
  });
  // Between true and false there is nothing to scale, and nothing beyond them.
  const own: ColumnChoices =
    feature.type === 'boolean'
      ? {
          ...choices,
          scaling: 'none',
          outliers: undefined,
          missing: ['mean', 'median'].includes(choices.missing) ? 'mode' : choices.missing,
        }
      : choices;
  const steps = columns.map((column) => fitCellSteps(column, own) ?? null);
  if (steps.some((one) => one !== null)) feature.steps = steps;
}

function checkColumns(columns: readonly RawColumn[]): void {
  const seen = new Set<string>();
  for (const { name, values } of columns) {
    if (seen.has(name)) throw new RangeError(`two columns are named ${JSON.stringify(name)}: rename one`);
    seen.add(name);
    const rows = columns[0]!.values.length;
    if (values.length !== rows)
      throw new RangeError(
        `column ${JSON.stringify(name)} has ${values.length} rows, ${JSON.stringify(columns[0]!.name)} has ${rows}`,
      );
  }
}

function columnNames({ name, type, width, encoding, categories, date, text }: EncodedFeature): string[] {
  if (type === 'date') return (date ?? UNSTORED_DATE_PARTS).parts.map((part) => `${name}.${part}`);
  if (type === 'text') return text!.parts.map((part) => `${name}.${part}`);
  if (encoding === 'one-hot') return categories!.map(({ value }) => `${name}=${value}`);
  return width > 1 ? Array.from({ length: width }, (_, cell) => `${name}.${cell}`) : [name];
}

/**
 * Encodes whole columns. Columns are found by name; one that is absent, and every value that cannot be read, is missing.
 */
export function encodeTable(encoder: TableEncoder, columns: readonly RawColumn[]): FeatureMatrix {
  checkColumns(columns);
  const rows = columns[0]?.values.length ?? 0;
  const matrix = {
    rows,
    columns: encoder.columns.length,
    values: new Float64Array(rows * encoder.columns.length).fill(NaN),
  };
  const byName = new Map(columns.map(({ name, values }) => [name, values]));
  const cells = new Float64Array(encoder.columns.length);
  for (const reader of compile(encoder).readers) {
    const values = byName.get(reader.feature.name);
    if (!values) continue;
    const { start, width } = reader.feature;
    for (let row = 0; row < rows; row++) {
      reader.read(values[row], cells);
      for (let column = start; column < start + width; column++) matrix.values[column * rows + row] = cells[column]!;
    }
  }
  normalizeMatrix(encoder, matrix);
  return matrix;
}

/** Brings the rows of a matrix to length 1 where the encoder says so. */
export function normalizeMatrix({ normalized }: TableEncoder, { rows, columns, values }: FeatureMatrix): void {
  if (!normalized) return;
  const cells = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (const column of normalized) cells[column] = values[column * rows + row]!;
    normalizeRow(normalized, cells);
    for (const column of normalized) values[column * rows + row] = cells[column]!;
  }
}

/**
 * Replaces the cells that stem from the target, in rows that the encoder has learnt from, by what the rows of other folds say:
 * otherwise each row's own truth would be part of its features.
 * @param folds by row of the table; a row with a negative one keeps what it has
 */
export function encodeOutOfFold(
  encoder: TableEncoder,
  columns: readonly RawColumn[],
  matrix: FeatureMatrix,
  target: EncodingTarget,
  folds: Int32Array,
): void {
  const byName = new Map(columns.map(({ name, values }) => [name, values]));
  for (const feature of encoder.features) {
    const values = feature.encoding === 'target' ? byName.get(feature.name) : undefined;
    if (!values) continue;
    const codes = categoryCodes(feature, values);
    const tables = fitFoldValues(feature, codes, target, folds);
    for (let row = 0; row < matrix.rows; row++) {
      const table = tables[folds[row]!];
      const code = codes[row]!;
      if (!table || code < 0) continue;
      for (let cell = 0; cell < feature.width; cell++)
        matrix.values[(feature.start + cell) * matrix.rows + row] = table[code * feature.width + cell]!;
    }
  }
}

/** By fold what the rows of all other folds say of each category: `[code * width + cell]`. */
export function fitFoldValues(
  { categories, smoothing }: EncodedFeature,
  codes: Int32Array,
  target: EncodingTarget,
  folds: Int32Array,
): number[][] {
  const count = folds.reduce((most, fold) => Math.max(most, fold), -1) + 1;
  return Array.from({ length: count }, (_, fold) => {
    const isWanted = (row: number) => folds[row]! >= 0 && folds[row] !== fold;
    const options = { categories: categories!.length, smoothing: smoothing ?? 'auto', isWanted };
    return fitTargetValues(codes, target, options).values;
  });
}

/**
 * Encodes one request into `out`, exactly as `encodeTable` encodes a row. Allocates no more than the list of problems.
 * @param features by column name; null or absent = missing
 * @param out receives `encoder.columns.length` numbers, NaN = missing
 * @returns the problems; a value with a problem is taken as missing
 */
export function encodeRow(
  encoder: TableEncoder,
  features: Readonly<Record<string, unknown>>,
  out: Float64Array,
): EncodeProblem[] {
  const { readers, names } = compile(encoder);
  let problems: EncodeProblem[] | undefined;
  for (const reader of readers) {
    const { name } = reader.feature;
    // An object's inherited properties ("constructor", "__proto__") are not values of the request.
    const value = Object.hasOwn(features, name) ? features[name] : undefined;
    if (!reader.read(value, out))
      (problems ??= []).push({ path: `features.${name}`, message: describeProblem(reader.feature, value) });
  }
  if (encoder.normalized) normalizeRow(encoder.normalized, out);
  for (const name in features) {
    if (names.has(name) || !Object.hasOwn(features, name)) continue;
    (problems ??= []).push({
      path: `features.${name}`,
      message: 'the model knows no feature of this name: remove it or correct its spelling',
    });
  }
  return problems ?? [];
}

interface CompiledEncoder {
  readers: Reader[];
  /** Everything a request may name. */
  names: Set<string>;
}

const compiled = new WeakMap<TableEncoder, CompiledEncoder>();

/** The readers of an encoder's features, in their order. */
export function encoderReaders(encoder: TableEncoder): readonly Reader[] {
  return compile(encoder).readers;
}

function compile(encoder: TableEncoder): CompiledEncoder {
  const known = compiled.get(encoder);
  if (known) return known;
  const readers = encoder.features.map(createReader);
  const names = new Set([...encoder.features, ...encoder.ignored].map(({ name }) => name));
  const result = { readers, names };
  compiled.set(encoder, result);
  return result;
}
