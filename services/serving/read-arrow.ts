import { DataType, Precision, RecordBatchReader, type Data, type RecordBatch, type Vector } from 'apache-arrow';
import { ServiceError } from '../../core/errors.js';
import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import { checkArrowBatch } from '../check-arrow-batch.js';

/** The most rows of one call. */
export const MOST_ARROW_ROWS = 1_000_000;

/**
 * Reads the batches of an Arrow IPC stream (or file) as columns. Every length that the bytes declare is held to the bytes that are
 * there before anything is made for it.
 * @throws ServiceError `request_malformed` for bytes that are no such stream, `request_invalid` for types that no feature can have
 */
export function readArrow(bytes: Uint8Array): { rows: number; columns: BatchColumn[] } {
  try {
    return readColumns(bytes);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    // Damaged bytes can fail anywhere in the reader, some only where a column is looked into.
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'unknown';
    throw new ServiceError(
      'request_malformed',
      `The body is no Arrow IPC stream that can be read: ${reason}. Send an uncompressed stream with its schema first.`,
    );
  }
}

function readColumns(bytes: Uint8Array): { rows: number; columns: BatchColumn[] } {
  const batches = readBatches(bytes);
  const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  if (rows > MOST_ARROW_ROWS) throw invalid('body', `has ${rows} rows; at most ${MOST_ARROW_ROWS} go into one call`);
  const fields = batches[0]?.schema.fields ?? [];
  const names = new Set<string>();
  for (const { name } of fields) {
    if (names.has(name)) throw invalid(`columns.${name}`, 'is there twice');
    names.add(name);
  }
  return { rows, columns: fields.map(({ name, type }, at) => readColumn(name, type as DataType, batches, at, rows)) };
}

function readBatches(bytes: Uint8Array): RecordBatch[] {
  const reader = RecordBatchReader.from(bytes);
  reader.open();
  if (!reader.schema) throw new RangeError('it has no schema');
  const batches: RecordBatch[] = [];
  for (const batch of reader) {
    if (batch.numRows > MOST_ARROW_ROWS) throw invalid('body', `declares ${batch.numRows} rows in a batch`);
    checkArrowBatch(batch);
    batches.push(batch);
  }
  return batches;
}

const isNumeric = (type: DataType) => DataType.isFloat(type) || DataType.isInt(type);
const isText = (type: DataType) => DataType.isUtf8(type) || DataType.isLargeUtf8(type);
const isTime = (type: DataType) => DataType.isTimestamp(type) || DataType.isDate(type);
const isValid = ({ nullBitmap, nullCount, offset }: Data, row: number) =>
  nullCount === 0 ||
  !nullBitmap ||
  nullBitmap.length === 0 ||
  ((nullBitmap[(offset + row) >> 3]! >> ((offset + row) & 7)) & 1) === 1;

function readColumn(
  name: string,
  type: DataType,
  batches: readonly RecordBatch[],
  at: number,
  rows: number,
): BatchColumn {
  if (DataType.isDictionary(type)) return readCodes(name, type.dictionary as DataType, batches, at, rows);
  if (isNumeric(type) && !(DataType.isFloat(type) && type.precision === Precision.HALF))
    return readNumbers(name, batches, at, rows);
  if (DataType.isNull(type)) return { name, kind: 'numbers', values: new Float64Array(rows).fill(NaN) };
  if (isText(type) || DataType.isBool(type) || isTime(type) || isNumeric(type)) {
    const values: unknown[] = [];
    for (const batch of batches)
      for (const value of columnOf(batch, at)) values.push(isTime(type) ? toTime(value) : value);
    return { name, kind: 'values', values };
  }
  throw invalid(
    `columns.${name}`,
    `has the type ${String(type)}; a feature is a number, text (also as a dictionary), boolean, date, timestamp or null`,
  );
}

/** Every batch has every column: the reader makes them from one schema. */
const columnOf = (batch: RecordBatch, at: number): Vector => batch.getChildAt(at)!;
/** Apache Arrow gives moments as milliseconds. */
const toTime = (value: unknown) => (value === null ? null : value instanceof Date ? value : new Date(Number(value)));

function readNumbers(name: string, batches: readonly RecordBatch[], at: number, rows: number): BatchColumn {
  const values = new Float64Array(rows);
  let start = 0;
  for (const batch of batches) {
    for (const data of columnOf(batch, at).data) {
      const source = data.values as ArrayLike<number> | BigInt64Array;
      if (source instanceof BigInt64Array || source instanceof BigUint64Array)
        for (let row = 0; row < data.length; row++) values[start + row] = Number(source[row]);
      else values.set((source as Float64Array).subarray(0, data.length), start);
      if (data.nullCount > 0)
        for (let row = 0; row < data.length; row++) if (!isValid(data, row)) values[start + row] = NaN;
      start += data.length;
    }
  }
  return { name, kind: 'numbers', values };
}

/** Each batch may have a dictionary of its own: they are laid one after the other. */
function readCodes(
  name: string,
  type: DataType,
  batches: readonly RecordBatch[],
  at: number,
  rows: number,
): BatchColumn {
  if (!isText(type) && !isNumeric(type) && !DataType.isBool(type))
    throw invalid(
      `columns.${name}`,
      `is a dictionary of ${String(type)}; its values must be text, numbers or booleans`,
    );
  const codes = new Int32Array(rows);
  const dictionary: unknown[] = [];
  const firstOf = new Map<unknown, number>();
  let start = 0;
  for (const batch of batches) {
    for (const data of columnOf(batch, at).data) {
      const values = data.dictionary!;
      let first = firstOf.get(values);
      if (first === undefined) {
        firstOf.set(values, (first = dictionary.length));
        for (const value of values) dictionary.push(value);
      }
      const keys = data.values as ArrayLike<number | bigint>;
      for (let row = 0; row < data.length; row++) {
        const key = isValid(data, row) ? Number(keys[row]) : -1;
        if (key < -1 || key >= values.length || (key === -1 && isValid(data, row)))
          throw invalid(
            `rows.${start + row}.features.${name}`,
            `has the key ${key} of a dictionary of ${values.length} values`,
          );
        codes[start + row] = key < 0 ? -1 : first + key;
      }
      start += data.length;
    }
  }
  return { name, kind: 'codes', codes, dictionary };
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError('request_invalid', `The Arrow batch does not fit: ${path} ${message}.`, [{ path, message }]);
}
