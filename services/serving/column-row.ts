import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import type { AnswerColumn } from './scorer.js';

/** Parts of an answer that a single answer has as an object. */
const NESTED = /^(interval|probabilities)\.(.+)$/s;

/**
 * One row of columns, as an object for the log. It looks into the columns only when it is written as JSON, off the path of the answer.
 */
class ColumnRow {
  readonly #columns: readonly (BatchColumn | AnswerColumn)[];
  readonly #row: number;

  constructor(columns: readonly (BatchColumn | AnswerColumn)[], row: number) {
    this.#columns = columns;
    this.#row = row;
  }

  toJSON(): Record<string, unknown> {
    const row: Record<string, unknown> = {};
    for (const column of this.#columns) {
      const value = cellOf(column, this.#row);
      const [, outer, inner] = NESTED.exec(column.name) ?? [];
      if (outer && inner && column.kind === 'number') ((row[outer] ??= {}) as Record<string, unknown>)[inner] = value;
      else row[column.name] = value;
    }
    return row;
  }
}

export function columnRow(columns: readonly (BatchColumn | AnswerColumn)[], row: number): object {
  return new ColumnRow(columns, row);
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
