import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { DataType } from '../../core/schemas/model-config.js';
import type { ReplayInput } from '../../core/schemas/replay.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { datasetRows } from '../datasets/dataset-rows.js';
import { castExpression } from '../datasets/column-types.js';
import { reasonsExpression, typedColumns, type ColumnCheck } from '../datasets/check-rows.js';
import { DATA_FILE, MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest } from '../datasets/manifest.js';
import { describeSnapshot, publishSnapshot, readManifest } from '../datasets/snapshot-dataset.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { syncPath } from '../storage/sync-path.js';
import { correctedValue } from './corrected-values.js';
import type { ReplayPlan } from './plan-replay.js';

/**
 * Corrects the rows in quarantine, holds them to all checks again, and writes a new dataset: the good rows, after them those that now are good,
 * and in its quarantine the rest with the reasons that are left. The folder appears whole or not at all, and a finished one is adopted.
 * @throws ServiceError `dataset_rejected` when none of the rows is good after the corrections
 */
export async function replayQuarantine(
  plan: ReplayPlan,
  context: { folder: string; attempt: string; dataType: DataType | undefined },
): Promise<DatasetManifest> {
  const final = join(context.folder, plan.datasetId);
  const finished = await readManifest(final);
  if (finished) return finished;
  const staging = join(context.folder, '.staging', `${plan.datasetId}-${context.attempt}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  try {
    const checks = plan.columns.map(({ name, type }): ColumnCheck => {
      const declared = context.dataType?.columns ?? {};
      return { name, type, native: false, expectation: Object.hasOwn(declared, name) ? declared[name] : undefined };
    });
    const manifest = await withDuckDb(async (connection) => {
      const good = datasetRows(datasetFiles(context.folder, plan.source.datasetId));
      const quarantine = join(context.folder, plan.source.datasetId, QUARANTINE_FILE);
      await judgeAgain(connection, plan, checks, { good, quarantine }, context.dataType);
      await refuseNothing(connection, plan);
      await writeFiles(connection, checks, good, staging);
      const about = { datasetId: plan.datasetId, dataType: plan.source.dataType, sourceLabel: plan.source.label };
      return describeSnapshot(connection, about, checks, staging);
    });
    const { datasetId, digest, inferred } = plan.source;
    const made: DatasetManifest = {
      ...manifest,
      inferred_columns: inferred,
      lineage: { operation: 'replay', job_id: plan.jobId, parents: [{ dataset_id: datasetId, digest }] },
    };
    await writeFile(join(staging, MANIFEST_FILE), JSON.stringify(made, undefined, 2));
    for (const file of [DATA_FILE, QUARANTINE_FILE, MANIFEST_FILE]) await syncPath(join(staging, file));
    return await publishSnapshot(staging, final, made);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The rows in quarantine as the table `judged`: corrected texts, and every reason that is left. */
async function judgeAgain(
  connection: DuckDBConnection,
  plan: ReplayPlan,
  checks: readonly ColumnCheck[],
  source: { good: string; quarantine: string },
  dataType: DataType | undefined,
): Promise<void> {
  const { good } = source;
  const quarantine = `read_parquet(${quoteText(source.quarantine)})`;
  const columns = checks.map(({ name }) => `${correctedValue(name, plan.input)} AS ${quoteIdentifier(name)}`);
  await connection.run(
    `CREATE TABLE raw AS SELECT row_number AS _mlops_row, reasons AS _mlops_former, content AS _mlops_content, ${columns.join(', ')} FROM ${quarantine}`,
  );
  const twice = checks
    .filter(({ expectation }) => expectation?.unique)
    .map(({ name, type }) => {
      const value = castExpression(name, type);
      const reason = quoteText(`column ${name}: the value was already in an earlier row`);
      return `CASE WHEN ${value} IN (SELECT ${quoteIdentifier(name)} FROM ${good}) THEN ${reason} END`;
    });
  const isCorrected = rowNumbers(plan.input);
  // A line that never was a row has nothing to check, unless its values are given now.
  const unreadable = `NOT (CASE WHEN json_valid(_mlops_content) THEN json_type(_mlops_content) = 'OBJECT' ELSE false END) AND _mlops_row NOT IN (${isCorrected})`;
  await connection.run(
    `CREATE TABLE judged AS SELECT *, CASE WHEN ${unreadable} THEN _mlops_former ELSE list_distinct(
       list_concat(${reasonsExpression(checks, dataType?.expectations)}, list_filter(CAST([${twice.join(', ')}] AS VARCHAR[]), lambda reason: reason IS NOT NULL))) END AS _mlops_reasons FROM raw`,
  );
}

const rowNumbers = ({ rows }: ReplayInput) => ['0', ...rows.map(({ row_number: row }) => String(row))].join(', ');

async function refuseNothing(connection: DuckDBConnection, plan: ReplayPlan): Promise<void> {
  const [counted] = await queryRows<{ good: number; rows: number }>(
    connection,
    'SELECT count(*) FILTER (len(_mlops_reasons) = 0) AS good, count(*) AS rows FROM judged',
  );
  if (counted?.good) return;
  const reasons = await queryRows<{ reason: string; rows: number }>(
    connection,
    `SELECT regexp_replace(reason, '"[^"]*"', 'a value') AS reason, count(*) AS rows FROM (SELECT unnest(_mlops_reasons) AS reason FROM judged) GROUP BY 1 ORDER BY rows DESC, reason LIMIT 10`,
  );
  throw new ServiceError(
    'dataset_rejected',
    `None of the ${counted?.rows ?? 0} rows in quarantine of ${plan.source.datasetId} is good after the corrections.`,
    reasons.map(({ reason, rows }) => ({ path: 'rows', message: `${reason} (${rows} rows)` })),
  );
}

async function writeFiles(
  connection: DuckDBConnection,
  checks: readonly ColumnCheck[],
  good: string,
  staging: string,
): Promise<void> {
  const names = checks.map(({ name }) => quoteIdentifier(name)).join(', ');
  await connection.run(
    `COPY (SELECT ${names} FROM (
       SELECT ${names}, 0 AS _mlops_part, file_row_number AS _mlops_place FROM ${good}
       UNION ALL SELECT ${typedColumns(checks)}, 1, _mlops_row FROM judged WHERE len(_mlops_reasons) = 0)
     ORDER BY _mlops_part, _mlops_place) TO ${quoteText(join(staging, DATA_FILE))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  await connection.run(
    `COPY (SELECT _mlops_row AS row_number, _mlops_reasons AS reasons, _mlops_content AS content FROM judged
       WHERE len(_mlops_reasons) > 0 ORDER BY row_number) TO ${quoteText(join(staging, QUARANTINE_FILE))} (FORMAT parquet, COMPRESSION zstd)`,
  );
}
