import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { fromRest, streamFromRest } from '../encryption/file-keys.js';
import { readFrames } from '../spool/frame.js';
import { SPOOL_ENDING } from '../spool/spool.js';
import { countInParquet, type EntityColumns } from './subject-in-parquet.js';

/** All files below a folder; one that is not there has none. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const WORD = /[\p{L}\p{N}_-]/u;

/** Whether a file has a text as a word of its own, so that `user_1` is not found in `user_12`. Gzip and spools are looked into. */
export async function fileHasText(file: string, text: string): Promise<boolean> {
  if (file.endsWith(SPOOL_ENDING)) return spoolHasText(file, Buffer.from(text, 'utf8').toString('latin1'));
  const stream = streamFromRest(file);
  const bytes = file.endsWith('.gz') ? stream.pipe(createGunzip()) : stream;
  const sought = Buffer.from(text, 'utf8').toString('latin1');
  let rest = '';
  for await (const chunk of bytes) {
    const read = rest + (chunk as Buffer).toString('latin1');
    if (hasWord(read, sought, false)) return true;
    // With the character before, and what may go on in the next chunk.
    rest = read.slice(-(sought.length + 1));
  }
  return hasWord(rest, sought, true);
}

/** Each write to a spool is sealed by itself. @throws SealError for one that does not open */
async function spoolHasText(file: string, sought: string): Promise<boolean> {
  const { frames } = readFrames(await readFile(file), true);
  return frames.some(({ payload }) => hasWord(fromRest(payload).toString('latin1'), sought, true));
}

/** @param isEnd nothing comes after; otherwise what stands at the very end is not judged yet */
function hasWord(read: string, sought: string, isEnd: boolean): boolean {
  for (let at = read.indexOf(sought); at >= 0; at = read.indexOf(sought, at + 1)) {
    const before = read[at - 1];
    const after = read[at + sought.length];
    if (after === undefined && !isEnd) return false;
    if (!(before !== undefined && WORD.test(before)) && !(after !== undefined && WORD.test(after))) return true;
  }
  return false;
}

/** Files that still have a person: Parquet by its rows, everything else by its bytes. */
export async function searchFiles(
  folder: string,
  subject: string,
  entityColumns: EntityColumns,
): Promise<{ files: number; found: string[] }> {
  const files = await filesBelow(folder);
  const found: string[] = [];
  for (const file of files) {
    try {
      const isFound = basename(file).endsWith('.parquet')
        ? (await countInParquet(file, subject, entityColumns)) > 0
        : await fileHasText(file, subject);
      if (isFound) found.push(file.slice(folder.length + 1));
    } catch (error) {
      // A file of a job under way may go at any time; one that cannot be read is told of.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        found.push(`${file.slice(folder.length + 1)} (cannot be read)`);
    }
  }
  return { files: files.length, found };
}
