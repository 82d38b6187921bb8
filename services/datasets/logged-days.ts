import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Pool } from 'pg';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import { copyFromPostgres } from '../sources/copy-from-postgres.js';
import { sealFinished } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';
import type { ColumnType } from './column-types.js';
import { bringFolder, sendFolder } from '../storage/shared-files.js';

/** Which part of the log. */
export interface LoggedDays {
  model: string;
  /** Days (UTC) as `YYYY-MM-DD`, both included; without them all that there is. */
  startDate?: string;
  endDate?: string;
}

export interface LogContext {
  databaseUrl: string;
  pool: Pool;
  /** One Parquet file a day and model, written once. They stay when retention drops the day from the database. */
  daysFolder: string;
  /** A folder of this attempt alone. */
  workFolder: string;
  signal: AbortSignal;
}

/** What of a logged prediction is exported, besides its features, its answer and what turned out to be true. */
const LOGGED = `id, model, version, entity_id, created_at, latency_us, cached, arm, trial_id, caller, features::text AS features,
  predictions::text AS predictions`;
/** Neither what a shadow would have answered nor what nobody answered. */
const ANSWERED = `shadow_of IS NULL AND predictions <> '{}'::jsonb`;

/** Where the files of logged days stand. */
export const loggedDaysFolder = (datasetsFolder: string) => join(datasetsFolder, '.predictions');

/**
 * The logged predictions as Parquet, a file a day, as texts. Days that are over are read from the database once.
 * @returns the files, the earliest day first
 */
export async function exportLoggedDays(
  wanted: LoggedDays,
  context: LogContext,
  onProgress: (share: number) => void = () => {},
): Promise<string[]> {
  await mkdir(context.workFolder, { recursive: true });
  const kept = join(context.daysFolder, wanted.model);
  await bringFolder(kept);
  const files: string[] = [];
  const days = await findDays(wanted, context);
  for (const [at, day] of days.entries()) {
    context.signal.throwIfAborted();
    files.push(await exportDay(wanted.model, day, context));
    onProgress((at + 1) / days.length);
  }
  await sendFolder(kept);
  return files;
}

/** Makes of such files and of the newest outcomes the view `logged`: a row a prediction. */
export async function viewLog(
  connection: DuckDBConnection,
  files: readonly string[],
  wanted: LoggedDays,
  context: LogContext,
): Promise<void> {
  const outcomes = join(context.workFolder, 'outcomes.csv');
  const { columns } = await copyFromPostgres(
    {
      address: { connectionString: context.databaseUrl, ssl: false },
      query: newestOutcomes(wanted),
      file: outcomes,
      signal: context.signal,
    },
    () => undefined,
  );
  await loadCopy(connection, 'outcomes', outcomes, columns);
  const list = files.map(quoteText).join(', ');
  await connection.run(`CREATE VIEW logged AS SELECT l.*, o.observed_at, o.outcome FROM read_parquet([${list}]) l
    LEFT JOIN outcomes o ON o.prediction_id = l.id`);
}

interface Day {
  day: string;
  /** Rows that the database has now; 0 where only the file is left. */
  rows: number;
}

/** The days of the database, and those that only a file still has. */
async function findDays({ model, startDate, endDate }: LoggedDays, context: LogContext): Promise<Day[]> {
  const { rows } = await context.pool.query<{ day: string; rows: number }>(
    `SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS rows FROM predictions
     WHERE model = $1 AND ${ANSWERED} AND ($2::date IS NULL OR created_at >= $2::date::timestamp AT TIME ZONE 'UTC')
       AND ($3::date IS NULL OR created_at < ($3::date + 1)::timestamp AT TIME ZONE 'UTC')
     GROUP BY 1`,
    [model, startDate ?? null, endDate ?? null],
  );
  const known = new Map(rows.map((row) => [row.day, row]));
  for (const { day } of await keptDays(model, context))
    if (!known.has(day) && day >= (startDate ?? '') && (endDate === undefined || day <= endDate))
      known.set(day, { day, rows: 0 });
  return [...known.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

async function keptDays(model: string, { daysFolder }: LogContext): Promise<{ day: string; rows: number }[]> {
  await mkdir(join(daysFolder, model), { recursive: true });
  return withDuckDb((connection) =>
    queryRows<{ day: string; rows: number }>(
      connection,
      `SELECT regexp_extract(file, '([0-9-]{10})\\.parquet$', 1) AS day, 0 AS rows
       FROM glob(${quoteText(join(daysFolder, model, '*.parquet'))})`,
    ),
  );
}

/**
 * Rows may still come to a day that is over: what a process had on disk when the database was away. So the file of a day is taken for whole
 * when it has as many rows as the database, or when the database has none of the day any more.
 */
async function exportDay(model: string, { day, rows }: Day, context: LogContext): Promise<string> {
  const path = join(context.daysFolder, model, `${day}.parquet`);
  const kept = await countRows(path);
  if (kept !== undefined && kept >= rows) return path;
  const copy = join(context.workFolder, `${day}.csv`);
  const partial = join(context.workFolder, `${day}.parquet`);
  const { columns } = await copyFromPostgres(
    {
      address: { connectionString: context.databaseUrl, ssl: false },
      query: dayQuery(model, day),
      file: copy,
      signal: context.signal,
    },
    () => undefined,
  );
  await withDuckDb(async (connection) => {
    await loadCopy(connection, 'day', copy, columns);
    await connection.run(
      `COPY (SELECT * FROM day ORDER BY id) TO ${quoteText(partial)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  });
  await sealFinished(partial);
  await syncPath(partial);
  await rename(partial, path);
  await syncPath(join(context.daysFolder, model));
  await rm(copy, { force: true });
  return path;
}

async function countRows(path: string): Promise<number | undefined> {
  return withDuckDb(async (connection) => {
    const sql = `SELECT count(*) AS found FROM glob(${quoteText(path)})`;
    const [file] = await queryRows<{ found: number }>(connection, sql);
    if (!file?.found) return undefined;
    const [counted] = await queryRows<{ rows: number }>(
      connection,
      `SELECT count(*) AS rows FROM read_parquet(${quoteText(path)})`,
    );
    return counted?.rows;
  });
}

/** The model is a name of the config and the day comes from the database, but a query is text. */
const dayQuery = (model: string, day: string) =>
  `SELECT ${LOGGED} FROM predictions WHERE model = ${quoteText(model)} AND ${ANSWERED}
     AND created_at >= ${quoteText(`${day}T00:00:00Z`)}::timestamptz
     AND created_at < ${quoteText(`${day}T00:00:00Z`)}::timestamptz + interval '1 day'`;

/** An outcome is reported after its prediction, so nothing before the first day is of any use. */
const newestOutcomes = ({ startDate }: LoggedDays) =>
  `SELECT DISTINCT ON (prediction_id) prediction_id, observed_at, outcome::text AS outcome FROM prediction_outcomes
   ${startDate ? `WHERE received_at >= ${quoteText(`${startDate}T00:00:00Z`)}::timestamptz` : ''}
   ORDER BY prediction_id, observed_at DESC`;

async function loadCopy(
  connection: DuckDBConnection,
  table: string,
  path: string,
  columns: readonly { name: string; type: ColumnType }[],
): Promise<void> {
  const shape = columns.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`).join(', ');
  await connection.run(`CREATE TABLE ${table} AS SELECT * FROM read_csv(${quoteText(path)}, auto_detect = false, header = false,
    delim = ',', quote = '"', escape = '"', columns = {${shape}}, nullstr = '\\N', allow_quoted_nulls = false, max_line_size = 16777216)`);
}
