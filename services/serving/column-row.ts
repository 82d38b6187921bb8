import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import type { AnswerColumn } from './scorer.js';

/** Parts of an answer that a single answer has as an object. */
const NESTED = /^(interval|probabilities)\.(.+)$/s;
const CONFIDENCE = '.confidence';

/** What the name of a column of answers says: whose confidence it is, or the object that it belongs into and its name there. */
export function partsOf(name: string): { head?: string; outer?: string; inner?: string } {
  if (name.endsWith(CONFIDENCE)) return { head: name.slice(0, -CONFIDENCE.length) };
  const [, outer, inner] = NESTED.exec(name) ?? [];
  return { outer, inner };
}

/** A field of a JSON object with what is before its value, or an object of such fields. */
interface Field {
  key: string;
  column?: BatchColumn | AnswerColumn;
  fields: Field[];
}

/**
 * Makes a writer of rows of columns as JSON. Of answers the parts of one head become an object; features keep their names, whatever
 * these are.
 */
export function rowWriter(columns: readonly (BatchColumn | AnswerColumn)[]): (row: number) => string {
  const fields: Field[] = [];
  const outers = new Map<string, Field>();
  for (const column of columns) {
    const { outer, inner } = column.kind === 'number' ? partsOf(column.name) : {};
    if (outer === undefined || inner === undefined) {
      fields.push({ key: keyOf(column.name), column, fields: [] });
      continue;
    }
    let object = outers.get(outer);
    if (!object) {
      outers.set(outer, (object = { key: keyOf(outer), fields: [] }));
      fields.push(object);
    }
    object.fields.push({ key: keyOf(inner), column, fields: [] });
  }
  return (row) => writeFields(fields, row);
}

const keyOf = (name: string) => `${JSON.stringify(name)}:`;

function writeFields(fields: readonly Field[], row: number): string {
  let text = '{';
  for (const { key, column, fields: parts } of fields) {
    if (text.length > 1) text += ',';
    text += key + (column ? writeCell(column, row) : writeFields(parts, row));
  }
  return `${text}}`;
}

function writeCell(column: BatchColumn | AnswerColumn, row: number): string {
  const cell = cellOf(column, row) ?? null;
  return typeof cell === 'number' && Number.isFinite(cell) ? String(cell) : JSON.stringify(cell);
}

/** A value as JSON has it: null where it is missing. */
export function cellOf(column: BatchColumn | AnswerColumn, row: number): unknown {
  switch (column.kind) {
    case 'number':
    case 'numbers': {
      const value = column.values[row]!;
      return value === value ? value : null;
    }
    case 'category':
      return column.classes[column.codes[row]!];
    case 'codes':
      return column.codes[row]! < 0 ? null : column.dictionary[column.codes[row]!];
    case 'values':
      return column.values[row] ?? null;
  }
}
