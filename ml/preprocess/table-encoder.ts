import type { FeatureMatrix } from '../matrix.js';
import { inferColumnType, isMissing, parseBoolean, parseCategory, parseDate, parseNumber } from './column-type.js';
import type { ColumnType } from './column-type.js';
import { fitDateParts, UNSTORED_DATE_PARTS, writeDateParts } from './date-parts.js';
import type { DateParts } from './date-parts.js';
import { fitTextParts, writeTextParts } from './text-parts.js';
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
  /** Of a category: one column with the code, or one column a value. */
  encoding?: 'ordinal' | 'one-hot';
  /** Of a date: what it is taken apart into; absent in encoders from before this was stored, which had `UNSTORED_DATE_PARTS`. */
  date?: DateParts;
  /** Of free text: what it is summed up by. */
  text?: TextParts;
}

/** How a raw table becomes a matrix; plain JSON, stored with the model so that training and serving encode alike. */
export interface TableEncoder {
  version: 1;
  features: EncodedFeature[];
  /** Columns that carry nothing a model can use; a request may have them all the same. */
  ignored: { name: string; type: ColumnType }[];
  /** Names of the matrix columns. */
  columns: string[];
}

/** What may be chosen. */
export interface TableEncoderOptions {
  /** Types by column name, where the inferred one is wrong. */
  types?: Readonly<Record<string, ColumnType>>;
  /** A category of at most so many values gets a column a value, a larger one a single column of codes. Default 0: codes. */
  oneHotLimit?: number;
  /** Most values of a category that keep a code, the most frequent ones; default 254, what a forest can tell apart. */
  mostCategories?: number;
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
  for (const { name, values } of columns) {
    const training = Array.from(rowIndices, (row) => values[row]);
    const type = options.types && Object.hasOwn(options.types, name) ? options.types[name]! : inferColumnType(training);
    const feature = fitFeature(name, type, training, encoder.columns.length, options);
    if (!feature) {
      encoder.ignored.push({ name, type });
      continue;
    }
    encoder.columns.push(...columnNames(feature));
    encoder.features.push(feature);
  }
  return encoder;
}

/** How a column becomes numbers, or undefined where nothing in it differs or can be used. */
function fitFeature(
  name: string,
  type: ColumnType,
  training: readonly unknown[],
  start: number,
  options: TableEncoderOptions,
): EncodedFeature | undefined {
  if (type === 'id' || type === 'constant') return undefined;
  const feature: EncodedFeature = { name, type, start, width: 1 };
  if (type === 'category') {
    feature.categories = countCategories(training, options.mostCategories ?? 254);
    feature.encoding = feature.categories.length <= (options.oneHotLimit ?? 0) ? 'one-hot' : 'ordinal';
  } else if (type === 'date') {
    feature.date = fitDateParts(Float64Array.from(training, (value) => parseDate(value) ?? NaN));
  } else if (type === 'text') {
    const texts = training.map(parseText);
    // A column of objects is no text, however it was called.
    if (texts.includes(undefined)) return undefined;
    feature.text = fitTextParts(texts.map((text) => text ?? null));
  }
  feature.width = columnNames(feature).length;
  const isEmpty = feature.width === 0 && type !== 'category';
  return isEmpty ? undefined : feature;
}

/** A text, null where it is missing, undefined for a value that is none (an object, an infinite number). */
function parseText(value: unknown): string | null | undefined {
  return isMissing(value) ? null : parseCategory(value);
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

/** Codes follow the names (numbers by size), so that "1-2 years" lies between its neighbours and a cut can use that. */
function countCategories(values: readonly unknown[], most: number): { value: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const value of values) {
    const name = isMissing(value) ? undefined : parseCategory(value);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const all = [...counts].map(([value, count]) => ({ value, count }));
  const kept = all.sort((a, b) => b.count - a.count || compareNames(a.value, b.value)).slice(0, most);
  return kept.sort((a, b) => compareNames(a.value, b.value));
}

/** Numbers before words, numbers by size, words by code unit: the same order on every machine. */
export function compareNames(a: string, b: string): number {
  const x = Number(a);
  const y = Number(b);
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y || (a < b ? -1 : a > b ? 1 : 0);
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function columnNames({ name, type, encoding, categories, date, text }: EncodedFeature): string[] {
  if (type === 'date') return (date ?? UNSTORED_DATE_PARTS).parts.map((part) => `${name}.${part}`);
  if (type === 'text') return text!.parts.map((part) => `${name}.${part}`);
  return encoding === 'one-hot' ? categories!.map(({ value }) => `${name}=${value}`) : [name];
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
  return matrix;
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
  for (const name in features) {
    if (names.has(name) || !Object.hasOwn(features, name)) continue;
    (problems ??= []).push({
      path: `features.${name}`,
      message: 'the model knows no feature of this name: remove it or correct its spelling',
    });
  }
  return problems ?? [];
}

/** Why a value cannot be the feature's. */
export function describeProblem(feature: EncodedFeature, value: unknown): string {
  const wanted = {
    number: 'a finite number',
    boolean: 'true or false',
    category: 'a string, number or boolean',
    date: 'an ISO-8601 date such as 2024-05-31T12:00:00Z',
    text: 'a string',
  };
  const got =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 60))
      : typeof value === 'object'
        ? 'an object'
        : String(value);
  return `must be ${wanted[feature.type]} or null, got ${got}`;
}

/** Reads the values of one feature. */
export interface Reader {
  feature: EncodedFeature;
  /** Writes the feature's cells; false where the value cannot be read and was written as missing. */
  read: (value: unknown, out: Float64Array) => boolean;
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
  const readers = encoder.features.map((feature) => ({ feature, read: createReader(feature) }));
  const names = new Set([...encoder.features, ...encoder.ignored].map(({ name }) => name));
  const result = { readers, names };
  compiled.set(encoder, result);
  return result;
}

function createReader(feature: EncodedFeature): Reader['read'] {
  switch (feature.type) {
    case 'number':
      return createNumberReader(feature.start, parseNumber);
    case 'boolean':
      return createNumberReader(feature.start, parseBoolean);
    case 'date':
      return createDateReader(feature.start, feature.date ?? UNSTORED_DATE_PARTS);
    case 'category':
      return createCategoryReader(feature);
    case 'text':
      return createTextReader(feature.start, feature.text!);
  }
}

function createNumberReader(at: number, parse: (value: unknown) => number | undefined): Reader['read'] {
  return (value, out) => {
    const parsed = parse(value);
    out[at] = parsed ?? NaN;
    return parsed !== undefined;
  };
}

function createDateReader(at: number, parts: DateParts): Reader['read'] {
  return (value, out) => {
    const moment = parseDate(value);
    writeDateParts(parts, moment ?? NaN, out, at);
    return moment !== undefined;
  };
}

function createTextReader(at: number, parts: TextParts): Reader['read'] {
  return (value, out) => {
    const text = parseText(value);
    writeTextParts(parts, text ?? null, out, at);
    return text !== undefined;
  };
}

function createCategoryReader({ start, width, encoding, categories }: EncodedFeature): Reader['read'] {
  const codes = new Map(categories!.map(({ value }, code) => [value, code]));
  return (value, out) => {
    const missing = isMissing(value);
    const name = missing ? undefined : parseCategory(value);
    const code = name === undefined ? undefined : codes.get(name);
    if (encoding === 'one-hot') {
      for (let i = 0; i < width; i++) out[start + i] = code === undefined ? NaN : i === code ? 1 : 0;
    } else {
      out[start] = code ?? NaN;
    }
    return missing || name !== undefined;
  };
}
