import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { OpenedInputs } from './encryption/opened-inputs.js';
import { makeScratchFolder } from './storage/scratch-folder.js';

/** A name as SQL: quoted, so that no column of a user can become code. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL, for the few places (file paths, options) where DuckDB takes no bound value. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The place of a key in a JSON object, in which no character of the key means anything else. */
export function jsonPointer(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** What a private database may use; all cores and 512 MiB unless it says otherwise. */
export interface DuckDbLimits {
  memoryMib?: number;
  threads?: number;
}

/**
 * Runs `work` on a private database that may spill to disk and is removed afterwards. Memory stays below its limit;
 * times are UTC.
 */
export async function withDuckDb<T>(
  work: (connection: DuckDBConnection) => Promise<T>,
  { memoryMib = 512, threads }: DuckDbLimits = {},
): Promise<T> {
  const folder = await makeScratchFolder();
  const instance = await DuckDBInstance.create(join(folder, 'work.duckdb'), {
    memory_limit: `${memoryMib}MiB`,
    ...(threads ? { threads: String(threads) } : {}),
    temp_directory: join(folder, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = readingSealed(await instance.connect(), new OpenedInputs(join(folder, 'opened')));
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

type Statement = (sql: string, ...rest: unknown[]) => Promise<unknown>;
const STATEMENTS: readonly PropertyKey[] = ['run', 'runAndReadAll', 'stream'];

/** The same connection, whose statements may name sealed Parquet files. */
function readingSealed(connection: DuckDBConnection, inputs: OpenedInputs): DuckDBConnection {
  return new Proxy(connection, {
    get(target, name) {
      const own = Reflect.get(target, name) as unknown;
      if (typeof own !== 'function') return own;
      if (!STATEMENTS.includes(name)) return own.bind(target) as unknown;
      return async (sql: string, ...rest: unknown[]) =>
        (own as Statement).call(target, await inputs.open(sql), ...rest);
    },
  });
}

/** A value of DuckDB as JSON carries it: big integers as numbers while they are exact, else as text. */
function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  // Files can hold times beyond those of JavaScript.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(toPlain);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, toPlain(own)]));
  return value;
}

/** All rows of a query as plain objects; times become ISO-8601 texts. Values are bound, never spliced in. */
export async function queryRows<Row extends object>(
  connection: DuckDBConnection,
  sql: string,
  values?: Record<string, string | number | boolean>,
): Promise<Row[]> {
  const reader = await connection.runAndReadAll(sql, values);
  const names = reader.columnNames();
  // Defined, not assigned: a column may be called `__proto__`.
  return reader
    .getRowsJS()
    .map((row) => Object.fromEntries(row.map((value, index) => [names[index]!, toPlain(value)])) as Row);
}

/** The columns of a query with the values of each; big integers become numbers while they are exact, times stay `Date`. */
export async function queryColumns(
  connection: DuckDBConnection,
  sql: string,
): Promise<{ name: string; values: unknown[] }[]> {
  const reader = await connection.runAndReadAll(sql);
  const names = reader.columnNames();
  const columns = reader.getColumnsJS();
  return names.map((name, index) => ({
    name,
    values: (columns[index] ?? []).map((value) => (typeof value === 'bigint' ? toPlain(value) : value)),
  }));
}
