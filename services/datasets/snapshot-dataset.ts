import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import type { DataType } from '../../core/schemas/model-config.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { syncPath } from '../storage/sync-path.js';
import { reasonsExpression, typedColumns, type ColumnCheck } from './check-rows.js';
import { inferColumnTypes, type ColumnType } from './column-types.js';
import { loadRawRows, type RawFile } from './load-raw-rows.js';
import { DATA_FILE, MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest, type QualityFinding } from './manifest.js';
import { profileColumns } from './profile-columns.js';

export interface SnapshotInput {
  datasetId: string;
  dataType: string;
  /** Without credentials: it is stored and shown. */
  sourceLabel: string;
  /** All of one format. */
  raw: readonly RawFile[];
  onlyColumns?: readonly string[];
  validation: 'quarantine' | 'fail';
  expectations?: DataType;
  /** The folder of all datasets. */
  folder: string;
  /** Tells one attempt's half-written files from another's. */
  attempt: string;
}

/** Above this share of bad rows the source is taken to be the wrong one, and nothing is stored. */
const MOST_QUARANTINED = 0.5;

/**
 * Writes one typed, checked, immutable snapshot: `<folder>/<datasetId>/{data.parquet, quarantine.parquet, manifest.json}`.
 * Bad rows go to quarantine with every reason. The folder appears under its name whole or not at all, and a
 * finished one is adopted, so this can be repeated after any crash.
 * @throws ServiceError `dataset_rejected` when there are no good rows, more than half are bad, or any is with `fail`.
 */
