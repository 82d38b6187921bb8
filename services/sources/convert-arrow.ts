import { createWriteStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DataType, RecordBatchReader, type Data, type RecordBatch } from 'apache-arrow';
import { ServiceError } from '../../core/errors.js';
import { checkArrowBatch } from '../check-arrow-batch.js';
import type { ColumnType } from '../datasets/column-types.js';
import type { Compression, FetchContext, FetchedPart, SourceColumn } from './connector.js';

const MILLISECONDS_A_DAY = 86_400_000;
/** Characters that are written at once. */
const CHUNK_CHARACTERS = 2 ** 20;

/**
 * Writes an Arrow IPC file or stream as the kind of CSV that a copied table is, a batch at a time: DuckDB reads Arrow only with an extension that has to be
 * downloaded. Types are kept: whole numbers, times to the microsecond and decimals exactly, lists and structs as JSON.
 * @throws ServiceError `source_unreadable` for bytes that are no Arrow, compressed buffers, and types that no column can have
 */
export async function convertArrow(
  source: FileHandle,
  compression: Compression,
  context: FetchContext,
): Promise<FetchedPart> {
  const path = join(context.folder, `${context.attempt}-arrow.csv`);
  const unpacked = compression === 'none' ? undefined : `${path}.arrow`;
  if (unpacked) await unpack(source, compression, unpacked, context);
  const handle = unpacked ? await open(unpacked, 'r') : source;
  try {
    const columns = await writeRows(handle, path, context);
    return { path, format: 'csv', compression: 'none', bytes: (await stat(path)).size, columns };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof ServiceError) throw error;
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'unknown';
    throw unreadable(`The source could not be read as arrow: ${reason}`);
  } finally {
    if (unpacked) await handle.close();
  }
}

const unreadable = (message: string) => new ServiceError('source_unreadable', message);

async function unpack(source: FileHandle, compression: Compression, to: string, { signal, config }: FetchContext) {
  if (compression !== 'gzip')
    throw unreadable('An Arrow file may be packed with gzip, not with zstd. Unpack it, or write Parquet.');
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > config.sources.maxBytes)
        throw unreadable('The Arrow file is larger, unpacked, than SOURCE_MAX_MB allows.');
      yield chunk;
    }
  };
  const packed = source.createReadStream({ autoClose: false, start: 0 });
  await pipeline(packed, createGunzip(), counted, createWriteStream(to), { signal });
}

async function writeRows(handle: FileHandle, path: string, { signal }: FetchContext): Promise<SourceColumn[]> {
  const reader = await RecordBatchReader.from(handle);
  await reader.open({ autoDestroy: false });
  const fields = reader.schema?.fields ?? [];
  if (fields.length === 0) throw unreadable('The Arrow source has no columns.');
  const columns = fields.map(({ name, type }) => ({ name, type: columnType(name, type as DataType) }));
  if (new Set(columns.map(({ name }) => name)).size < columns.length)
    throw unreadable('The Arrow source has two columns of one name.');
  const lines = async function* () {
    for await (const batch of reader as AsyncIterable<RecordBatch>) {
      checkArrowBatch(batch);
      yield* batchLines(batch);
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(path, { flush: true }), { signal });
  return columns;
}

function* batchLines(batch: RecordBatch): Generator<string> {
  const readers = batch.schema.fields.map((field, at) => {
    const data = batch.data.children[at] as Data;
    const vector = batch.getChildAt(at);
    return (row: number) => {
      const value: unknown = vector?.get(row);
      return value === null || value === undefined ? undefined : cellText(field.type as DataType, value, data, row);
    };
  });
  let text = '';
  for (let row = 0; row < batch.numRows; row++) {
    const cells = readers.map((read) => read(row));
    text += `${cells.map((cell) => (cell === undefined ? '\\N' : `"${cell.replaceAll('"', '""')}"`)).join(',')}\n`;
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    text = '';
  }
  if (text) yield text;
}

function columnType(name: string, type: DataType): ColumnType {
  if (DataType.isDictionary(type)) return columnType(name, type.dictionary as DataType);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type) || DataType.isNull(type))
    return 'string';
  if (DataType.isInt(type)) return 'integer';
  if (DataType.isFloat(type) || DataType.isDecimal(type)) return 'number';
  if (DataType.isBool(type)) return 'boolean';
  if (DataType.isTimestamp(type)) return 'timestamp';
  if (DataType.isDate(type)) return 'date';
  if (DataType.isList(type) || DataType.isStruct(type) || DataType.isMap(type) || DataType.isFixedSizeList(type))
    return 'json';
  throw unreadable(
    `The column ${name.slice(0, 100)} of the Arrow source has the type ${String(type)}, which is not read.`,
  );
}

function cellText(type: DataType, value: unknown, data: Data, row: number): string {
  if (DataType.isTimestamp(type)) return timestampText((data.values as BigInt64Array)[row]!, type.unit);
  if (DataType.isDate(type)) {
    const days = Math.floor(Number(value) / MILLISECONDS_A_DAY);
    return new Date(days * MILLISECONDS_A_DAY).toISOString().slice(0, 10);
  }
  if (DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale);
  if (typeof value === 'object')
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
  return String(value as string | number | bigint | boolean);
}

/** @param unit 0 seconds, 1 milliseconds, 2 microseconds, 3 nanoseconds */
function timestampText(ticks: bigint, unit: number): string {
  const perSecond = 1000n ** BigInt(unit);
  const seconds = (ticks - (((ticks % perSecond) + perSecond) % perSecond)) / perSecond;
  const rest = (ticks - seconds * perSecond) * (1_000_000_000n / perSecond);
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}.${rest.toString().padStart(9, '0').slice(0, 6)}Z`;
}

function decimalText(words: Uint32Array, scale: number): string {
  const bits = words.length * 32;
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const signed = BigInt.asIntN(bits, unsigned);
  const digits = (signed < 0n ? -signed : signed).toString().padStart(scale + 1, '0');
  const text = scale > 0 ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return signed < 0n ? `-${text}` : text;
}
