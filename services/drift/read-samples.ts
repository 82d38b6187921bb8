import type { DuckDBConnection } from '@duckdb/node-api';
import type { CategorySample, NumberSample } from '../../ml/drift/column-drift.js';
import { sortNumbers } from '../../ml/drift/sort-numbers.js';
import { queryRows } from '../duckdb.js';

/** Rows whose cells are sampled: a table, a view or `read_parquet(…)`, and which of its rows. */
export interface SampledRows {
  relation: string;
  /** SQL; all rows without it. */
  where?: string;
  /** SQL that tells apart the windows that the rows come from, 0 up to `slots`; one window without it. */
  slot?: string;
  slots?: number;
}

const MISSING_WORDS = "('', 'na', 'n/a', 'nan', 'null', 'none', '?', '-')";
const filter = (where: string | undefined) => (where === undefined ? '' : `WHERE ${where}`);

/** A text cell as the number that a model would read in it. */
export const numberCell = (cell: string) =>
  `CASE lower(trim(${cell})) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE TRY_CAST(trim(${cell}) AS DOUBLE) END`;
/** A text cell, or NULL where it only says that nothing is known. */
export const filledCell = (cell: string) => `CASE WHEN trim(${cell}) <> '' THEN ${cell} END`;
/** Whether a text cell holds what no number is. */
export const isNoNumber = (cell: string) =>
  `${cell} IS NOT NULL AND lower(trim(${cell})) NOT IN ${MISSING_WORDS} AND ${numberCell(cell)} IS NULL`;

/**
 * The numbers of a column, sorted, by window. What is no finite number counts as missing.
 * @param cell SQL that gives a DOUBLE
 */
export async function readNumbers(
  connection: DuckDBConnection,
  { relation, where, slot = '0', slots = 1 }: SampledRows,
  cell: string,
): Promise<NumberSample[]> {
  const windows = Array.from({ length: slots }, () => ({ values: new Float64Array(1024), present: 0, missing: 0 }));
  const isWindowed = slots > 1;
  const result = await connection.stream(
    `SELECT CAST(${cell} AS DOUBLE)${isWindowed ? `, CAST(${slot} AS INTEGER)` : ''} FROM ${relation} ${filter(where)}`,
  );
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    const cells = chunk.getColumnVector(0);
    const slotOf = isWindowed ? chunk.getColumnVector(1) : undefined;
    // Asked once: each time is a call into the engine.
    const rows = chunk.rowCount;
    for (let row = 0; row < rows; row++) {
      const window = windows[slotOf ? (slotOf.getItem(row) as number) : 0]!;
      const value = cells.getItem(row) as number | null;
      if (value === null || !Number.isFinite(value)) window.missing++;
      else {
        if (window.present === window.values.length) window.values = grown(window.values);
        window.values[window.present++] = value;
      }
    }
  }
  return windows.map(({ values, present, missing }) => ({ values: sortNumbers(values.subarray(0, present)), missing }));
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length);
  larger.set(values);
  return larger;
}

/** How often a column has each value, by window. @param cell SQL that gives a text */
export async function readCategories(
  connection: DuckDBConnection,
  { relation, where, slot = '0', slots = 1 }: SampledRows,
  cell: string,
): Promise<CategorySample[]> {
  const rows = await queryRows<{ slot: number; value: string | null; rows: number }>(
    connection,
    `SELECT ${slot} AS slot, ${cell} AS value, count(*) AS rows FROM ${relation} ${filter(where)} GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2`,
  );
  const windows = Array.from({ length: slots }, () => ({ counts: new Map<string, number>(), missing: 0 }));
  for (const { slot: at, value, rows: found } of rows) {
    if (value === null) windows[at]!.missing += found;
    else windows[at]!.counts.set(value, found);
  }
  return windows;
}
