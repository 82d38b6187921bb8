import type { DuckDBConnection } from '@duckdb/node-api';
import type { CategorySample, NumberSample } from '../../ml/drift/column-drift.js';
import { jsonPointer, queryRows, quoteText } from '../duckdb.js';
import { filledCell, numberCell, readCategories, readNumbers } from './read-samples.js';
import { COLUMN_GROUPS, type ColumnGroup, type WatchedColumn } from './watched-columns.js';

/** More rows say nothing that so many do not: the smallest shift that matters is found in a twentieth of them. */
const MOST_ROWS = 200_000;

/** Rows of a side by group: a SELECT of `id`, `features`, `predictions`, `outcome` and `slot`; without an entry the side has none. */
export type SideRows = Partial<Record<ColumnGroup, string>>;

/** The cells of one side, a table a group. `slot` tells windows of a reference apart. */
export interface Cells {
  side: string;
  rows: Record<ColumnGroup, number>;
}

export type Sample = { number: NumberSample } | { category: CategorySample };

const tableOf = (side: string, group: ColumnGroup) => `${side}_${group}`;

/** Takes rows apart once, so that each column is then read by itself. Of very many rows it takes a share, the same ones each time. */
export async function layOutCells(
  connection: DuckDBConnection,
  side: string,
  columns: readonly WatchedColumn[],
  select: SideRows,
): Promise<Cells> {
  const rows = { inputs: 0, predictions: 0, labels: 0, items: 0 };
  for (const group of COLUMN_GROUPS) {
    const own = columns.filter((column) => column.group === group);
    const source = select[group];
    if (own.length === 0 || source === undefined) continue;
    const [counted] = await queryRows<{ rows: number }>(connection, `SELECT count(*) AS rows FROM (${source})`);
    const step = Math.ceil((counted?.rows ?? 0) / MOST_ROWS);
    const sampled = step > 1 ? `SELECT * FROM (${source}) WHERE hash(id) % ${step} = 0` : source;
    // One pass over the text of an object finds all its keys.
    const paths = own.map(({ name }) => quoteText(jsonPointer(name))).join(', ');
    const cells =
      group === 'inputs'
        ? own.map((_, at) => `${filledCell(`found[${at + 1}]`)} AS c${at}`)
        : own.map(({ cell }, at) => `${cell} AS c${at}`);
    const found = group === 'inputs' ? `, json_extract_string(features, [${paths}]) AS found` : '';
    await connection.run(
      `CREATE OR REPLACE TABLE ${tableOf(side, group)} AS SELECT slot, ${cells.join(', ')} FROM (SELECT *${found} FROM (${sampled}))`,
    );
    const [kept] = await queryRows<{ rows: number }>(
      connection,
      `SELECT count(*) AS rows FROM ${tableOf(side, group)}`,
    );
    rows[group] = kept?.rows ?? 0;
  }
  return { side, rows };
}

/** The name of a column's cell among those of its group. */
export function cellName(column: WatchedColumn, columns: readonly WatchedColumn[]): string {
  return `c${columns.filter(({ group }) => group === column.group).indexOf(column)}`;
}

/**
 * Reads columns of a side, by column and window; numbers of one group in one pass.
 * @param some of `columns`
 * @param options `slots`: how many windows the side has; `where`: SQL over the cells of the columns' group
 */
export async function readSamples(
  connection: DuckDBConnection,
  { side }: Cells,
  some: readonly WatchedColumn[],
  columns: readonly WatchedColumn[],
  { slots, where }: { slots: number; where?: string },
): Promise<Sample[][]> {
  const samples = new Map<WatchedColumn, Sample[]>();
  for (const group of COLUMN_GROUPS) {
    const rows = { relation: tableOf(side, group), where, slot: 'slot', slots };
    const own = some.filter((column) => column.group === group);
    const numbers = own.filter(({ kind }) => kind === 'number');
    if (numbers.length > 0) {
      const cells = numbers.map((column) => numberCell(cellName(column, columns)));
      const found = await readNumbers(connection, rows, cells);
      numbers.forEach((column, at) =>
        samples.set(
          column,
          found[at]!.map((number) => ({ number })),
        ),
      );
    }
    const others = own.filter(({ kind }) => kind !== 'number');
    const texts = others.map((column) => {
      const cell = cellName(column, columns);
      return column.kind === 'presence' ? `CASE WHEN ${cell} IS NOT NULL THEN 'present' END` : cell;
    });
    const found = await readCategories(connection, rows, texts);
    others.forEach((column, at) =>
      samples.set(
        column,
        found[at]!.map((category) => ({ category })),
      ),
    );
  }
  return some.map((column) => samples.get(column)!);
}

/** The values of a watched feature by how many rows have them, the most frequent first. */
export async function frequentValues(
  connection: DuckDBConnection,
  { side }: Cells,
  cell: string,
  most: number,
): Promise<string[]> {
  const rows = await queryRows<{ value: string }>(
    connection,
    `SELECT ${cell} AS value FROM ${tableOf(side, 'inputs')} WHERE ${cell} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ${most}`,
  );
  return rows.map(({ value }) => value);
}
