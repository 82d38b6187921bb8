import {
  Dictionary,
  Field,
  Float64,
  Int32,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Utf8,
  vectorFromArray,
  type Data,
} from 'apache-arrow';
import { ID_LENGTH } from './prediction-id.js';
import type { AnsweredColumns } from './predict-many.js';
import type { AnswerColumn } from './scorer.js';

/**
 * The answers as an Arrow IPC stream of one batch: `prediction_id`, then a column an answer; classes as a dictionary of text. The
 * schema's metadata has `model` and `model_version`.
 */
export function writeArrow(model: string, { version, ids, answers }: AnsweredColumns): Uint8Array {
  const columns: [string, Data][] = [['prediction_id', idData(ids)], ...answers.map(columnOf)];
  const schema = new Schema(
    columns.map(([name, { type }]) => new Field(name, type, false)),
    new Map([
      ['model', model],
      ['model_version', version],
    ]),
  );
  const data = makeData({
    type: new Struct(schema.fields),
    length: ids.length / ID_LENGTH,
    nullCount: 0,
    children: columns.map(([, child]) => child),
  });
  return RecordBatchStreamWriter.writeAll([new RecordBatch(schema, data)]).toUint8Array(true);
}

function columnOf(column: AnswerColumn): [string, Data] {
  if (column.kind === 'number')
    return [column.name, makeData({ type: new Float64(), data: column.values, nullCount: 0 })];
  const dictionary = vectorFromArray(column.classes.map(String), new Utf8());
  const type = new Dictionary(new Utf8(), new Int32());
  return [column.name, makeData({ type, data: column.codes, dictionary, nullCount: 0 })];
}

function idData(ids: Uint8Array): Data {
  const valueOffsets = Int32Array.from({ length: ids.length / ID_LENGTH + 1 }, (_, row) => row * ID_LENGTH);
  return makeData({
    type: new Utf8(),
    length: ids.length / ID_LENGTH,
    nullCount: 0,
    valueOffsets,
    data: ids,
  });
}
