import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteText } from '../duckdb.js';

/**
 * The rows of Parquet files as one relation, with `file_row_number` counting them from 0 in the order of the files.
 * @param files at least one
 */
export function datasetRows(files: readonly string[]): string {
  if (files.length === 1) return `read_parquet(${quoteText(files[0]!)}, file_row_number = true)`;
  const list = files.map(quoteText).join(', ');
  return `(SELECT *, row_number() OVER () - 1 AS file_row_number FROM read_parquet([${list}]))`;
}

/** How many rows a Parquet file has. */
export async function countRows(connection: DuckDBConnection, file: string): Promise<number> {
  const [counted] = await queryRows<{ rows: number }>(
    connection,
    `SELECT count(*) AS rows FROM ${datasetRows([file])}`,
  );
  return counted?.rows ?? 0;
}
