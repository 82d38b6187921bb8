import type { ColumnDrift, NumberSample } from './column-drift.js';
import { compareNumbers } from './compare-numbers.js';
import { sortNumbers } from './sort-numbers.js';
import { joinNumbers, usualNumberEffect } from './usual-variation.js';

/** A column's numbers in the windows of a reference, and in the one that is judged; in any order. */
export interface NumberWindows {
  column: string;
  reference: readonly NumberSample[];
  current: NumberSample;
  /** On each side, else the column cannot be tested. */
  leastRows?: number;
}

export interface ComparedNumbers {
  drift: ColumnDrift;
  /** The largest effect that the column has within its reference, 0 where that has fewer than three windows with rows. */
  usual: number;
  /** All windows of the reference as one. */
  reference: NumberSample;
  current: NumberSample;
}

/** Sorts the numbers in place, then compares the window with the reference as a whole, and the windows of the reference with each other. */
export function compareNumberWindows({ column, reference, current, leastRows }: NumberWindows): ComparedNumbers {
  const windows = reference.filter(({ values, missing }) => values.length + missing > 0);
  for (const { values } of [...windows, current]) sortNumbers(values);
  const joined = windows.length === 1 ? windows[0]! : joinNumbers(windows);
  return {
    drift: compareNumbers(column, joined, current, leastRows),
    usual: usualNumberEffect(windows),
    reference: joined,
    current,
  };
}
