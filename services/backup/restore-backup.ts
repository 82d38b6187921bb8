import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { syncPath } from '../storage/sync-path.js';
import { readBackup, writeChecked, type BackupManifest, type Digests } from './backup-folder.js';
import { filesBelow } from './copy-files.js';
import { loadDatabase, refuseFilledDatabase, refuseNewerBackup } from './load-database.js';
import { listStored, sendAll } from '../storage/shared-files.js';

/**
 * Brings a backup back into an empty installation: every file of it is held to its digest first, then files, then the database, so that
 * no row ever refers to a file that is not there. After a kill it can be repeated.
 * @throws Error, before anything was changed, where the backup is damaged or of a newer release, or where the target holds anything else
 */
export async function restoreBackup(
  folder: string,
  { config, say }: { config: Config; say: (line: string) => void },
): Promise<BackupManifest> {
  const { manifest, digests } = await readBackup(folder);
  say(`The backup of ${manifest.created_at} is whole.`);
  await refuseNewerBackup(manifest);
  await refuseFilledDatabase(config.databaseUrl, manifest);
  await refuseOtherFiles(config, manifest);
  for (const { path } of manifest.files) await restoreFile(join(folder, path), targetOf(config, path), path, digests);
  await Promise.all([sendAll(config.modelStoragePath), sendAll(config.dataStoragePath)]);
  say(`${manifest.files.length} files are back.`);
  await loadDatabase(config.databaseUrl, folder, manifest);
  say(`${manifest.tables.reduce((sum, { rows }) => sum + rows, 0)} rows are back.`);
  return manifest;
}

/** `models/…` and `data/…` of a backup are the two folders of the service, wherever these are. */
function targetOf({ modelStoragePath, dataStoragePath }: Config, path: string): string {
  const [top = '', ...rest] = path.split('/');
  const roots: Record<string, string> = { models: modelStoragePath, data: dataStoragePath };
  const root = roots[top];
  if (!root) throw new Error(`The backup has a file in a place of its own, ${path}; expected models/ or data/.`);
  return join(root, ...rest);
}

async function refuseOtherFiles(config: Config, { files }: BackupManifest): Promise<void> {
  const known = new Set(files.map(({ path }) => targetOf(config, path)));
  for (const root of [config.modelStoragePath, config.dataStoragePath]) {
    const stored = (await listStored(root)).map(({ name }) => name);
    for (const name of [...stored, ...(await filesBelow(root))])
      if (!known.has(join(root, name)))
        throw new Error(
          `${root}${stored.includes(name) ? ', as the S3 store has it,' : ''} is not empty: it has ${name}, which is not of this backup. Restore into an empty folder, or below an empty prefix of a bucket.`,
        );
  }
}

async function restoreFile(from: string, to: string, path: string, digests: Digests): Promise<void> {
  const expected = digests.get(path);
  const present = await sha256OfFile(to).catch(() => undefined);
  if (present === expected) return;
  const partial = `${to}.partial`;
  await mkdir(dirname(to), { recursive: true });
  const { sha256 } = await writeChecked(from, partial);
  if (sha256 !== expected) throw new Error(`${from} changed while it was read. Run the restore again.`);
  await rename(partial, to);
  await syncPath(dirname(to));
}
