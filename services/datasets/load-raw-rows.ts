import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { RawFormat } from '../../core/schemas/ingestion.js';
import { queryRows, quoteIdentifier, quoteText } from '../duckdb.js';
import type { ColumnType } from './column-types.js';

/** A source as it lies on disk. */
export interface RawFile {
  path: string;
  format: RawFormat;
  /** Known for a copied table; such a file has no header, and `\N` for NULL. */
  columns?: { name: string; type: ColumnType }[];
}

/** The largest JSON object that is read, in bytes; DuckDB reserves a multiple of it. */
const MOST_JSON_BYTES = 8 * 2 ** 20;
/** A character that no text line holds, for reading lines as they are. */
const NEVER = `chr(31)`;

/**
 * Loads the parts of a source, all of one format, as a table `raw`, with `_mlops_row` counting from 1 and otherwise the columns of the source, and the lines that are no
 * rows at all as `unreadable`.
 * @param workFile the beginning of paths that may be written for the time of the call.
 * @returns the columns whose cells are texts, so that their types have to be found out.
 * @throws ServiceError `source_unreadable` with what DuckDB says.
 */
export async function loadRawRows(
  connection: DuckDBConnection,
  parts: readonly RawFile[],
  onlyColumns: readonly string[] | undefined,
  workFile: string,
): Promise<Set<string>> {
  const { format, columns } = parts[0]!;
  const only = onlyColumns && !columns ? onlyColumns.map(quoteIdentifier).join(', ') : '*';
  const workFiles: string[] = [];
  await connection.run('CREATE TABLE unreadable (row_number BIGINT, reasons VARCHAR[], content VARCHAR)');
  try {
    const readers: string[] = [];
    for (const [at, part] of parts.entries()) {
      if (part.path.endsWith('.gz')) await checkGzip(part.path);
      workFiles.push(`${workFile}.${at}`);
      const path =
        part.format === 'ndjson' ? await setAsideBadLines(connection, part.path, workFiles.at(-1)!) : part.path;
      readers.push(`SELECT ${only} FROM ${readerExpression({ ...part, path })}`);
    }
    await connection.run(
      `CREATE TABLE raw AS SELECT row_number() OVER () AS _mlops_row, * FROM (${readers.join(' UNION ALL BY NAME ')})`,
    );
  } catch (error) {
    // Where the file lies on this machine is nobody's business.
    const said = parts.reduce(
      (text, { path }) => text.replaceAll(path, basename(path)),
      (error as Error).message.split('\n', 1)[0] ?? '',
    );
    throw new ServiceError('source_unreadable', `The source could not be read as ${format}: ${said}`);
  } finally {
    for (const file of workFiles) await rm(file, { force: true });
  }
  if (format === 'csv' || format === 'tsv') {
    await connection.run(
      `INSERT INTO unreadable SELECT line, list(DISTINCT CAST(error_type AS VARCHAR) || ': ' || error_message), any_value(csv_line) FROM reject_errors GROUP BY line`,
    );
  }
  return unwrapJson(connection, format);
}

/**
 * DuckDB takes a gzip file that was cut off for a shorter one, so it is read to its checksum first.
 * @throws Error that says how the file is damaged.
 */
async function checkGzip(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGunzip(), new Writable({ write: (_chunk, _encoding, done) => done() }));
}

function readerExpression({ path, format, columns }: RawFile): string {
  const file = quoteText(path);
  switch (format) {
    case 'csv':
    case 'tsv': {
      const typed = columns && `{${columns.map((column) => `${quoteText(column.name)}: 'VARCHAR'`).join(', ')}}`;
      const shape = typed
        ? `auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', columns = ${typed}, nullstr = '\\N'`
        : `header = true, nullstr = '', all_varchar = true${format === 'tsv' ? `, delim = '\t'` : ''}`;
      return `read_csv(${file}, ${shape}, allow_quoted_nulls = false, store_rejects = true)`;
    }
    case 'ndjson':
      return `read_json(${file}, format = 'newline_delimited', records = true, sample_size = -1, maximum_object_size = ${MOST_JSON_BYTES})`;
    case 'json':
      return `read_json(${file}, format = 'auto', records = true, sample_size = -1, maximum_object_size = ${MOST_JSON_BYTES})`;
    case 'parquet':
      return `read_parquet(${file})`;
  }
}

/** One bad line must not cost the others: those that are no JSON object are set aside, and the rest is read. */
async function setAsideBadLines(connection: DuckDBConnection, path: string, workFile: string): Promise<string> {
  const lines = `read_csv(${quoteText(path)}, auto_detect = false, header = false, delim = ${NEVER}, quote = '', escape = '', columns = {'line': 'VARCHAR'}, max_line_size = ${MOST_JSON_BYTES})`;
  const isObject = `(CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END)`;
  await connection.run(
    `INSERT INTO unreadable SELECT number, ['the line is not a JSON object'], line FROM (SELECT row_number() OVER () AS number, line FROM ${lines}) WHERE trim(line) <> '' AND NOT ${isObject}`,
  );
  const [bad] = await queryRows<{ count: number }>(connection, 'SELECT count(*) AS count FROM unreadable');
  if (!bad?.count) return path;
  await connection.run(
    `COPY (SELECT line FROM ${lines} WHERE trim(line) <> '' AND ${isObject}) TO ${quoteText(workFile)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER ${NEVER})`,
  );
  return workFile;
}

/**
 * Values of more than one type make DuckDB keep a column as JSON: a text in it has quotes. Such columns become texts, whose type
 * is then found out like that of any text; lists and objects become JSON texts.
 */
async function unwrapJson(connection: DuckDBConnection, format: RawFormat): Promise<Set<string>> {
  const columns = (await queryRows<{ column_name: string; column_type: string }>(connection, 'DESCRIBE raw')).filter(
    (column) => column.column_name !== '_mlops_row',
  );
  if (format === 'csv' || format === 'tsv') return new Set(columns.map((column) => column.column_name));
  const texts = new Set<string>();
  for (const { column_name: name, column_type: type } of columns) {
    const column = quoteIdentifier(name);
    if (type === 'JSON') {
      await connection.run(`ALTER TABLE raw ALTER ${column} TYPE VARCHAR USING ${column} ->> '$'`);
      texts.add(name);
    } else if (/^(STRUCT|MAP|UNION)|\[\d*\]$/.test(type)) {
      await connection.run(`ALTER TABLE raw ALTER ${column} TYPE VARCHAR USING CAST(to_json(${column}) AS VARCHAR)`);
    }
  }
  return texts;
}
