import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import { readAtRest, sealFinished } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';
import { DATA_FILES, MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest, type QualityFinding } from './manifest.js';
import { profileColumns } from './profile-columns.js';
import { dataFileName, rejectDuplicates, type DataFile } from './reject-duplicates.js';
import type { SettledSchema } from './settle-schema.js';
import { SLICE_FILES, type PartFailure, type PartLayout, type SlicePlace } from './slices.js';
import type { QuarantinedRow, WrittenSlice } from './write-slice.js';
import { bringFolder, sendFolder } from '../storage/shared-files.js';

export interface CommitInput {
  datasetId: string;
  dataType: string;
  /** Without credentials: it is stored and shown. */
  sourceLabel: string;
  validation: 'quarantine' | 'fail';
  /** The folder of all datasets. */
  folder: string;
  /** The staging folder, with what became of each slice. */
  staging: string;
  /** Tells one attempt's half-written files from another's. */
  attempt: string;
  layouts: readonly (PartLayout | undefined)[];
  places: readonly SlicePlace[];
  written: readonly WrittenSlice[];
  schema: SettledSchema;
  failures: readonly PartFailure[];
}

/** Above this share of bad rows the source is taken to be the wrong one, and nothing is stored. */
const MOST_QUARANTINED = 0.5;
/** One row of quarantine as JSON. */
const MOST_LINE_BYTES = 16 * 2 ** 20;

/**
 * Makes one immutable dataset of all slices: `<folder>/<datasetId>/{data*.parquet, quarantine.parquet, manifest.json}`. It appears under its
 * name whole or not at all, and a finished one is adopted, so this can be repeated after any crash.
 * @throws ServiceError `dataset_rejected` when there are no good rows, more than half are bad, or any is with `fail`.
 */
export async function commitDataset(input: CommitInput): Promise<DatasetManifest> {
  const final = join(input.folder, input.datasetId);
  const finished = await findFinished(final);
  if (finished) return finished;
  // Within the staging folder, so that what a killed attempt has left goes with it.
  const forming = join(input.staging, `forming-${input.attempt}`);
  await rm(forming, { recursive: true, force: true });
  await mkdir(forming, { recursive: true });
  try {
    const manifest = await withDuckDb((connection) => formDataset(connection, input, forming));
    await writeFile(join(forming, MANIFEST_FILE), JSON.stringify(manifest, undefined, 2));
    for (const file of [...manifest.files!.map(({ name }) => name), QUARANTINE_FILE, MANIFEST_FILE])
      await syncPath(join(forming, file));
    return await publishSnapshot(forming, final, manifest);
  } finally {
    await rm(forming, { recursive: true, force: true });
  }
}

/** The digest of a dataset from those of its files. */
export function digestOfDataset(digests: readonly string[]): string {
  return digests.length === 1 ? digests[0]! : createHash('sha256').update(digests.join('\n')).digest('hex');
}

/** The manifest of a snapshot that an earlier attempt has finished, which may have died before other machines could see it; or undefined. */
export async function findFinished(final: string): Promise<DatasetManifest | undefined> {
  const finished = await readManifest(final);
  if (finished) await sendFolder(final);
  return finished;
}

