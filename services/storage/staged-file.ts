import { open, readFile, rename } from 'node:fs/promises';
import { readAtRest } from '../encryption/file-keys.js';

/** Writes a file whole or not at all: a partial one, then fsync, then its name. A dead attempt leaves no torn file. */
export async function writeStaged(path: string, content: Uint8Array | string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  const handle = await open(partial, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, path);
}

/** The content, or undefined where an earlier attempt did not get that far. */
export async function readStaged(path: string): Promise<Buffer | undefined> {
  try {
    return await readAtRest(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function readStagedJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}
