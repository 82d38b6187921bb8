import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Pool } from 'pg';
import { ServiceError } from '../../core/errors.js';
import type { LabelledRows } from '../../core/schemas/ingestion.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { syncPath } from '../storage/sync-path.js';
import { chooseType, countTypes, type ColumnType } from './column-types.js';
import { copyFromPostgres } from '../sources/copy-from-postgres.js';

export interface PredictionExport {
  model: string;
  /** Days (UTC) as `YYYY-MM-DD`, both included; without them all that there is. */
  startDate?: string;
  endDate?: string;
  /** Only these columns. */
  columns?: readonly string[];
  /** Only rows with an outcome, as a model is trained on them. */
  labelled?: LabelledRows;
}

export interface ExportContext {
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

/** Columns that every export has, each from a column of the log. */
const COLUMNS: Record<string, [from: string, type: ColumnType]> = {
  prediction_id: ['id', 'string'],
  predicted_at: ['created_at', 'timestamp'],
  entity_id: ['entity_id', 'string'],
  model_version: ['version', 'string'],
  arm: ['arm', 'string'],
  trial_id: ['trial_id', 'string'],
  caller: ['caller', 'string'],
  cached: ['cached', 'boolean'],
  latency_us: ['latency_us', 'integer'],
  observed_at: ['observed_at', 'timestamp'],
};

/** Beyond this a caller sends names that are data. */
const MOST_NAMES = 2000;

/**
 * Writes the logged predictions of a model as a table: a row each, a column a feature under its own name, `predicted_<head>`, and
 * `observed_<head>` with the newest outcome. Days that are over are read from the database once; outcomes, which may come late, each time.
 * @returns the table as a copied one: without header, NULL as `\N`
 * @throws ServiceError `dataset_rejected` where no prediction was logged
 */
export async function exportPredictions(
  wanted: PredictionExport,
  context: ExportContext,
  onProgress: (share: number) => void,
): Promise<{ path: string; columns: { name: string; type: ColumnType }[] }> {
  await mkdir(context.workFolder, { recursive: true });
  const files: string[] = [];
  const days = await findDays(wanted, context);
  for (const [at, day] of days.entries()) {
    context.signal.throwIfAborted();
    files.push(await exportDay(wanted.model, day, context));
    onProgress((0.7 * (at + 1)) / days.length);
  }
  if (files.length === 0)
    throw new ServiceError('dataset_rejected', `No prediction of ${wanted.model} was logged in this time.`, [
      { path: 'source', message: 'names a model without logged predictions in the days asked for' },
    ]);
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
  onProgress(0.8);
  const path = join(context.workFolder, 'predictions.csv');
  return withDuckDb(async (connection) => {
    await loadCopy(connection, 'outcomes', outcomes, columns);
    const list = files.map(quoteText).join(', ');
    await connection.run(`CREATE VIEW logged AS SELECT l.*, o.observed_at, o.outcome FROM read_parquet([${list}]) l
      LEFT JOIN outcomes o ON o.prediction_id = l.id`);
    return { path, columns: await writeTable(connection, path, wanted) };
  });
}

interface Day {
  day: string;
  /** Rows that the database has now; 0 where only the file is left. */
  rows: number;
}

/** The days of the database, and those that only a file still has. */
async function findDays({ model, startDate, endDate }: PredictionExport, context: ExportContext): Promise<Day[]> {
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

async function keptDays(model: string, { daysFolder }: ExportContext): Promise<{ day: string; rows: number }[]> {
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
async function exportDay(model: string, { day, rows }: Day, context: ExportContext): Promise<string> {
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
const newestOutcomes = ({ startDate }: PredictionExport) =>
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

async function writeTable(
  connection: DuckDBConnection,
  path: string,
  { columns: only, labelled }: Pick<PredictionExport, 'columns' | 'labelled'>,
): Promise<{ name: string; type: ColumnType }[]> {
  const own = Object.entries(COLUMNS).map(([name, [from, type]]) => ({ name, sql: quoteIdentifier(from), type }));
  const cells = [
    ...own,
    ...(await cellsOf(connection, 'features', (name) => (Object.hasOwn(COLUMNS, name) ? `feature_${name}` : name))),
    ...(await cellsOf(connection, 'predictions', (name) => `predicted_${name}`)),
    ...(await cellsOf(connection, 'outcome', (name) => `observed_${name}`)),
  ];
  // A feature may have the name of an answer: the first one keeps it.
  const known = new Map<string, Cell>();
  for (const cell of cells) if (!known.has(cell.name)) known.set(cell.name, cell);
  const unknown = only?.filter((name) => !known.has(name)) ?? [];
  if (unknown.length > 0)
    throw new ServiceError(
      'dataset_rejected',
      `The logged predictions have no column ${unknown.join(', ')}.`,
      unknown.map((name) => ({
        path: 'options.columns',
        message: `"${name}" is not among ${[...known.keys()].join(', ')}`,
      })),
    );
  const chosen = labelled
    ? labelledCells(labelled, known)
    : only
      ? only.map((name) => known.get(name)!)
      : [...known.values()];
  const select = chosen.map(({ name, sql }) => `${sql} AS ${quoteIdentifier(name)}`).join(', ');
  await connection.run(
    `CREATE TABLE flat AS SELECT ${select} FROM logged${labelled ? labelledOnly(labelled, known) : ''} ORDER BY id`,
  );
  const untyped = chosen.filter(({ type }) => !type).map(({ name }) => name);
  const quoted = untyped.map((name) => ({ cell: quoteIdentifier(name) }));
  const counts = await countTypes(connection, 'flat', quoted);
  const inferred = new Map(untyped.map((name, at) => [name, chooseType(counts[at]!)]));
  await connection.run(
    `COPY flat TO ${quoteText(path)} (FORMAT csv, HEADER false, NULLSTR '\\N', FORCE_QUOTE *, QUOTE '"', ESCAPE '"')`,
  );
  return chosen.map(({ name, type }) => ({ name, type: type ?? inferred.get(name) ?? 'string' }));
}

interface Cell {
  name: string;
  sql: string;
  type?: ColumnType;
}

/** The columns of a row that a model can be trained on, each under the name that it has there. */
function labelledCells({ head, target, entity, timestamp, features }: LabelledRows, known: Map<string, Cell>): Cell[] {
  const truth = known.get(`observed_${head}`);
  if (!truth)
    throw new ServiceError('dataset_rejected', `No outcome of ${head} is known of the predictions of this time.`, [
      { path: 'options.labelled.head', message: 'names a head that no outcome was reported of' },
    ]);
  const own = Object.keys(COLUMNS);
  const renamed = [
    ...(entity === undefined ? [] : [{ ...known.get('entity_id')!, name: entity }]),
    ...(timestamp === undefined ? [] : [{ ...known.get('predicted_at')!, name: timestamp }]),
    { ...truth, name: target },
  ];
  const taken = new Set(renamed.map(({ name }) => name));
  const cells = features.flatMap((name) => {
    const cell = known.get(own.includes(name) ? `feature_${name}` : name);
    return cell && !taken.has(name) ? [{ ...cell, name }] : [];
  });
  return [...renamed, ...cells];
}

function labelledOnly({ head, since }: LabelledRows, known: Map<string, Cell>): string {
  const from = since === undefined ? '' : ` AND created_at::TIMESTAMPTZ >= ${quoteText(since)}::TIMESTAMPTZ`;
  return ` WHERE (${known.get(`observed_${head}`)!.sql}) IS NOT NULL${from}`;
}

/** A column for each key of a column of objects, found by a JSON pointer, in which no character of a name means anything else. */
async function cellsOf(
  connection: DuckDBConnection,
  column: 'features' | 'predictions' | 'outcome',
  nameOf: (key: string) => string,
): Promise<Cell[]> {
  const keys = await queryRows<{ key: string }>(
    connection,
    `SELECT DISTINCT unnest(json_keys(${column})) AS key FROM logged WHERE ${column} IS NOT NULL ORDER BY key LIMIT ${MOST_NAMES + 1}`,
  );
  if (keys.length > MOST_NAMES)
    throw new ServiceError('dataset_rejected', `The logged ${column} have more than ${MOST_NAMES} different names.`);
  return keys.map(({ key }) => ({
    name: nameOf(key),
    sql: `${column} ->> ${quoteText(`/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)}`,
  }));
}
