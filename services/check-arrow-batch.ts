import './bound-arrow-vectors.js';
import { DataType, type Data, type RecordBatch } from 'apache-arrow';

/**
 * Holds every length that a batch declares to the bytes that are there: Arrow's own readers take them as they are, and would answer rows that
 * nobody has sent, as many as a number can say.
 * @throws RangeError that names the column
 */
export function checkArrowBatch(batch: RecordBatch): void {
  const fields = batch.schema.fields;
  fields.forEach(({ name }, at) => {
    const data = batch.data.children[at] as Data | undefined;
    if (!data || data.length < batch.numRows) throw new RangeError(`the column ${name} is shorter than its batch`);
    checkColumn(name, data);
  });
  // Columns of nothing take no bytes: they cannot vouch for their length.
  if (fields.every(({ type }) => DataType.isNull(type)) && batch.numRows > MOST_EMPTY_ROWS)
    throw new RangeError(`it declares ${batch.numRows} rows without a value`);
}

const MOST_EMPTY_ROWS = 1_000_000;

function checkColumn(name: string, data: Data): void {
  const { type, length } = data;
  const cut = (what: string): never => {
    throw new RangeError(`the ${what} of the column ${name} are cut off`);
  };
  if (DataType.isNull(type) || length === 0) return;
  if (data.nullCount > 0 && data.nullBitmap && data.nullBitmap.length < Math.ceil(length / 8)) cut('null marks');
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    if (!hasOffsets(data, (data.values as Uint8Array).length)) cut('texts');
  } else if (DataType.isList(type) || DataType.isMap(type)) {
    if (!hasOffsets(data, data.children[0]?.length ?? 0)) cut('items');
    for (const child of data.children) checkColumn(name, child);
  } else if (DataType.isStruct(type) || DataType.isFixedSizeList(type)) {
    const per = DataType.isFixedSizeList(type) ? type.listSize : 1;
    if (data.children.some((child) => child.length < length * per)) cut('items');
    for (const child of data.children) checkColumn(name, child);
  } else if (DataType.isUtf8View(type)) {
    if (data.byteLength < length * BYTES_A_VIEW) cut('texts');
  } else {
    const per = DataType.isBool(type) ? 1 / 8 : data.stride;
    if (((data.values as ArrayLike<unknown> | undefined)?.length ?? 0) < Math.ceil(length * per)) cut('values');
    for (const chunk of data.dictionary?.data ?? []) checkDictionary(name, chunk);
  }
}

/** A dictionary is shared by all batches after it: looked at once. */
const seenDictionaries = new WeakSet<Data>();

function checkDictionary(name: string, chunk: Data): void {
  if (seenDictionaries.has(chunk)) return;
  checkColumn(name, chunk);
  seenDictionaries.add(chunk);
}

const BYTES_A_VIEW = 16;

/** Whether the offsets of a column are there, never go back, and stay within what they point into. */
function hasOffsets({ length, valueOffsets }: Data, size: number): boolean {
  const offsets = valueOffsets as ArrayLike<number | bigint> | undefined;
  if (!offsets || offsets.length < length + 1) return false;
  for (let row = 0, before = 0; row <= length; row++) {
    const offset = Number(offsets[row]);
    if (!(offset >= before && offset <= size)) return false;
    before = offset;
  }
  return true;
}
