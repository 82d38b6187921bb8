import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeStaged } from './staged-file.js';

/** The state of a file on this machine. */
interface FileState {
  bytes: number;
  mtimeMs: number;
}

/** A file that is the same here and in the store, and how it was then. */
export interface KnownFile extends FileState {
  etag: string;
}

/** By path below the folder. */
export type SharedRecord = Record<string, KnownFile>;

/** The state of a file, or undefined where there is none. */
export async function stateOf(path: string): Promise<FileState | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found && { bytes: found.size, mtimeMs: found.mtimeMs };
}

/** Nobody has written a file since. */
export const isSame = (one: FileState, other: FileState) =>
  one.bytes === other.bytes && Math.abs(one.mtimeMs - other.mtimeMs) < 1;

const fileOf = (records: string, folder: string) =>
  join(records, `${createHash('sha256').update(folder).digest('hex').slice(0, 32)}.json`);

/** What of a folder this machine and the store had in common; nothing where that was lost, which costs a comparison and no more. */
export async function readRecord(records: string, folder: string): Promise<SharedRecord> {
  try {
    return (JSON.parse(await readFile(fileOf(records, folder), 'utf8')) as { files: SharedRecord }).files;
  } catch {
    return {};
  }
}

/** An empty record is none. */
export async function writeRecord(records: string, folder: string, files: SharedRecord): Promise<void> {
  if (Object.keys(files).length === 0) return rm(fileOf(records, folder), { force: true });
  await mkdir(records, { recursive: true });
  await writeStaged(fileOf(records, folder), JSON.stringify({ folder, files }));
}

/** The folders of which this machine has anything in common with the store. */
export async function recordedFolders(records: string): Promise<string[]> {
  const names = await readdir(records).catch(() => []);
  const folders = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const text = await readFile(join(records, name), 'utf8').catch(() => '{}');
        return (JSON.parse(text) as { folder?: string }).folder;
      }),
  );
  return folders.filter((folder) => folder !== undefined);
}
