import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import { DATA_FILE } from '../datasets/manifest.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { buildUserBehaviorTrainingTable, FeatureInputError } from '../features/user-behavior-features.js';
import { GROUP_COLUMN, STAGED, type TrainingPlan } from './training-plan.js';

/** Below this there is nothing to learn from, and nothing to measure it with. */
const LEAST_ROWS = 20;

/**
 * Writes the table that the fit reads: features as of a time, the truths from after it, and the entity that a row
 * belongs to. For anyone's own table it is a selection of its columns.
 * @throws ServiceError `training_data_insufficient` with fewer than 20 rows.
 */
export async function buildTrainingTable(
  plan: TrainingPlan,
  folders: { datasets: string; staging: string },
): Promise<{ rows: number }> {
  const source = join(folders.datasets, plan.datasetId, DATA_FILE);
  const file = join(folders.staging, STAGED.table);
  const partial = `${file}.${process.pid}.partial`;
  await mkdir(dirname(file), { recursive: true });
  try {
    const rows = await withDuckDb((connection) =>
      plan.kind === 'user_behavior'
        ? writeUserBehavior(connection, plan, source, partial)
        : writeSelection(connection, plan, source, partial),
    );
    if (rows < LEAST_ROWS) {
      throw new ServiceError(
        'training_data_insufficient',
        `Only ${rows} rows are left to train on after the dates and filters; at least ${LEAST_ROWS} are needed. Widen start_date, end_date or filters, or ingest more data.`,
      );
    }
    await rename(partial, file);
    return { rows };
  } finally {
    await rm(partial, { force: true });
  }
}

async function writeUserBehavior(
  connection: DuckDBConnection,
  plan: TrainingPlan,
  source: string,
  file: string,
): Promise<number> {
  try {
    const { rows } = await buildUserBehaviorTrainingTable({
      connection,
      eventFiles: [source],
      outputFile: file,
      asOf: { startDate: plan.startDate, endDate: plan.endDate },
      filters: plan.filters,
    });
    return rows;
  } catch (error) {
    if (error instanceof FeatureInputError)
      throw new ServiceError('request_invalid', error.message, [{ path: error.path, message: error.message }]);
    throw error;
  }
}

/** A filter compares as its value is written, so that 1 finds 1.0. */
const FILTER_TYPES = { string: 'VARCHAR', number: 'DOUBLE', boolean: 'BOOLEAN' } as const;

async function writeSelection(
  connection: DuckDBConnection,
  plan: TrainingPlan,
  source: string,
  file: string,
): Promise<number> {
  const targets = plan.heads.map((head) => head.column);
  const columns = [...plan.features, ...targets].map(quoteIdentifier);
  const group = plan.entity ? quoteIdentifier(plan.entity) : 'row_number() OVER ()';
  const conditions = [...targets.map((target) => `${quoteIdentifier(target)} IS NOT NULL`), ...timeConditions(plan)];
  const values: Record<string, string | number | boolean> = {};
  for (const [index, [name, value]] of Object.entries(plan.filters).entries()) {
    const type = FILTER_TYPES[typeof value as 'string' | 'number' | 'boolean'];
    conditions.push(`TRY_CAST(${quoteIdentifier(name)} AS ${type}) = CAST($filter${index} AS ${type})`);
    values[`filter${index}`] = value;
  }
  const select = `SELECT CAST(${group} AS VARCHAR) AS ${quoteIdentifier(GROUP_COLUMN)}, ${columns.join(', ')} FROM read_parquet(${quoteText(source)})`;
  await connection.run(`CREATE TABLE selected AS ${select} WHERE ${conditions.join(' AND ')}`, values);
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
