import { readdir, rm, stat } from 'node:fs/promises';
import { join, basename } from 'node:path';
import type { Database } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest, type Redaction } from '../datasets/manifest.js';
import { digestOfDataset, readManifest } from '../datasets/commit-dataset.js';
import { atRest, sha256AtRest } from '../encryption/file-keys.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import { forgetReports } from '../validation/report-store.js';
import { countInParquet, eraseFromParquet, type EntityColumns } from './subject-in-parquet.js';
import { bringFolder, sendFolder } from '../storage/shared-files.js';

/** What was found before the first file was written again: a kill in the middle leaves it, and the next attempt goes on from it. */
interface PendingRedaction {
  erasure_id: string;
  rows: number;
  quarantined_rows: number;
  digest_before: string;
}
const PENDING_FILE = 'redaction.json';

interface RedactContext {
  database: Database;
  datasetsFolder: string;
  failPoint: FailPoint;
  entityColumnsOf: (dataType: string) => EntityColumns;
}

/**
 * Erases a person from a snapshot. It keeps its id, and says from then on that rows are missing: digest, counts and profile are those of what
 * is left, and a trail tells what they were. Repeatable after a kill at any point.
 * @returns the rows that went, in the snapshot and in its quarantine
 */
export async function redactDataset(
  { datasetId, subject, erasureId }: { datasetId: string; subject: string; erasureId: string },
  context: RedactContext,
): Promise<number> {
  const folder = join(context.datasetsFolder, datasetId);
  await bringFolder(folder);
  const manifest = await readManifest(folder);
  if (!manifest) return 0;
  const entityColumns = context.entityColumnsOf(manifest.data_type);
  const files = await parquetFiles(folder);
  await settleLeft(folder, manifest, { erasureId, files }, context);
  const left = await readStaged(join(folder, PENDING_FILE));
  const pending = left
    ? (JSON.parse(left.toString('utf8')) as PendingRedaction)
    : await findRows(files, manifest, { subject, erasureId, entityColumns });
  const isNamed = profileNames(manifest, subject);
  if (pending.rows + pending.quarantined_rows === 0 && !isNamed) return 0;
  if (!left) await writeStaged(join(folder, PENDING_FILE), JSON.stringify(pending));
  await sendFolder(folder);
  for (const file of files)
    if ((await countInParquet(file, subject, entityColumns)) > 0) await eraseFromParquet(file, subject, entityColumns);
  context.failPoint('erase:after-files');
  await writeTrail({ folder, files, subject }, manifest, pending, context);
  // Reports show rows and values as they were.
  await forgetReports(context.database, context.datasetsFolder, datasetId);
  await rm(join(folder, PENDING_FILE), { force: true });
  await sendFolder(folder, { removes: true });
  return pending.rows + pending.quarantined_rows;
}

async function parquetFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((name) => name.endsWith('.parquet')).map((name) => join(folder, name));
}

async function findRows(
  files: readonly string[],
  manifest: DatasetManifest,
  { subject, erasureId, entityColumns }: { subject: string; erasureId: string; entityColumns: EntityColumns },
): Promise<PendingRedaction> {
  const pending = { erasure_id: erasureId, rows: 0, quarantined_rows: 0, digest_before: manifest.digest };
  for (const file of files) {
    const rows = await countInParquet(file, subject, entityColumns);
    if (basename(file) === QUARANTINE_FILE) pending.quarantined_rows += rows;
    else pending.rows += rows;
  }
  return pending;
}

/** Bounds and quartiles of a text column are texts of somebody. */
const profileNames = (manifest: DatasetManifest, subject: string) =>
  JSON.stringify(manifest.columns).includes(JSON.stringify(subject));

/** What an erasure has left here that failed for good gets its trail first; one that goes on by itself is waited for. */
async function settleLeft(
  folder: string,
  manifest: DatasetManifest,
  { erasureId, files }: { erasureId: string; files: readonly string[] },
  context: RedactContext,
): Promise<void> {
  const left = await readStaged(join(folder, PENDING_FILE));
  const pending = left && (JSON.parse(left.toString('utf8')) as PendingRedaction);
  if (!pending || pending.erasure_id === erasureId) return;
  const other = await context.database.prisma.erasure.findUnique({ where: { id: pending.erasure_id } });
  if (other && ['pending', 'running'].includes(other.state))
    throw new Error(
      `The erasure ${other.id} is at the dataset ${manifest.dataset_id}; this one waits until that has ended.`,
    );
  await writeTrail({ folder, files, subject: undefined }, manifest, pending, context);
  await rm(join(folder, PENDING_FILE), { force: true });
  await sendFolder(folder, { removes: true });
}

async function countRows(files: readonly string[]): Promise<number> {
  if (files.length === 0) return 0;
  const list = files.map(quoteText).join(', ');
  return withDuckDb(async (connection) => {
    const [found] = await queryRows<{ rows: number }>(
      connection,
      `SELECT count(*) AS rows FROM read_parquet([${list}], union_by_name = true)`,
    );
    return found?.rows ?? 0;
  });
}

async function describeFile(path: string): Promise<{ rows: number; bytes: number; digest: string }> {
  return { rows: await countRows([path]), bytes: (await stat(path)).size, digest: await sha256AtRest(path) };
}

async function writeTrail(
  { folder, files, subject }: { folder: string; files: readonly string[]; subject: string | undefined },
  manifest: DatasetManifest,
  pending: PendingRedaction,
  { database, datasetsFolder }: RedactContext,
): Promise<void> {
  const { dataset_id: id, redactions = [] } = manifest;
  if (!redactions.some((one) => one.erasure_id === pending.erasure_id)) {
    const dataFiles = await datasetFiles(datasetsFolder, id);
    const own = await Promise.all(dataFiles.map(describeFile));
    const digest = digestOfDataset(own.map((file) => file.digest));
    const rows = await countRows(files.filter((one) => basename(one) !== QUARANTINE_FILE));
    const quarantined = await countRows(files.filter((one) => basename(one) === QUARANTINE_FILE));
    const redaction: Redaction = {
      erasure_id: pending.erasure_id,
      at: new Date().toISOString(),
      rows: manifest.rows - rows,
      quarantined_rows: manifest.quarantined_rows - quarantined,
      digest_before: pending.digest_before,
      digest_after: digest,
    };
    const redacted: DatasetManifest = {
      ...manifest,
      rows,
      quarantined_rows: quarantined,
      digest,
      bytes: own.reduce((sum, file) => sum + file.bytes, 0),
      ...(manifest.files
        ? { files: manifest.files.map((file, at) => ({ ...file, rows: own[at]!.rows, digest: own[at]!.digest })) }
        : {}),
      columns: (subject === undefined
        ? manifest.columns
        : scrub(manifest.columns, subject)) as DatasetManifest['columns'],
      redactions: [...redactions, redaction],
    };
    await writeStaged(join(folder, MANIFEST_FILE), atRest(Buffer.from(JSON.stringify(redacted, undefined, 2))));
    Object.assign(manifest, redacted);
  }
  await database.prisma.dataset.updateMany({
    where: { id },
    data: {
      rows: manifest.rows,
      quarantinedRows: manifest.quarantined_rows,
      digest: manifest.digest,
      manifest: jsonOf(manifest),
    },
  });
}

/** The same value without any text that is the person's name. */
function scrub(value: unknown, subject: string): unknown {
  if (value === subject) return null;
  if (Array.isArray(value)) return value.map((item) => scrub(item, subject));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, scrub(item, subject)]));
}