export async function snapshotDataset(
  input: SnapshotInput,
  onProgress: (share: number) => void,
): Promise<DatasetManifest> {
  const finished = await readManifest(join(input.folder, input.datasetId));
  if (finished) return finished;
  const staging = join(input.folder, '.staging', `${input.datasetId}-${input.attempt}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  try {
    const manifest = await withDuckDb((connection) => writeSnapshot(connection, input, staging, onProgress));
    await writeFile(join(staging, MANIFEST_FILE), JSON.stringify(manifest, undefined, 2));
    for (const file of [DATA_FILE, QUARANTINE_FILE, MANIFEST_FILE]) await syncPath(join(staging, file));
    return await publish(staging, join(input.folder, input.datasetId), manifest);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The manifest of a finished snapshot, or undefined. */
export async function readManifest(folder: string): Promise<DatasetManifest | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')) as DatasetManifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeSnapshot(
  connection: DuckDBConnection,
  input: SnapshotInput,
  staging: string,
  onProgress: (share: number) => void,
): Promise<DatasetManifest> {
  const texts = await loadRawRows(connection, input.raw, input.onlyColumns, join(staging, 'lines.tmp'));
  onProgress(0.3);
  const checks = await planChecks(connection, input, texts);
  onProgress(0.45);
  const cells = checks.map(({ name }) => `${quoteIdentifier(name)} := ${quoteIdentifier(name)}`).join(', ');
  await connection.run(`CREATE TABLE judged AS SELECT *, ${reasonsExpression(checks)} AS _mlops_reasons FROM raw`);
  await connection.run(
    `COPY (SELECT ${typedColumns(checks)} FROM judged WHERE len(_mlops_reasons) = 0 ORDER BY _mlops_row) TO ${quoteText(join(staging, DATA_FILE))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  onProgress(0.7);
  await connection.run(
    `COPY (SELECT _mlops_row AS row_number, _mlops_reasons AS reasons, CAST(to_json(struct_pack(${cells})) AS VARCHAR) AS content
       FROM judged WHERE len(_mlops_reasons) > 0 UNION ALL SELECT * FROM unreadable ORDER BY row_number)
     TO ${quoteText(join(staging, QUARANTINE_FILE))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  onProgress(0.8);
  const manifest = await describeSnapshot(connection, input, checks, staging);
  refuseBadData(manifest, input.validation);
  return manifest;
}

/** Which type each column has and what is expected of it; a required column that is missing stops everything. */
async function planChecks(
  connection: DuckDBConnection,
  input: SnapshotInput,
  texts: ReadonlySet<string>,
): Promise<ColumnCheck[]> {
  const described = await queryRows<{ column_name: string; column_type: string }>(connection, 'DESCRIBE raw');
  const columns = described.filter((column) => column.column_name !== '_mlops_row');
  // A map: a column may be called `constructor`.
  const expectations = new Map(Object.entries(input.expectations?.columns ?? {}));
  const lost = [...expectations].filter(
    ([name, expected]) => expected.required && !columns.some((column) => column.column_name === name),
  );
  if (lost.length > 0) {
    throw new ServiceError(
      'dataset_rejected',
      `The source lacks ${lost.length} required column(s) of ${input.dataType}.`,
      lost.map(([name]) => ({ path: `columns.${name}`, message: 'is required and missing' })),
    );
  }
  const sourceTypes = new Map(input.raw[0]?.columns?.map((column) => [column.name, column.type]));
  const undeclared = columns.filter(
    ({ column_name: name }) => texts.has(name) && !sourceTypes.has(name) && !expectations.get(name)?.type,
  );
  const inferred = await inferColumnTypes(
    connection,
    'raw',
    undeclared.map((column) => column.column_name),
  );
  return columns.map(({ column_name: name, column_type: stored }) => {
    const expectation = expectations.get(name);
    const native = texts.has(name) ? undefined : nativeType(stored);
    const type = expectation?.type ?? sourceTypes.get(name) ?? inferred.get(name) ?? native ?? 'string';
    return { name, type, native: native !== undefined && native === type && type !== 'json', expectation };
  });
}

function nativeType(stored: string): ColumnType | undefined {
  if (/^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/.test(stored)) return 'integer';
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(stored)) return 'number';
  if (stored === 'BOOLEAN') return 'boolean';
  if (stored === 'DATE') return 'date';
  if (stored === 'TIMESTAMP') return 'timestamp';
  if (stored === 'VARCHAR') return 'string';
  return stored.startsWith('TIMESTAMP') ? 'timestamp' : undefined;
}

async function describeSnapshot(
  connection: DuckDBConnection,
  input: SnapshotInput,
  checks: readonly ColumnCheck[],
  staging: string,
): Promise<DatasetManifest> {
  const file = join(staging, DATA_FILE);
  const { rows, profiles, warnings } = await profileColumns(connection, file, checks);
  const quarantined = await queryRows<{ reason: string; rows: number }>(
    connection,
    `SELECT regexp_replace(reason, '"[^"]*"', 'a value') AS reason, count(*) AS rows FROM (SELECT unnest(reasons) AS reason FROM read_parquet(${quoteText(join(staging, QUARANTINE_FILE))})) GROUP BY 1 ORDER BY rows DESC, reason LIMIT 50`,
  );
  const [bad] = await queryRows<{ rows: number }>(
    connection,
    `SELECT count(*) AS rows FROM read_parquet(${quoteText(join(staging, QUARANTINE_FILE))})`,
  );
  return {
    format_version: 1,
    dataset_id: input.datasetId,
    data_type: input.dataType,
    source: input.sourceLabel,
    rows,
    quarantined_rows: bad?.rows ?? 0,
    digest: await sha256OfFile(file),
    bytes: (await stat(file)).size,
    columns: profiles,
    quality: [
      ...quarantined.map((finding): QualityFinding => ({
        severity: 'error',
        message: finding.reason,
        rows: finding.rows,
      })),
      ...warnings,
    ],
  };
}

function refuseBadData(manifest: DatasetManifest, validation: 'quarantine' | 'fail'): void {
  const { rows, quarantined_rows: bad } = manifest;
  const problems = manifest.quality
    .filter((finding) => finding.severity === 'error')
    .slice(0, 10)
    .map((finding) => ({ path: 'rows', message: `${finding.message} (${finding.rows} rows)` }));
  if (rows === 0)
    throw new ServiceError('dataset_rejected', `The source has no usable row (${bad} failed their checks).`, problems);
  if (validation === 'fail' && bad > 0)
    throw new ServiceError(
      'dataset_rejected',
      `${bad} of ${rows + bad} rows failed their checks, and options.validation is "fail".`,
      problems,
    );
  if (bad > MOST_QUARANTINED * (rows + bad)) {
    throw new ServiceError(
      'dataset_rejected',
      `${bad} of ${rows + bad} rows failed their checks: more than half, so this looks like the wrong source or format.`,
      problems,
    );
  }
}

/** Moves the finished folder to its name; a twin that another attempt published first is adopted instead. */
async function publish(staging: string, final: string, manifest: DatasetManifest): Promise<DatasetManifest> {
  await mkdir(dirname(final), { recursive: true });
  try {
    await rename(staging, final);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    const twin = await readManifest(final);
    if (!twin) throw error;
    return twin;
  }
  await syncPath(dirname(final));
  return manifest;
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
