import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import type { CategorySample, NumberSample } from '../../ml/drift/column-drift.js';
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

interface GrowingSample {
  values: Float64Array<ArrayBuffer>;
  present: number;
  missing: number;
}

/**
 * The numbers of columns by column and window, in no order, in one pass over the rows: all of them are in memory at once, each sample in a buffer of
 * its own. What is no finite number counts as missing.
 * @param cells SQL that gives a DOUBLE, one a column
 */
export async function readNumbers(
  connection: DuckDBConnection,
  { relation, where, slot, slots = 1 }: SampledRows,
  cells: readonly string[],
): Promise<NumberSample[][]> {
  const grow = (): GrowingSample => ({ values: new Float64Array(4096), present: 0, missing: 0 });
  const columns = cells.map(() => Array.from({ length: slots }, grow));
  const isWindowed = slots > 1;
  // NaN for NULL: the engine's marks of what is NULL are slow to ask for.
  const numbers = cells.map((cell) => `coalesce(CAST(${cell} AS DOUBLE), 'nan'::DOUBLE)`);
  const selected = isWindowed ? [...numbers, `CAST(${slot} AS INTEGER)`] : numbers;
  const result = await connection.stream(`SELECT ${selected.join(', ')} FROM ${relation} ${filter(where)}`);
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    // Asked once: each time is a call into the engine.
    const rows = chunk.rowCount;
    const windowOf = isWindowed ? chunk.getColumnVector(cells.length) : undefined;
    for (const [at, windows] of columns.entries()) takeNumbers(windows, chunk.getColumnVector(at), rows, windowOf);
  }
  return columns.map((windows) =>
    windows.map(({ values, present, missing }) => ({ values: values.subarray(0, present), missing })),
  );
}

type Vector = ReturnType<DuckDBDataChunk['getColumnVector']>;

function takeNumbers(windows: readonly GrowingSample[], cells: Vector, rows: number, windowOf: Vector | undefined) {
  let sample = windows[0]!;
  for (let row = 0; row < rows; row++) {
    if (windowOf) sample = windows[windowOf.getItem(row) as number]!;
    const value = cells.getItem(row) as number;
    if (!Number.isFinite(value)) sample.missing++;
    else {
      if (sample.present === sample.values.length) sample.values = grown(sample.values);
      sample.values[sample.present++] = value;
    }
  }
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length);
  larger.set(values);
  return larger;
}

/**
 * How often columns have each value, by column and window, in one pass over the rows.
 * @param cells SQL that gives a text, one a column
 */
export async function readCategories(
  connection: DuckDBConnection,
  { relation, where, slot = '0', slots = 1 }: SampledRows,
  cells: readonly string[],
): Promise<CategorySample[][]> {
  const columns = cells.map(() =>
    Array.from({ length: slots }, () => ({ counts: new Map<string, number>(), missing: 0 })),
  );
  if (cells.length === 0) return columns;
  const names = cells.map((_, at) => `v${at}`);
  const selected = cells.map((cell, at) => `${cell} AS v${at}`);
  const rows = await queryRows<{ slot: number; at: number; value: string | null; rows: number }>(
    connection,
    `SELECT slot, CASE ${names.map((name, at) => `WHEN grouping(${name}) = 0 THEN ${at}`).join(' ')} END AS at, coalesce(${names.join(', ')}) AS value, count(*) AS rows
     FROM (SELECT ${slot} AS slot, ${selected.join(', ')} FROM ${relation} ${filter(where)})
     GROUP BY GROUPING SETS (${names.map((name) => `(slot, ${name})`).join(', ')}) ORDER BY 1, 2, 4 DESC, 3`,
  );
  for (const { slot: window, at, value, rows: found } of rows) {
    const sample = columns[at]![window]!;
    if (value === null) sample.missing += found;
    else sample.counts.set(value, found);
  }
  return columns;
}
