import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { LabelledRows } from '../../core/schemas/ingestion.js';
import { jsonPointer, queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { chooseType, countTypes, type ColumnType } from './column-types.js';
import { exportLoggedDays, viewLog, type LogContext, type LoggedDays } from './logged-days.js';

export interface PredictionExport extends LoggedDays {
  /** Only these columns. */
  columns?: readonly string[];
  /** Only rows with an outcome, as a model is trained on them. */
  labelled?: LabelledRows;
}

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
  context: LogContext,
  onProgress: (share: number) => void,
): Promise<{ path: string; columns: { name: string; type: ColumnType }[] }> {
  const files = await exportLoggedDays(wanted, context, (share) => onProgress(0.7 * share));
  if (files.length === 0)
    throw new ServiceError('dataset_rejected', `No prediction of ${wanted.model} was logged in this time.`, [
      { path: 'source', message: 'names a model without logged predictions in the days asked for' },
    ]);
  const path = join(context.workFolder, 'predictions.csv');
  return withDuckDb(async (connection) => {
    await viewLog(connection, files, wanted, context);
    onProgress(0.8);
    return { path, columns: await writeTable(connection, path, wanted) };
  });
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
    sql: `${column} ->> ${quoteText(jsonPointer(key))}`,
  }));
}
