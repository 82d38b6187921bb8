import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { STAGED, type TrainingPlan } from './training-plan.js';

interface Folders {
  datasets: string;
  staging: string;
}

/** The Parquet files of the plan's dataset. */
export const filesOfPlan = (plan: TrainingPlan, folders: Folders) => datasetFiles(folders.datasets, plan.datasetId);

/**
 * Writes the table of a run whole or not at all.
 * @param write is given a connection and the path to write to, and returns the count of rows
 * @throws ServiceError `training_data_insufficient` with fewer than `leastRows` rows
 */
export async function stageTable(
  staging: string,
  leastRows: number,
  write: (connection: DuckDBConnection, file: string) => Promise<number>,
): Promise<{ rows: number }> {
  const file = join(staging, STAGED.table);
  const partial = `${file}.${process.pid}.partial`;
  await mkdir(dirname(file), { recursive: true });
  try {
    const rows = await withDuckDb((connection) => write(connection, partial));
    if (rows < leastRows) {
      throw new ServiceError(
        'training_data_insufficient',
        `Only ${rows} rows are left to train on after the dates and filters; at least ${leastRows} are needed. Widen start_date, end_date or filters, or ingest more data.`,
      );
    }
    await rename(partial, file);
    return { rows };
  } finally {
    await rm(partial, { force: true });
  }
}

/** A filter compares as its value is written, so that 1 finds 1.0. */
const FILTER_TYPES = { string: 'VARCHAR', number: 'DOUBLE', boolean: 'BOOLEAN' } as const;

/**
 * Writes a selection of the dataset's rows and columns: those within the dates and filters of the plan.
 * @param selection `columns` are SQL expressions; `conditions` hold besides dates and filters; `orderBy` is a SQL order
 * @returns the count of rows
 */
export async function writeSelection(
  connection: DuckDBConnection,
  plan: TrainingPlan,
  sources: readonly string[],
  file: string,
  selection: { columns: readonly string[]; conditions?: readonly string[]; orderBy?: string },
): Promise<number> {
  const conditions = ['true', ...(selection.conditions ?? []), ...timeConditions(plan)];
  const values: Record<string, string | number | boolean> = {};
  for (const [index, [name, value]] of Object.entries(plan.filters).entries()) {
    const type = FILTER_TYPES[typeof value as 'string' | 'number' | 'boolean'];
    conditions.push(`TRY_CAST(${quoteIdentifier(name)} AS ${type}) = CAST($filter${index} AS ${type})`);
    values[`filter${index}`] = value;
  }
  const select = `SELECT ${selection.columns.join(', ')} FROM read_parquet([${sources.map(quoteText).join(', ')}])`;
  const order = selection.orderBy ? ` ORDER BY ${selection.orderBy}` : '';
  await connection.run(`CREATE TABLE selected AS ${select} WHERE ${conditions.join(' AND ')}${order}`, values);
  await connection.run(`COPY selected TO ${quoteText(file)} (FORMAT parquet)`);
  const [counted] = await queryRows<{ rows: number }>(connection, 'SELECT count(*) AS rows FROM selected');
  return counted?.rows ?? 0;
}

function timeConditions(plan: TrainingPlan): string[] {
  if (!plan.timestamp) return [];
  const column = `CAST(${quoteIdentifier(plan.timestamp)} AS TIMESTAMP)`;
  const at = (date: string) =>
    `TIMESTAMP ${quoteText(new Date(date).toISOString().replace('T', ' ').replace('Z', ''))}`;
  return [
    ...(plan.startDate ? [`${column} >= ${at(plan.startDate)}`] : []),
    ...(plan.endDate ? [`${column} < ${at(plan.endDate)}`] : []),
  ];
}
