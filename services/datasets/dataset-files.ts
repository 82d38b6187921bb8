import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteText } from '../duckdb.js';
import { DATA_FILE } from './manifest.js';

/** The Parquet files with the rows of a dataset, in their order. @param folder of all datasets */
export function datasetFiles(folder: string, datasetId: string): string[] {
  const own = join(folder, datasetId);
  const names = listNames(own).filter((name) => /^data(-\d+)?\.parquet$/.test(name));
  return (names.length > 0 ? names.sort() : [DATA_FILE]).map((name) => join(own, name));
}

const listOf = (files: readonly string[]) => `[${files.map(quoteText).join(', ')}]`;

/** SQL: the rows of a dataset, in their order. */
export const rowsOf = (files: readonly string[]) => `read_parquet(${listOf(files)})`;

/** SQL: the rows of a dataset, with their place in it as `file_row_number`, from 0. */
export function numberedRowsOf(files: readonly string[]): string {
  // Parquet numbers the rows of each file anew; of one file it costs nothing.
  if (files.length === 1) return `read_parquet(${listOf(files)}, file_row_number = true)`;
  return `(SELECT *, row_number() OVER () - 1 AS file_row_number FROM ${rowsOf(files)})`;
}

/** How many rows a Parquet file has. */
export async function countRows(connection: DuckDBConnection, file: string): Promise<number> {
  const [counted] = await queryRows<{ rows: number }>(connection, `SELECT count(*) AS rows FROM ${rowsOf([file])}`);
  return counted?.rows ?? 0;
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
