import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { filesBelow } from '../backup/copy-files.js';
import type { Config } from '../config.js';
import type { Container } from '../container.js';
import { withFilesLock } from '../erasure/files-lock.js';
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

/** Each file with the key that it is under. */
async function examineFiles(config: Config) {
  const found: { path: string; size: number; keyId: string | undefined }[] = [];
  for (const path of await restingFiles(config)) {
    const one = await unlessGone(async () => ({
      path,
      size: (await stat(path)).size,
      keyId: await keyIdOfFile(path),
    }));
    if (one) found.push(one);
  }
  return found;
}

/** Which keys the files need: one that is not in the report may be taken out of ENCRYPTION_KEYS. */
export async function reportKeys(config: Config): Promise<ReencryptionReport> {
  const uses = new Map<string | null, KeyUse>();
  for (const { keyId: found, size } of await examineFiles(config)) {
    const keyId = found ?? null;
    const use = uses.get(keyId) ?? { key_id: keyId, files: 0, bytes: 0 };
    uses.set(keyId, { key_id: keyId, files: use.files + 1, bytes: use.bytes + size });
  }
  const keys = [...uses.values()].sort((a, b) => String(a.key_id).localeCompare(String(b.key_id)));
  return { writing_key_id: writingKeyId() ?? null, keys };
}

/** Another process, which was restarted with the new keys, may do what this one cannot. */
function refuseOtherKey(keyId: string): void {
  const writes = writingKeyId();
  if (writes === keyId) return;
  const has = writes === undefined ? 'has no ENCRYPTION_KEYS' : `writes with the key "${writes}"`;
  throw new ServiceError(
    'dependency_unavailable',
    `The files are to be encrypted with the key "${keyId}", and the worker ${has}. Put "${keyId}" first in the ENCRYPTION_KEYS of all processes and restart them.`,
  );
}

/** The key that files come under now. @throws ServiceError `encryption_conflict` where there is none */
export function requireWritingKey(): string {
  const keyId = writingKeyId();
  if (keyId !== undefined) return keyId;
  throw new ServiceError(
    'encryption_conflict',
    'ENCRYPTION_KEYS is not set: there is no key to encrypt with. docs/guide/encryption.md says how to make one.',
  );
}

/**
 * Seals every file anew that is not under a key, which must be the one that writes now. Each is replaced whole or not at all, and what is done is passed
 * over, so that this can be killed and called again at any time, while the service goes on. It waits until no erasure writes the same files.
 * @param mostMs after which it begins no more files, once it has sealed one; the next call goes on there
 * @param onProgress is told the share of the bytes that are under the key
 * @returns how many files were sealed by this call, and whether none is left
 * @throws ServiceError `dependency_unavailable` where the process writes with another key, `artifact_corrupt` that names files which do not open: all
 * others are done by then
 */
export async function reencryptFiles(
  keyId: string,
  {
    config,
    database,
    failPoint,
    signal,
    mostMs = Infinity,
  }: Pick<Container, 'config' | 'database' | 'failPoint'> & { signal: AbortSignal; mostMs?: number },
  onProgress: (share: number) => void = () => undefined,
): Promise<{ sealed: number; isDone: boolean }> {
  refuseOtherKey(keyId);
  return withFilesLock(database, signal, async (held) => {
    const { waiting, doneBytes } = await sortFiles(config, keyId);
    const allBytes = waiting.reduce((sum, { size }) => sum + size, doneBytes);
    const damaged: string[] = [];
    let sealed = 0;
    let bytes = doneBytes;
    let isDone = true;
    const endMs = performance.now() + mostMs;
    for (const { path, size } of waiting) {
      held.throwIfAborted();
      isDone = sealed === 0 || performance.now() < endMs;
      if (!isDone) break;
      try {
        if (await unlessGone(() => sealInPlace(path).then(() => true))) sealed++;
      } catch (error) {
        if (!(error instanceof ServiceError && error.code === 'artifact_corrupt')) throw error;
        damaged.push(error.message);
      }
      failPoint('reencrypt:after-file');
      onProgress((bytes += size) / allBytes);
    }
    await Promise.all([sendAll(config.modelStoragePath), sendAll(config.dataStoragePath)]);
    if (isDone && damaged.length > 0) throw cannotOpen(damaged, waiting.length);
    return { sealed, isDone };
  });
}

const MOST_NAMED = 20;

function cannotOpen(messages: readonly string[], tried: number): ServiceError {
  const named = messages.slice(0, MOST_NAMED).join(' ');
  return new ServiceError(
    'artifact_corrupt',
    `${messages.length} of ${tried} files were left as they are, all others are done. ${named}${messages.length > MOST_NAMED ? ' …' : ''}`,
  );
}

/** What is still to be sealed with a key, and how many bytes are already. */
async function sortFiles(config: Config, keyId: string) {
  const waiting: { path: string; size: number }[] = [];
  let doneBytes = 0;
  for (const { path, size, keyId: found } of await examineFiles(config))
    if (found === keyId) doneBytes += size;
    else waiting.push({ path, size });
  return { waiting, doneBytes };
}