/** The manifest of a finished snapshot, or undefined. */
export async function readManifest(folder: string): Promise<DatasetManifest | undefined> {
  await bringFolder(folder, { only: (name) => name === MANIFEST_FILE });
  try {
    return JSON.parse((await readAtRest(join(folder, MANIFEST_FILE))).toString('utf8')) as DatasetManifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function formDataset(
  connection: DuckDBConnection,
  input: CommitInput,
  forming: string,
): Promise<DatasetManifest> {
  const files = await takeFiles(input, forming);
  const duplicates = files.length > 0 ? await rejectDuplicates(connection, files, input.schema) : [];
  await writeQuarantine(connection, input, duplicates, join(forming, QUARANTINE_FILE));
  const kept = files.filter((file) => file.rows > 0);
  for (const file of files) if (file.rows === 0) await rm(file.path);
  const findings = await countReasons(connection, join(forming, QUARANTINE_FILE), 'error');
  const quarantined = input.written.reduce((sum, slice) => sum + slice.quarantinedRows, 0) + duplicates.length;
  const rows = kept.reduce((sum, file) => sum + file.rows, 0);
  refuseBadData({ rows, bad: quarantined, findings }, input.validation);
  const named = await nameFiles(kept, forming);
  const { profiles, warnings } = await profileColumns(
    connection,
    join(forming, DATA_FILES),
    input.schema.columns,
    rows,
  );
  const digests = named.map(({ digest }) => digest);
  return {
    format_version: 1,
    dataset_id: input.datasetId,
    data_type: input.dataType,
    source: input.sourceLabel,
    rows,
    quarantined_rows: quarantined,
    digest: digestOfDataset(digests),
    bytes: named.reduce((sum, { bytes }) => sum + bytes, 0),
    files: named.map(({ name, rows: own, quarantinedRows, digest }) => ({
      name,
      rows: own,
      quarantined_rows: quarantinedRows,
      digest,
    })),
    ...missingParts(input.failures),
    columns: profiles,
    inferred_columns: input.schema.columns.filter(({ isInferred }) => isInferred).map(({ name }) => name),
    quality: [...missingFindings(input.failures), ...findings, ...warnings],
  };
}

/** The files of all slices under a second name: the first stays for an attempt that comes after this one. */
async function takeFiles(input: CommitInput, forming: string): Promise<DataFile[]> {
  const files: DataFile[] = [];
  for (const [at, slice] of input.written.entries()) {
    const source = SLICE_FILES.data(input.staging, at);
    const path = join(forming, `slice-${at}`);
    await link(source, path).catch(() => copyFile(source, path));
    const { part, slice: own, recordsBefore } = input.places[at]!;
    files.push({
      path,
      recordsBefore: recordsBefore + input.layouts[part]!.slices[own]!.recordsBefore,
      quarantine: SLICE_FILES.quarantine(input.staging, at),
      rows: slice.rows,
      quarantinedRows: slice.quarantinedRows,
      digest: slice.digest,
    });
  }
  return files;
}

async function nameFiles(
  files: readonly DataFile[],
  forming: string,
): Promise<(DataFile & { name: string; bytes: number })[]> {
  const named = [];
  for (const [at, file] of files.entries()) {
    const name = dataFileName(at, files.length);
    await rename(file.path, join(forming, name));
    named.push({ ...file, name, bytes: (await stat(join(forming, name))).size });
  }
  return named;
}

async function writeQuarantine(
  connection: DuckDBConnection,
  input: CommitInput,
  duplicates: readonly QuarantinedRow[],
  file: string,
): Promise<void> {
  const sources = input.written.flatMap((slice, at) =>
    slice.quarantinedRows > 0 ? [SLICE_FILES.quarantine(input.staging, at)] : [],
  );
  if (duplicates.length > 0) {
    const own = `${file}.duplicates`;
    await writeFile(own, duplicates.map((row) => JSON.stringify(row)).join('\n'));
    sources.push(own);
  }
  const rows =
    sources.length > 0
      ? `SELECT * FROM read_json([${sources.map(quoteText).join(', ')}], format = 'newline_delimited', columns = {row_number: 'BIGINT', reasons: 'VARCHAR[]', content: 'VARCHAR'}, maximum_object_size = ${MOST_LINE_BYTES}) ORDER BY row_number`
      : 'SELECT NULL::BIGINT AS row_number, NULL::VARCHAR[] AS reasons, NULL::VARCHAR AS content WHERE false';
  await connection.run(`COPY (${rows}) TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd)`);
  await rm(`${file}.duplicates`, { force: true });
}

/** How often each reason was given in a file of quarantine, without the values in it. */
export async function countReasons(
  connection: DuckDBConnection,
  quarantine: string,
  severity: QualityFinding['severity'],
): Promise<QualityFinding[]> {
  const found = await queryRows<{ reason: string; rows: number }>(
    connection,
    `SELECT regexp_replace(reason, '"[^"]*"', 'a value') AS reason, count(*) AS rows FROM (SELECT unnest(reasons) AS reason FROM read_parquet(${quoteText(quarantine)})) GROUP BY 1 ORDER BY rows DESC, reason LIMIT 50`,
  );
  return found.map(({ reason, rows }) => ({ severity, message: reason, rows }));
}

function missingParts(failures: readonly PartFailure[]): Pick<DatasetManifest, 'missing_parts'> {
  if (failures.length === 0) return {};
  return { missing_parts: failures.map(({ label, message }) => ({ name: label, reason: message })) };
}

const missingFindings = (failures: readonly PartFailure[]): QualityFinding[] =>
  failures.map(({ label, message }) => ({
    severity: 'warning',
    message: `the part ${label} is missing: ${message}`,
    rows: 0,
  }));

function refuseBadData(
  { rows, bad, findings }: { rows: number; bad: number; findings: readonly QualityFinding[] },
  validation: 'quarantine' | 'fail',
): void {
  const problems = findings
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

/** Seals the finished folder where there are keys, and moves it to its name; a twin that another attempt published first is adopted instead. */
export async function publishSnapshot(
  forming: string,
  final: string,
  manifest: DatasetManifest,
): Promise<DatasetManifest> {
  for (const file of await readdir(forming)) await sealFinished(join(forming, file));
  await mkdir(dirname(final), { recursive: true });
  try {
    await rename(forming, final);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    const twin = await readManifest(final);
    if (!twin) throw error;
    await sendFolder(final);
    return twin;
  }
  await syncPath(dirname(final));
  await sendFolder(final);
  return manifest;
}
