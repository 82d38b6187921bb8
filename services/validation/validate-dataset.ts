import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { Expectation } from '../../core/schemas/expectation.js';
import { digestOf } from '../canonical-json.js';
import type { ColumnType } from '../datasets/column-types.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { datasetRows } from '../datasets/dataset-rows.js';
import { withDuckDb } from '../duckdb.js';
import { sealFinished } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';
import { checkDistribution } from './check-distribution.js';
import { checkRowExpectations, MOST_KEPT_ROWS, writeFailingRows } from './check-row-expectations.js';
import { checkFreshness, checkRowCount, checkVolume, judgeSql } from './check-whole-dataset.js';
import { earlierVolumes, type ValidatedDataset } from './dataset-history.js';
import { resolveExpectations, type ResolveContext, type ResolvedExpectation } from './resolve-expectations.js';
import { isOfRows, rowCondition, type RowExpectation } from './row-conditions.js';
import { runSandboxedSql } from './run-sandboxed-sql.js';
import { checkName, type CheckResult, type ValidationReport } from './validation-report.js';
import { sendFolder } from '../storage/shared-files.js';

/** Where the failing rows of reports lie, a file a report. */
export const REPORT_ROWS_FOLDER = '.validation';

export interface ValidationInput {
  dataset: ValidatedDataset;
  expectations: readonly Expectation[];
  /** A request is refused for an expectation that cannot be looked at; of a declared one the report says so. */
  isRequested: boolean;
  nowMs: number;
  /** The call ends after this time. */
  timeLimitMs?: number;
}

/**
 * Holds a dataset to expectations, all in DuckDB: the checks of rows in one pass, the others in one query each. Failing rows are kept with
 * every reason beside the report.
 * @throws ServiceError `request_invalid` for a request whose expectations do not fit the dataset, `deadline_exceeded`
 */
export async function validateDataset(input: ValidationInput, context: ResolveContext): Promise<ValidationReport> {
  return withDuckDb(async (connection) => {
    let isLate = false;
    const timer =
      input.timeLimitMs === undefined
        ? undefined
        : setTimeout(() => {
            isLate = true;
            connection.interrupt();
          }, input.timeLimitMs);
    try {
      return await validate(connection, input, context);
    } catch (error) {
      if (!isLate) throw error;
      throw new ServiceError(
        'deadline_exceeded',
        `The checks took longer than ${input.timeLimitMs! / 1000} s. Ask for fewer at once.`,
      );
    } finally {
      clearTimeout(timer);
    }
  });
}

async function validate(
  connection: DuckDBConnection,
  input: ValidationInput,
  context: ResolveContext,
): Promise<ValidationReport> {
  const { dataset } = input;
  const files = await datasetFiles(context.folder, dataset.id);
  await connection.run(
    `CREATE VIEW data AS SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number) FROM ${datasetRows(files)}`,
  );
  const resolved = await resolveExpectations(connection, input.expectations, dataset, context);
  const problems = resolved.flatMap(({ problem }): FieldProblem[] => (problem ? [problem] : []));
  if (input.isRequested && problems.length > 0)
    throw new ServiceError('request_invalid', `The expectations do not fit the dataset ${dataset.id}.`, problems);
  const { results, reasons } = await runChecks(connection, resolved, files, input, context);
  const failed = resolved.map((_, at) => results.get(at)!).filter(({ status }) => status === 'failed');
  const checks = resolved.map((_, at) => results.get(at)!);
  const reportId = `val_${digestOf([dataset.id, checks]).slice(0, 20)}`;
  const columns = dataset.manifest.columns.map(({ name }) => name);
  const failingRows = await keepFailingRows(connection, columns, reasons, context.folder, reportId);
  const errors = failed.filter(({ severity }) => severity === 'error').length;
  return {
    format_version: 1,
    report_id: reportId,
    dataset_id: dataset.id,
    data_type: dataset.dataType,
    declared: !input.isRequested,
    passed: errors === 0,
    rows: dataset.manifest.rows,
    failing_rows: failingRows,
    kept_rows: Math.min(failingRows, MOST_KEPT_ROWS),
    errors,
    warnings: failed.length - errors,
    checks,
    ...(checks.length === 0 ? { note: nothingChecked(dataset.dataType) } : {}),
  };
}

