import { readFile, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import type { RowExpectation } from '../validation/row-conditions.js';
import type { SettledColumn, SettledSchema } from './settle-schema.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { parquetOptions, spread, type QuarantinedRow } from './write-slice.js';

/** A data file of a dataset that is not yet published, with the rows that were set aside from the same slice. */
export interface DataFile {
  path: string;
  /** Records of the source before the first of this file. */
  recordsBefore: number;
  quarantine: string;
  rows: number;
  quarantinedRows: number;
  digest: string;
}

/** Each set of columns whose values, together, no two rows may share. */
export function uniqueSets(
  columns: readonly Pick<SettledColumn, 'name' | 'expectation'>[],
  expectations: readonly RowExpectation[],
): string[][] {
  const names = new Set(columns.map(({ name }) => name));
  const sets = [
    ...columns.flatMap(({ name, expectation }) => (expectation?.unique ? [[name]] : [])),
    ...expectations.flatMap((one) => (one.check === 'unique' ? [[...one.columns]] : [])),
  ].filter((set) => set.every((name) => names.has(name)));
  return [...new Map(sets.map((set) => [JSON.stringify(set), set])).values()];
}

/** What is said of a row whose values of these columns were in an earlier one. */
export const duplicateReason = (set: readonly string[]) =>
  quoteText(`column ${set.join(', ')}: the value was already in an earlier row`);

/**
 * Takes rows whose values of unique columns were in an earlier good row out of the files, whichever file that row is in. Only files
 * that have such rows are written anew.
 * @returns those rows with their reason and their place in the source
 */
export async function rejectDuplicates(
  connection: DuckDBConnection,
  files: DataFile[],
  { columns, expectations }: SettledSchema,
): Promise<QuarantinedRow[]> {
  await connection.run('CREATE TABLE twice (file BIGINT, row BIGINT, reason VARCHAR)');
  for (const set of uniqueSets(columns, expectations)) await findDuplicates(connection, files, set);
  const taken: QuarantinedRow[] = [];
  const affected = await queryRows<{ file: number }>(connection, 'SELECT DISTINCT file FROM twice ORDER BY file');
  for (const { file } of affected) taken.push(...(await takeOut(connection, files[file]!, file, columns)));
  return taken;
}

async function findDuplicates(
  connection: DuckDBConnection,
  files: readonly DataFile[],
  set: readonly string[],
): Promise<void> {
  const columns = set.map(quoteIdentifier);
  const key = columns.length === 1 ? columns[0]! : `row(${columns.join(', ')})`;
  const isFilled = columns.map((column) => `${column} IS NOT NULL`).join(' AND ');
  const paths = `[${files.map(({ path }) => quoteText(path)).join(', ')}]`;
  const [counted] = await queryRows<{ all: number; different: number }>(
    connection,
    `SELECT count(*) AS all, count(DISTINCT ${key}) AS different FROM read_parquet(${paths}) WHERE ${isFilled}`,
  );
  if (!counted || counted.all === counted.different) return;
  await connection.run(
    `INSERT INTO twice SELECT file, row, ${duplicateReason(set)} FROM (
       SELECT list_position(${paths}, filename) - 1 AS file, file_row_number AS row,
         row_number() OVER (PARTITION BY ${key} ORDER BY list_position(${paths}, filename), file_row_number) AS copy
       FROM read_parquet(${paths}, filename = true, file_row_number = true)
       WHERE ${isFilled} AND ${key} IN (SELECT ${key} FROM read_parquet(${paths}) WHERE ${isFilled} GROUP BY ${columns.join(', ')} HAVING count(*) > 1)
     ) WHERE copy > 1`,
  );
}

async function takeOut(
  connection: DuckDBConnection,
  file: DataFile,
  at: number,
  columns: readonly SettledColumn[],
): Promise<QuarantinedRow[]> {
  const pairs = columns.map(({ name }) => `${quoteText(name)}, ${quoteIdentifier(name)}`).join(', ');
  const source = `read_parquet(${quoteText(file.path)}, file_row_number = true)`;
  const rows = await queryRows<QuarantinedRow>(
    connection,
    `SELECT file_row_number + 1 AS row_number, reasons, CAST(json_object(${pairs}) AS VARCHAR) AS content
     FROM ${source} JOIN (SELECT row, list(reason) AS reasons FROM twice WHERE file = ${at} GROUP BY row) ON row = file_row_number
     ORDER BY row_number`,
  );
  const kept = `${file.path}.unique`;
  await connection.run(
    `COPY (SELECT * EXCLUDE (file_row_number) FROM ${source} WHERE file_row_number NOT IN (SELECT row FROM twice WHERE file = ${at}) ORDER BY file_row_number)
     TO ${quoteText(kept)} (${parquetOptions(columns.length)})`,
  );
  await rm(file.path);
  file.path = kept;
  file.rows -= rows.length;
  file.quarantinedRows += rows.length;
  file.digest = await sha256OfFile(kept);
  return placeInSource(rows, file);
}

/** Good rows are counted without those that were set aside; their place in the source counts all. */
async function placeInSource(rows: readonly QuarantinedRow[], file: DataFile): Promise<QuarantinedRow[]> {
  const lines = (await readFile(file.quarantine, 'utf8')).split('\n').filter((line) => line !== '');
  const setAside = lines.map((line) => {
    const { row_number } = JSON.parse(line) as QuarantinedRow;
    return { row_number: row_number - file.recordsBefore };
  });
  return spread(rows, setAside).map((row) => ({ ...row, row_number: row.row_number + file.recordsBefore }));
}

/** Where a data file of the dataset lies, once it is whole. */
export const dataFileName = (at: number, count: number) =>
  count === 1 ? 'data.parquet' : `data-${String(at + 1).padStart(5, '0')}.parquet`;
