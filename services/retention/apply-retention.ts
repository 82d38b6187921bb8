import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetentionPolicy } from '../../core/schemas/retention.js';
import { QUARANTINE_FILE } from '../datasets/manifest.js';
import { quoteText, withDuckDb } from '../duckdb.js';
import { sealFinished } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';
import { findHold } from './dataset-holds.js';
import { planRetention, type ExpiredItem, type RetentionContext } from './plan-retention.js';
import { forgetReports } from '../validation/report-store.js';
import { bringFolder, dropShared, sendFolder } from '../storage/shared-files.js';

/** Ids that the result of a job names; more are counted. */
const MOST_NAMED = 100;

export interface RetentionResult {
  deleted: Record<ExpiredItem['kind'], number>;
  bytes: number;
  ids: string[];
  held: { id: string; reason: string }[];
}

/**
 * Deletes what the policy lets go. Repeatable, and safe beside anything: a dataset is looked at once more in the transaction that deletes it,
 * and whoever wants to rely on it waits for that.
 */
export async function applyRetention(
  policy: RetentionPolicy,
  context: RetentionContext & { signal: AbortSignal },
  onProgress: (share: number) => void,
): Promise<RetentionResult> {
  const plan = await planRetention(policy, context, Date.now());
  const result: RetentionResult = {
    deleted: { dataset: 0, quarantine: 0, staging: 0, orphan: 0 },
    bytes: 0,
    ids: [],
    held: plan.held.slice(0, MOST_NAMED),
  };
  for (const [at, item] of plan.items.entries()) {
    context.signal.throwIfAborted();
    if (!(await deleteItem(item, context))) continue;
    result.deleted[item.kind] += 1;
    result.bytes += item.bytes;
    if (result.ids.length < MOST_NAMED) result.ids.push(item.id);
    onProgress((at + 1) / plan.items.length);
  }
  return result;
}

async function deleteItem(item: ExpiredItem, context: RetentionContext): Promise<boolean> {
  const { datasets, modelStaging } = context.folders;
  if (item.kind === 'dataset') return deleteDataset(item.id, context);
  if (item.kind === 'quarantine') {
    await bringFolder(join(datasets, item.id));
    await emptyQuarantine(join(datasets, item.id, QUARANTINE_FILE));
    await sendFolder(join(datasets, item.id));
    return true;
  }
  const folders = item.kind === 'orphan' ? [datasets] : [join(datasets, '.staging'), modelStaging];
  for (const folder of folders) await dropShared(join(folder, item.id));
  return true;
}

/** First the row, then the files: what a kill leaves between the two is an orphan, which a later run deletes. @returns whether it went */
export async function deleteDataset(id: string, { database, folders }: RetentionContext): Promise<boolean> {
  const isDeleted = await database.prisma.$transaction(async (transaction) => {
    await transaction.$queryRaw`SELECT id FROM datasets WHERE id = ${id} FOR UPDATE`;
    if ((await findHold(transaction, id)) !== undefined) return false;
    const { count } = await transaction.dataset.deleteMany({ where: { id } });
    return count > 0;
  });
  if (isDeleted) {
    await forgetReports(database, folders.datasets, id);
    await dropShared(join(folders.datasets, id));
  }
  return isDeleted;
}

async function emptyQuarantine(file: string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await withDuckDb(async (connection) => {
      await connection.run(
        `COPY (SELECT * FROM read_parquet(${quoteText(file)}) LIMIT 0) TO ${quoteText(partial)} (FORMAT parquet)`,
      );
    });
    await sealFinished(partial);
    await syncPath(partial);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
