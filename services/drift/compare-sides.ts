import type { DuckDBConnection } from '@duckdb/node-api';
import type { CategorySample, ColumnDrift, NumberSample } from '../../ml/drift/column-drift.js';
import { compareCategories } from '../../ml/drift/compare-categories.js';
import { joinCategories, usualCategoryEffect } from '../../ml/drift/usual-variation.js';
import { withComparisonThreads, type CompareColumn } from './comparison-threads.js';
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
  return withComparisonThreads(async (compare) => {
    const compared: ComparedSides[] = [];
    for (let start = 0; start < some.length; start += COLUMNS_AT_ONCE) {
      const own = some.slice(start, start + COLUMNS_AT_ONCE);
      const parts = await readSamples(connection, sides.reference, own, columns, { slots: sides.slots, where });
      const currents = await readSamples(connection, sides.current, own, columns, { slots: 1, where });
      compared.push(
        ...(await Promise.all(
          own.map((column, at) => compareParts(column, parts[at]!, currents[at]![0]!, sides.leastRows, compare)),
        )),
      );
    }
    return compared;
  });
}

async function compareParts(
  column: WatchedColumn,
  parts: readonly Sample[],
  current: Sample,
  leastRows: number,
  compare: CompareColumn,
): Promise<ComparedSides> {
  const isKept = column.group === 'predictions';
  if ('number' in current) {
    const reference = parts.flatMap((part): NumberSample[] => ('number' in part ? [part.number] : []));
    const windows = { column: column.subject, reference, current: current.number, leastRows };
    const { drift, usual, ...kept } = await compare({ windows, isKept });
    const samples = kept.reference &&
      kept.current && { reference: { number: kept.reference }, current: { number: kept.current } };
    return { column, drift, usual, ...(samples && { samples }) };
  }
  const windows = parts.flatMap((part): CategorySample[] =>
    'category' in part && hasRows(part.category) ? [part.category] : [],
  );
  const reference = joinCategories(windows);
  return {
    column,
    drift: compareCategories(column.subject, reference, current.category, leastRows),
    usual: usualCategoryEffect(windows),
    ...(isKept && { samples: { reference: { category: reference }, current } }),
  };
}

const hasRows = ({ counts, missing }: CategorySample): boolean => counts.size > 0 || missing > 0;
