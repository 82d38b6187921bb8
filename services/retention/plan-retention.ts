import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetentionPolicy } from '../../core/schemas/retention.js';
import type { Database } from '../database/database.js';
import { QUARANTINE_FILE, type DatasetManifest } from '../datasets/manifest.js';
import { bringFolder, listEntries } from '../storage/shared-files.js';
import { countExpiredRows, type ExpiredRows } from './expired-rows.js';
import { findHold } from './dataset-holds.js';

const DAY_MS = 86_400_000;

/** One thing that the policy lets go, and why. */
export interface ExpiredItem {
  kind: 'dataset' | 'quarantine' | 'staging' | 'orphan';
  /** Of a dataset its id, else the name of the folder. */
  id: string;
  bytes: number;
  reason: string;
}
export interface RetentionPlan {
  items: ExpiredItem[];
  /** What the policy would let go, and something relies on. */
  held: { id: string; reason: string }[];
  /** Rows of the database that go within the hour, whoever asks for it. */
  records: ExpiredRows[];
}

export interface RetentionContext {
  database: Database;
  folders: { datasets: string; modelStaging: string };
}

const DEFAULT_RULE = 'default';

/** What the policy lets go at a time. Changes nothing. */
export async function planRetention(
  policy: RetentionPolicy,
  context: RetentionContext,
  nowMs: number,
): Promise<RetentionPlan> {
  const { prisma } = context.database;
  const records = await countExpiredRows(context.database, policy.records, new Date(nowMs));
  const plan: RetentionPlan = { items: [], held: [], records };
  const rows = await prisma.dataset.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
  const seen = new Map<string, number>();
  for (const row of rows) {
    const newer = seen.get(row.dataType) ?? 0;
    seen.set(row.dataType, newer + 1);
    const ageDays = (nowMs - row.createdAt.getTime()) / DAY_MS;
    const rule = policy.datasets[row.dataType] ?? policy.datasets[DEFAULT_RULE];
    const { bytes } = row.manifest as unknown as DatasetManifest;
    if (rule && newer >= rule.keep_newest && ageDays > rule.days) {
      const hold = await findHold(prisma, row.id);
      if (hold) plan.held.push({ id: row.id, reason: hold });
      else
        plan.items.push({
          kind: 'dataset',
          id: row.id,
          bytes,
          reason: `${row.dataType}: older than ${rule.days} days, and ${newer} are newer`,
        });
      if (!hold) continue;
    }
    const quarantine = await quarantineOf(row, policy, ageDays, context);
    if (quarantine) plan.items.push(quarantine);
  }
  const known = new Set(rows.map(({ id }) => id));
  plan.items.push(...(await expiredFolders(policy, known, context, nowMs)));
  return plan;
}

async function quarantineOf(
  row: { id: string; quarantinedRows: number },
  { quarantine_days: days }: RetentionPolicy,
  ageDays: number,
  { folders }: RetentionContext,
): Promise<ExpiredItem | undefined> {
  if (days === undefined || row.quarantinedRows === 0 || ageDays <= days) return undefined;
  const folder = join(folders.datasets, row.id);
  await bringFolder(folder, { only: (name) => name === QUARANTINE_FILE });
  const found = await stat(join(folder, QUARANTINE_FILE)).catch(() => undefined);
  // One that has gone already is an empty file.
  if (!found || found.size <= EMPTY_QUARANTINE_BYTES) return undefined;
  return { kind: 'quarantine', id: row.id, bytes: found.size, reason: `older than ${days} days` };
}

/** A Parquet file of the three columns without rows is smaller, also sealed; one with a row is larger, also plain. */
export const EMPTY_QUARANTINE_BYTES = 350;

/** Folders that nobody has written to for long: half-done work of jobs, and datasets that were never registered or are deleted. */
async function expiredFolders(
  { staging_days: days }: RetentionPolicy,
  known: ReadonlySet<string>,
  { database, folders }: RetentionContext,
  nowMs: number,
): Promise<ExpiredItem[]> {
  const items: ExpiredItem[] = [];
  const running = await database.prisma.job.findMany({
    where: { status: { in: ['queued', 'running'] } },
    select: { id: true },
  });
  const look = async (kind: 'staging' | 'orphan', folder: string, isWanted: (name: string) => boolean) => {
    for (const { name, bytes, modifiedMs } of await listEntries(folder)) {
      if (!isWanted(name) || running.some(({ id }) => name.includes(id))) continue;
      if ((nowMs - modifiedMs) / DAY_MS <= days) continue;
      const reason =
        kind === 'staging' ? `half-done and untouched for ${days} days` : 'no dataset of this id is registered';
      items.push({ kind, id: name, bytes, reason });
    }
  };
  await look('staging', join(folders.datasets, '.staging'), () => true);
  await look('staging', folders.modelStaging, () => true);
  await look('orphan', folders.datasets, (name) => name.startsWith('ds_') && !known.has(name));
  return items;
}
