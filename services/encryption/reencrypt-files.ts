import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { filesBelow } from '../backup/copy-files.js';
import type { Config } from '../config.js';
import { sealInPlace, writingKeyId } from './file-keys.js';
import { keyIdOfFile } from './sealed-file.js';
import { bringAll, sendAll } from '../storage/shared-files.js';

/** What is under one key. */
export interface KeyUse {
  /** `null` = not encrypted. */
  key_id: string | null;
  files: number;
  bytes: number;
}

export interface ReencryptionReport {
  /** The first of ENCRYPTION_KEYS; `null` where there are none. */
  writing_key_id: string | null;
  keys: KeyUse[];
}

/** Files of finished models, datasets and uploads; half-done work goes by itself. */
async function restingFiles({ modelStoragePath, dataStoragePath }: Config): Promise<string[]> {
  await Promise.all([bringAll(modelStoragePath), bringAll(dataStoragePath)]);
  const found = await Promise.all(
    [modelStoragePath, join(dataStoragePath, 'datasets'), join(dataStoragePath, 'uploads')].map(async (folder) =>
      (await filesBelow(folder)).filter((path) => !path.startsWith('.staging')).map((path) => join(folder, path)),
    ),
  );
  return found.flat();
}

/** A file may be deleted at any time. */
async function unlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Which keys the files need: one that is not in the report may be taken out of ENCRYPTION_KEYS. */
export async function reportKeys(config: Config): Promise<ReencryptionReport> {
  const uses = new Map<string | null, KeyUse>();
  for (const path of await restingFiles(config)) {
    const found = await unlessGone(async () => ({ keyId: await keyIdOfFile(path), size: (await stat(path)).size }));
    if (!found) continue;
    const keyId = found.keyId ?? null;
    const use = uses.get(keyId) ?? { key_id: keyId, files: 0, bytes: 0 };
    uses.set(keyId, { key_id: keyId, files: use.files + 1, bytes: use.bytes + found.size });
  }
  const keys = [...uses.values()].sort((a, b) => String(a.key_id).localeCompare(String(b.key_id)));
  return { writing_key_id: writingKeyId() ?? null, keys };
}

/**
 * Seals every file anew that is not under the key that writes now. Each is replaced whole or not at all, and what is done is passed over, so that this
 * can be killed and called again at any time, while the service goes on.
 * @param onFile is told of each file that was sealed
 * @returns how many were
 * @throws ServiceError `artifact_corrupt` for a file that does not open; those before it are done
 */
export async function reencryptFiles(
  config: Config,
  onFile: (path: string) => void = () => undefined,
): Promise<number> {
  let sealed = 0;
  for (const path of await restingFiles(config)) {
    const isDone = await unlessGone(async () => {
      if ((await keyIdOfFile(path)) === writingKeyId()) return false;
      await sealInPlace(path);
      return true;
    });
    if (!isDone) continue;
    sealed++;
    onFile(path);
  }
  await Promise.all([sendAll(config.modelStoragePath), sendAll(config.dataStoragePath)]);
  return sealed;
}
