import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { DataType } from '../../core/schemas/model-config.js';
import type { ReplayInput } from '../../core/schemas/replay.js';
import { reasonsExpression, rowRules, typedCell, typedColumns, type ColumnCheck } from '../datasets/check-rows.js';
import { countReasons, publishSnapshot, findFinished } from '../datasets/commit-dataset.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { countRows, datasetRows } from '../datasets/dataset-rows.js';
import { DATA_FILE, MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest } from '../datasets/manifest.js';
import { profileColumns } from '../datasets/profile-columns.js';
import { duplicateReason, uniqueSets } from '../datasets/reject-duplicates.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { syncPath } from '../storage/sync-path.js';
import { isHeldByRow } from '../validation/row-conditions.js';
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
  const finished = await findFinished(final);
  if (finished) return finished;
  const staging = join(context.folder, '.staging', `${plan.datasetId}-${context.attempt}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  try {
    const checks = checksOf(plan, context.dataType);
    const made = await withDuckDb(async (connection) => {
      const good = datasetRows(await datasetFiles(context.folder, plan.source.datasetId));
      const quarantine = datasetRows([join(context.folder, plan.source.datasetId, QUARANTINE_FILE)]);
      await judgeAgain(connection, plan, checks, { good, quarantine, dataType: context.dataType });
      await refuseNothing(connection, plan);
      await writeFiles(connection, checks, good, staging);
      return describe(connection, plan, staging);
    });
    await writeFile(join(staging, MANIFEST_FILE), JSON.stringify(made, undefined, 2));
    for (const file of [DATA_FILE, QUARANTINE_FILE, MANIFEST_FILE]) await syncPath(join(staging, file));
    return await publishSnapshot(staging, final, made);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Corrected texts are cast as those of a source are. */
function checksOf(plan: ReplayPlan, dataType: DataType | undefined): ColumnCheck[] {
  const declared = dataType?.columns ?? {};
  return plan.columns.map(({ name, type }): ColumnCheck => {
    const expectation = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const cell = quoteIdentifier(name);
    return { name, type, native: false, expectation, cell, value: `(${typedCell({ cell, native: false, type })})` };
  });
}

/** The rows in quarantine as the table `judged`: corrected texts, and every reason that is left. */
async function judgeAgain(
  connection: DuckDBConnection,
  plan: ReplayPlan,
  checks: readonly ColumnCheck[],
  { good, quarantine, dataType }: { good: string; quarantine: string; dataType: DataType | undefined },
): Promise<void> {
  const expectations = (dataType?.expectations ?? []).filter(isHeldByRow);
  const columns = checks.map(({ name }) => `${correctedValue(name, plan.input)} AS ${quoteIdentifier(name)}`);
  await connection.run(
    `CREATE TABLE raw AS SELECT row_number AS _mlops_row, reasons AS _mlops_former, content AS _mlops_content, ${columns.join(', ')} FROM ${quarantine}`,
  );
  const isCorrected = `_mlops_row IN (${rowNumbers(plan.input)})`;
  await connection.run(
    `CREATE TABLE held AS SELECT *, CASE WHEN ${IS_UNREADABLE} AND NOT ${isCorrected} THEN _mlops_former ELSE list_distinct(${reasonsExpression(rowRules(checks, expectations))}) END AS _mlops_held FROM raw`,
  );
  const twice = uniqueSets(checks, expectations).map((set) => twiceReason(set, checks, good));
  await connection.run(
    `CREATE TABLE judged AS SELECT *, list_concat(_mlops_held, list_filter(CAST([${twice.join(', ')}] AS VARCHAR[]), lambda reason: reason IS NOT NULL)) AS _mlops_reasons FROM held`,
  );
}

/** A line that never was a row, or not one row only, has nothing to check, unless its values are given now. */
const IS_UNREADABLE = `(CASE WHEN NOT coalesce(json_valid(_mlops_content), false) THEN true WHEN json_type(_mlops_content) <> 'OBJECT' THEN true
  ELSE contains(_mlops_content, '\\u0000') OR len(json_keys(_mlops_content)) > len(list_distinct(json_keys(_mlops_content))) END)`;

/** SQL: why a row that is good by itself is none: its values are in a good row, or in one before it that is good by itself too. */
function twiceReason(set: readonly string[], checks: readonly ColumnCheck[], good: string): string {
  const values = set.map((name) => checks.find((check) => check.name === name)!.value);
  const [key, stored] = [values, set.map(quoteIdentifier)].map((all) =>
    all.length === 1 ? all[0]! : `row(${all.join(', ')})`,
  );
  const isFilled = (all: readonly string[]) => all.map((value) => `${value} IS NOT NULL`).join(' AND ');
  const before = `row_number() OVER (PARTITION BY len(_mlops_held) = 0, ${values.join(', ')} ORDER BY _mlops_row) > 1`;
  const isStored = `${key} IN (SELECT ${stored} FROM ${good} WHERE ${isFilled(set.map(quoteIdentifier))})`;
  return `CASE WHEN len(_mlops_held) = 0 AND ${isFilled(values)} AND (${before} OR ${isStored}) THEN ${duplicateReason(set)} END`;
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

async function describe(connection: DuckDBConnection, plan: ReplayPlan, staging: string): Promise<DatasetManifest> {
  const [data, quarantine] = [join(staging, DATA_FILE), join(staging, QUARANTINE_FILE)];
  const rows = await countRows(connection, data);
  const { profiles, warnings } = await profileColumns(connection, data, plan.columns, rows);
  const { datasetId, digest, inferred, dataType, label } = plan.source;
  return {
    format_version: 1,
    dataset_id: plan.datasetId,
    data_type: dataType,
    source: label,
    rows,
    quarantined_rows: await countRows(connection, quarantine),
    digest: await sha256OfFile(data),
    bytes: (await stat(data)).size,
    columns: profiles,
    inferred_columns: inferred,
    quality: [...(await countReasons(connection, quarantine, 'error')), ...warnings],
    lineage: { operation: 'replay', job_id: plan.jobId, parents: [{ dataset_id: datasetId, digest }] },
  };
}
