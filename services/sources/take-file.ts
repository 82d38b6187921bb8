import { link, lstat, mkdir, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FetchContext, FetchedPart } from './connector.js';

/** A second name in our folder, where nobody can put another file in its place; across file systems the file is read where it is. */
export async function takeFile(
  handle: FileHandle,
  path: string,
  { folder, attempt }: FetchContext,
): Promise<Pick<FetchedPart, 'path' | 'bytes'>> {
  const { size, ino, dev } = await handle.stat();
  const own = join(folder, attempt, basename(path));
  await mkdir(join(folder, attempt), { recursive: true });
  const taken = await link(path, own)
    .then(() => lstat(own))
    .catch(() => undefined);
  return { path: taken?.ino === ino && taken.dev === dev ? own : path, bytes: size };
}