const nothingChecked = (dataType: string) =>
  `Nothing was checked: the request gives no expectations, and models/data-types.yaml has none of ${dataType}.`;

async function runChecks(
  connection: DuckDBConnection,
  resolved: readonly ResolvedExpectation[],
  files: readonly string[],
  { dataset, nowMs }: ValidationInput,
  { database }: ResolveContext,
): Promise<{ results: Map<number, CheckResult>; reasons: string[] }> {
  const results = new Map<number, CheckResult>();
  const { rows, columns } = dataset.manifest;
  const types = new Map<string, ColumnType>(columns.map(({ name, type }) => [name, type]));
  const ofRows: { at: number; expectation: RowExpectation; reference?: string }[] = [];
  const found: { at: number; name: string; places: number[] }[] = [];
  for (const [at, { expectation, problem, skip, other }] of resolved.entries()) {
    const base = { name: checkName(expectation), expectation, severity: expectation.severity };
    if (problem) results.set(at, { ...base, status: 'failed', message: problem.message });
    else if (skip !== undefined) results.set(at, { ...base, status: 'skipped', message: skip });
    else if (isOfRows(expectation)) ofRows.push({ at, expectation, reference: other?.relation });
    else if (expectation.check === 'freshness') results.set(at, await checkFreshness(connection, expectation, nowMs));
    else if (expectation.check === 'rows') results.set(at, checkRowCount(expectation, rows));
    else if (expectation.check === 'volume')
      results.set(at, checkVolume(expectation, rows, await earlierVolumes(database, dataset, expectation.snapshots)));
    else if (expectation.check === 'distribution')
      results.set(
        at,
        await checkDistribution(connection, expectation, types.get(expectation.column) ?? 'string', {
          relation: other!.relation,
          datasetId: other!.id,
        }),
      );
    else {
      const outcome = await runSandboxedSql(files, expectation.sql, MOST_KEPT_ROWS);
      results.set(at, judgeSql(expectation, outcome, rows));
      if ('places' in outcome) found.push({ at, name: base.name, places: outcome.places });
    }
  }
  const conditions = ofRows.map(({ expectation, reference }) => rowCondition(expectation, { types, reference }));
  const judged = await checkRowExpectations(
    connection,
    ofRows.map(({ expectation }) => expectation),
    conditions,
  );
  ofRows.forEach(({ at }, index) => results.set(at, judged[index]!));
  await addFound(connection, found, conditions.length);
  return {
    results,
    reasons: [...conditions.map(({ reason }) => reason), ...found.map(({ name }) => `${name}: found by its SELECT`)],
  };
}

/** Rows that a SELECT names fail beside those that break a condition. */
async function addFound(
  connection: DuckDBConnection,
  found: readonly { places: readonly number[] }[],
  firstNumber: number,
): Promise<void> {
  if (found.every(({ places }) => places.length === 0)) return;
  for (const [index, { places }] of found.entries()) {
    if (places.length === 0) continue;
    await connection.run(
      `INSERT INTO failing SELECT unnest([${places.join(', ')}])::BIGINT, [${firstNumber + index}]::INTEGER[]`,
    );
  }
  await connection.run(
    `CREATE OR REPLACE TABLE failing AS SELECT _row, list_sort(flatten(list(checks))) AS checks FROM failing GROUP BY _row`,
  );
}

/** Written under its name whole or not at all; the same report has the same rows. */
async function keepFailingRows(
  connection: DuckDBConnection,
  columns: readonly string[],
  reasons: readonly string[],
  folder: string,
  reportId: string,
): Promise<number> {
  const kept = join(folder, REPORT_ROWS_FOLDER);
  await mkdir(kept, { recursive: true });
  const partial = join(kept, `${reportId}.${process.pid}.partial`);
  const rows = await writeFailingRows(connection, columns, reasons, partial);
  await sealFinished(partial);
  await syncPath(partial);
  await rename(partial, join(kept, `${reportId}.parquet`));
  await sendFolder(kept, { only: (name) => name === `${reportId}.parquet` });
  return rows;
}
