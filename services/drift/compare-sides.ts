import type { DuckDBConnection } from '@duckdb/node-api';
import type { CategorySample, ColumnDrift, NumberSample } from '../../ml/drift/column-drift.js';
import { compareCategories } from '../../ml/drift/compare-categories.js';
import { compareNumbers } from '../../ml/drift/compare-numbers.js';
import { joinCategories, joinNumbers, usualCategoryEffect, usualNumberEffect } from '../../ml/drift/usual-variation.js';
import { readSamples, type Cells, type Sample } from './lay-out-cells.js';
import type { WatchedColumn } from './watched-columns.js';

/** A column of a window beside its reference. */
export interface ComparedSides {
  column: WatchedColumn;
  drift: ColumnDrift;
  /** The largest effect that the column has within its reference. */
  usual: number;
  /** Of predictions: estimates look at their probabilities. */
  samples?: { reference: Sample; current: Sample };
}

/** A part of the rows: a value of a feature. */
export interface Segment {
  /** `{column}={value}`, or empty for all rows. */
  name: string;
  where?: string;
}

export const ALL_ROWS: Segment = { name: '' };

/** So many columns of both sides are in memory at once: 100 MiB of the most rows that a side has. */
const COLUMNS_AT_ONCE = 16;

/**
 * Compares columns of a window with their reference.
 * @param some of `columns`
 * @param slots windows of the reference, told apart by `slot`; what a column does from one to the next is what is usual of it
 */
export async function compareSides(
  connection: DuckDBConnection,
  some: readonly WatchedColumn[],
  columns: readonly WatchedColumn[],
  sides: { reference: Cells; current: Cells; slots: number; segment: Segment; leastRows: number },
): Promise<ComparedSides[]> {
  const { where } = sides.segment;
  const compared: ComparedSides[] = [];
  for (let start = 0; start < some.length; start += COLUMNS_AT_ONCE) {
    const own = some.slice(start, start + COLUMNS_AT_ONCE);
    const parts = await readSamples(connection, sides.reference, own, columns, { slots: sides.slots, where });
    const currents = await readSamples(connection, sides.current, own, columns, { slots: 1, where });
    own.forEach((column, at) => {
      const { samples, ...found } = compareParts(column.subject, parts[at]!, currents[at]![0]!, sides.leastRows);
      compared.push({ column, ...found, ...(column.group === 'predictions' ? { samples } : {}) });
    });
  }
  return compared;
}

function compareParts(
  subject: string,
  parts: readonly Sample[],
  current: Sample,
  leastRows: number,
): Required<Omit<ComparedSides, 'column'>> {
  const full = parts.filter((part) => rowsOf(part) > 0);
  if ('number' in current) {
    const windows = full.flatMap((part): NumberSample[] => ('number' in part ? [part.number] : []));
    const reference = windows.length === 1 ? windows[0]! : joinNumbers(windows);
    return {
      drift: compareNumbers(subject, reference, current.number, leastRows),
      usual: usualNumberEffect(windows),
      samples: { reference: { number: reference }, current },
    };
  }
  const windows = full.flatMap((part): CategorySample[] => ('category' in part ? [part.category] : []));
  const reference = joinCategories(windows);
  return {
    drift: compareCategories(subject, reference, current.category, leastRows),
    usual: usualCategoryEffect(windows),
    samples: { reference: { category: reference }, current },
  };
}

function rowsOf(sample: Sample): number {
  if ('number' in sample) return sample.number.values.length + sample.number.missing;
  return [...sample.category.counts.values()].reduce((sum, count) => sum + count, sample.category.missing);
}
