import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { ServiceError } from '../../core/errors.js';
import { withoutCredentials } from '../telemetry/redact.js';
import type { ColumnType } from '../datasets/column-types.js';
import { IncrementQuery, type Increment } from './increment-query.js';
import type { PostgresAddress } from './postgres-address.js';
import type { ReadTo } from './watermark.js';
import { SteadyClient } from '../database/steady-client.js';

/** PostgreSQL's own types by their object ids, as ours. All that is not listed stays text. */
const TYPES_BY_OID: Record<number, ColumnType> = {
  16: 'boolean',
  20: 'integer',
  21: 'integer',
  23: 'integer',
  700: 'number',
  701: 'number',
  1700: 'number',
  1082: 'date',
  1114: 'timestamp',
  1184: 'timestamp',
  114: 'json',
  3802: 'json',
};

export interface PostgresCopy {
  columns: { name: string; type: ColumnType }[];
  rows: number;
  /** Of an incremental copy, unless the source has no rows at all. */
  readTo?: ReadTo;
}

/**
 * Copies one table or query into a CSV file, as of one moment (a single read-only snapshot), streaming: memory does
 * not grow with the table. NULL is `\N`, every other value is quoted, so the two can be told apart.
 * @param onProgress is told the share of rows so far, 0 to 1.
 */
export async function copyFromPostgres(
  input: {
    address: PostgresAddress;
    table?: string;
    query?: string;
    columns?: readonly string[];
    increment?: Increment;
    file: string;
    signal?: AbortSignal;
  },
  onProgress: (share: number) => void,
): Promise<PostgresCopy> {
  const client = new SteadyClient({
    ...input.address,
    connectionTimeoutMillis: 10_000,
    application_name: 'ml-pipeline-ingest',
  });
  const stop = () => void client.end();
  try {
    await client.connect();
    input.signal?.addEventListener('abort', stop, { once: true });
    await client.query("SET timezone = 'UTC'; SET datestyle = 'ISO'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const columnList = input.columns?.map((column) => pg.escapeIdentifier(column)).join(', ');
    const everything = selectStatement(input);
    const increment = input.increment && (await IncrementQuery.open(client, everything, input.increment));
    const select = increment?.newRows(columnList) ?? `SELECT ${columnList ?? '*'} FROM (${everything}) AS source`;
    const described = await client.query(`SELECT * FROM (${select}) AS source LIMIT 0`);
    const columns = described.fields.map((field) => ({
      name: field.name,
      type: TYPES_BY_OID[field.dataTypeID] ?? ('string' as const),
    }));
    const counted = await client.query<{ count: string }>(`SELECT count(*) FROM (${select}) AS source`);
    const rows = Number(counted.rows[0]?.count ?? 0);
    await streamCsv(client, select, input.file, (seen) => onProgress(rows === 0 ? 1 : Math.min(1, seen / rows)));
    return { columns, rows, readTo: await increment?.readTo(client) };
  } catch (error) {
    input.signal?.throwIfAborted();
    throw asSourceError(error);
  } finally {
    input.signal?.removeEventListener('abort', stop);
    await client.end().catch((error: unknown) => void error);
  }
}

function selectStatement(input: { table?: string; query?: string }): string {
  if (input.query) return `SELECT * FROM (${input.query.trim().replace(/;\s*$/, '')}\n) AS query`;
  if (input.table)
    return `SELECT * FROM ${input.table
      .split('.')
      .map((part) => pg.escapeIdentifier(part))
      .join('.')}`;
  throw new ServiceError('request_invalid', 'A PostgreSQL source needs a table or a query.', [
    { path: 'options.table', message: 'is needed for a postgresql:// source (or options.query)' },
  ]);
}

async function streamCsv(
  client: pg.Client,
  select: string,
  file: string,
  onRows: (seen: number) => void,
): Promise<void> {
  const copy = client.query(
    copyTo(`COPY (${select}) TO STDOUT WITH (FORMAT csv, HEADER false, NULL '\\N', FORCE_QUOTE *)`),
  );
  let seen = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) seen++;
      onRows(seen);
      done(null, chunk);
    },
  });
  await pipeline(copy, counter, createWriteStream(file));
  const handle = await open(file, 'r+');
  await handle.sync();
  await handle.close();
}

/** What the source said, as a failure that the caller can mend; a source that is away may come back, so that is retried. */
function asSourceError(error: unknown): Error {
  if (error instanceof ServiceError) return error;
  const { code, message } = error as { code?: string; message: string };
  // Classes 08 (connection), 53 (resources), 57 (shutdown) pass; every other SQLSTATE is an answer.
  const isAnswer = code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^(08|53|57)/.test(code);
  if (isAnswer)
    return new ServiceError(
      'source_unreadable',
      `The source answered: ${withoutCredentials(message)} (SQLSTATE ${code}).`,
    );
  return new Error(`The source could not be reached: ${withoutCredentials(message)}`);
}
