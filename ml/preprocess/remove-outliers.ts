import { outlierBounds } from './cell-steps.js';
import type { ColumnChoices } from './column-choices.js';
import { parseNumber } from './column-type.js';
import type { RawColumn } from './table-encoder.js';

/** The bounds of one column beyond which its rows are left out. */
export interface RemovalBounds {
  name: string;
  lower: number;
  upper: number;
}

/** The bounds of the columns of numbers whose outliers are to be removed, learnt from some rows. */
export function fitRemovalBounds(
  columns: readonly RawColumn[],
  rows: Uint32Array,
  choicesOf: (column: string) => ColumnChoices,
): RemovalBounds[] {
  return columns.flatMap(({ name, values }) => {
    const { outliers } = choicesOf(name);
    if (outliers?.action !== 'remove') return [];
    const numbers = Array.from(rows, (row) => parseNumber(values[row]));
    // A single text among the values: this is no column of numbers.
    if (numbers.includes(undefined)) return [];
    const { lower, upper } = outlierBounds(Float64Array.from(numbers as number[]), outliers.bounds);
    return lower === undefined || upper === undefined ? [] : [{ name, lower, upper }];
  });
}

/** Whether a value lies beyond the bounds; a missing one does not. */
export function isOutside({ lower, upper }: RemovalBounds, value: unknown): boolean {
  const number = parseNumber(value);
  return number !== undefined && (number < lower || number > upper);
}
