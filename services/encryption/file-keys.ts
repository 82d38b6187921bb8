import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import { KeyRing } from './key-ring.js';
import { openBytes, openStream, sealBytes, SealError, sealStream } from './sealed-file.js';

/** Files are written in many places and by many processes; all of one installation have the same keys. */
let ring: KeyRing | undefined;
let given: FileKeys;

export type FileKeys = readonly { id: string; key: Buffer }[] | undefined;

/** Says with which keys this process writes and reads files, before it does. Without any they are written as they are. */
export function useFileKeys(keys: FileKeys): void {
  given = keys;
  ring = keys && new KeyRing(keys);
}

/** For a thread of this process. */
export const fileKeysNow = (): FileKeys => given;

/** Whether what is written at rest is sealed. */
export const hasFileKeys = (): boolean => ring !== undefined;

/** The id of the key that seals what is written now. */
export const writingKeyId = (): string | undefined => ring?.writeId;

/** As it is to lie on the disk. */
export const atRest = (content: Buffer): Buffer => (ring ? sealBytes(ring, content) : content);

/** As it was before `atRest`. @throws SealError */
export const fromRest = (bytes: Buffer): Buffer => openBytes(ring, bytes);

/** A stream to put before the one that writes a file. */
export const streamsToRest = () => (ring ? [sealStream(ring)] : []);

/** Says which file it was. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SealError)
      throw new ServiceError('artifact_corrupt', `${path} cannot be opened: ${error.message}`);
    throw error;
  }
}

/** The content of a file, sealed or not. @throws ServiceError `artifact_corrupt`; what reading throws */
export const readAtRest = (path: string): Promise<Buffer> => naming(path, async () => fromRest(await readFile(path)));

/** As `readAtRest`, in pieces. */
export function streamFromRest(path: string) {
  const opened = openStream(ring);
  createReadStream(path)
    .on('error', (error) => opened.destroy(error))
    .pipe(opened);
  return opened;
}

/** SHA-256 of the content, in hexadecimal digits, whatever key the file is sealed with. @throws ServiceError `artifact_corrupt` */
export async function sha256AtRest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await naming(path, () => pipeline(createReadStream(path), openStream(ring), hash));
  return hash.digest('hex');
}

/** Writes the content of a file to another one, sealed with the key that writes now; the copy is on the disk when this ends. */
export async function copyToRest(from: string, to: string): Promise<void> {
  await naming(from, () =>
    pipeline([createReadStream(from), openStream(ring), ...streamsToRest(), createWriteStream(to, { flush: true })]),
  );
}

/** Writes the content of a file to another one in the clear. */
export async function copyFromRest(from: string, to: string): Promise<void> {
  await naming(from, () =>
    pipeline(createReadStream(from), openStream(ring), createWriteStream(to, { flush: true, mode: 0o600 })),
  );
}

/** Seals a file that nobody reads yet, where there are keys. */
export async function sealFinished(path: string): Promise<void> {
  if (ring) await sealInPlace(path);
}

/** Seals a file in its place, with the key that writes now: readers see the former or the new one, never a part. */
export async function sealInPlace(path: string): Promise<void> {
  const partial = `${path}.${process.pid}.resealed.partial`;
  try {
    await copyToRest(path, partial);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
