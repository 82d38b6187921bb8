import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import { cellOf, rowWriter } from './column-row.js';
import { idInRange } from './prediction-id.js';
import { predictionLine } from './prediction-line.js';
import type { PredictionCall } from './prediction-log.js';
import type { AnswerColumn } from './scorer.js';

/** Predictions of one call, as columns. */
export interface LoggedColumns {
  rows: number;
  features: readonly BatchColumn[];
  predictions: readonly AnswerColumn[];
  entities?: BatchColumn;
  latencyUs: number;
  caller?: string;
}

/** What a payload of columns begins with; rows of text begin with a brace. */
const MARK = 1;
const PREFIX_BYTES = 8;

type StoredColumn =
  | { name: string; kind: 'number' | 'numbers' }
  | { name: string; kind: 'category'; classes: readonly (string | number | boolean)[] }
  | { name: string; kind: 'values'; values: unknown[] };

interface Header {
  call: PredictionCall;
  idPrefix: string;
  createdMs: number;
  first: number;
  rows: number;
  latencyUs: number;
  caller?: string;
  features: StoredColumn[];
  predictions: StoredColumn[];
  entities?: StoredColumn;
}

export const isColumnFrame = (payload: Buffer): boolean => payload[0] === MARK;

/**
 * Rows [start, end) of a call as a payload for the spool: numbers as they lie in memory, the rest as JSON. To write a row as text takes
 * longer than to answer it, so that is left to the time when it is shipped.
 */
export function encodeColumns(
  call: PredictionCall,
  { idPrefix, createdMs }: { idPrefix: string; createdMs: number },
  columns: LoggedColumns,
  start: number,
  end: number,
): Buffer {
  const numbers: Uint8Array[] = [];
  const store = (column: BatchColumn | AnswerColumn): StoredColumn => {
    const { name } = column;
    if (column.kind === 'number' || column.kind === 'numbers') {
      numbers.push(bytesOf(column.values.subarray(start, end)));
      return { name, kind: column.kind };
    }
    if (column.kind === 'category') {
      numbers.push(bytesOf(Float64Array.from(column.codes.subarray(start, end))));
      return { name, kind: 'category', classes: column.classes };
    }
    return { name, kind: 'values', values: Array.from({ length: end - start }, (_, at) => cellOf(column, start + at)) };
  };
  const header: Header = {
    call,
    idPrefix,
    createdMs,
    first: start,
    rows: end - start,
    latencyUs: columns.latencyUs,
    caller: columns.caller,
    features: columns.features.map(store),
    predictions: columns.predictions.map(store),
    entities: columns.entities && store(columns.entities),
  };
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = MARK;
  prefix.writeUInt32LE(text.length, 4);
  return Buffer.concat([prefix, text, ...numbers]);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array) => new Uint8Array(buffer, byteOffset, byteLength);

/** @returns the rows of a payload of columns, each as the text that it would have been logged as */
export function expandColumns(payload: Buffer): string[] {
  const end = PREFIX_BYTES + payload.readUInt32LE(4);
  const header = JSON.parse(payload.toString('utf8', PREFIX_BYTES, end)) as Header;
  const { rows, call, latencyUs, caller } = header;
  let at = end;
  const load = (stored: StoredColumn): BatchColumn | AnswerColumn => {
    if (stored.kind === 'values') return stored;
    // A copy lies where eight bytes may be read as a number.
    const start = payload.byteOffset + at;
    const values = new Float64Array(payload.buffer.slice(start, start + 8 * rows));
    at += 8 * rows;
    return stored.kind === 'category' ? { ...stored, codes: Int32Array.from(values) } : { ...stored, values };
  };
  const writeFeatures = rowWriter(header.features.map(load));
  const writePredictions = rowWriter(header.predictions.map(load));
  const entities = header.entities && load(header.entities);
  const lines = new Array<string>(rows);
  for (let row = 0; row < rows; row++) {
    const entity = (entities && cellOf(entities, row)) as string | number | null | undefined;
    lines[row] = predictionLine(idInRange(header.idPrefix, header.first + row), header.createdMs, call, {
      entityId: entity === undefined || entity === null ? undefined : String(entity),
      features: writeFeatures(row),
      predictions: writePredictions(row),
      latencyUs,
      cached: false,
      caller,
    });
  }
  return lines;
}
