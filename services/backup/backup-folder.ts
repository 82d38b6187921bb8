import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { StoredSchedule } from '../pipelines/job-schedule.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { writeStaged } from '../storage/staged-file.js';
import { syncPath } from '../storage/sync-path.js';

/** What a backup says of itself. */
export const BACKUP_MANIFEST = 'backup.json';
/** The digest of every other file, as `sha256sum -c` reads it. Written last: a folder without it is no backup. */
export const SUMS_FILE = 'SHA256SUMS';

/** A table as it was copied: the text form of COPY, compressed. */
export interface BackupTable {
  name: string;
  columns: string[];
  rows: number;
  file: string;
}

/** `backup.json`. */
export interface BackupManifest {
  format_version: 1;
  created_at: string;
  /** Of the service that made it. */
  release: string;
  /** The schema that the rows fit. */
  migrations: { name: string; checksum: string }[];
  tables: BackupTable[];
  partitions: { table: string; name: string; bound: string }[];
  sequences: { name: string; last_value: string }[];
  /** Paths of datasets and models below the folder, with `/`. */
  files: { path: string; bytes: number }[];
  /** Null where Temporal could not be asked. */
  schedules: StoredSchedule[] | null;
  /** What was wrong in the service itself when it was copied. */
  problems: string[];
}

/** Path and SHA-256 of each file of a backup. */
export type Digests = Map<string, string>;

/**
 * Writes a file and tells its digest, read back from the disk. @param transform on the way, compression for instance
 * @throws Error where what was read back is not what was written
 */
export async function writeChecked(
  source: Readable | string,
  to: string,
  transform: Transform[] = [],
): Promise<{ sha256: string; bytes: number }> {
  await mkdir(dirname(to), { recursive: true });
  const hash = createHash('sha256');
  let bytes = 0;
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      done(null, chunk);
    },
  });
  const from = typeof source === 'string' ? createReadStream(source) : source;
  await pipeline([from, ...transform, tap, createWriteStream(to)]);
  await syncPath(to);
  const sha256 = hash.digest('hex');
  if ((await sha256OfFile(to)) !== sha256)
    throw new Error(`${to} does not read back as it was written. Is its disk in order?`);
  return { sha256, bytes };
}

/** Ends a backup: its manifest, and then the digests of everything. */
export async function sealBackup(folder: string, manifest: BackupManifest, digests: Digests): Promise<void> {
  const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
  await writeStaged(join(folder, BACKUP_MANIFEST), text);
  const lines = [...digests, [BACKUP_MANIFEST, createHash('sha256').update(text).digest('hex')]];
  await writeStaged(join(folder, SUMS_FILE), lines.map(([path, sha256]) => `${sha256}  ${path}\n`).join(''));
  await syncPath(folder);
}

/**
 * Reads a backup and holds every file of it to its digest.
 * @throws Error that names what is missing or changed, before anything was restored
 */
export async function readBackup(folder: string): Promise<{ manifest: BackupManifest; digests: Digests }> {
  const sums = await readFile(join(folder, SUMS_FILE), 'utf8').catch(() => {
    throw new Error(
      `${folder} holds no complete backup: it has no ${SUMS_FILE}, which is written last. Name the folder that \`npm run backup -- --to\` was given.`,
    );
  });
  const digests: Digests = new Map();
  for (const line of sums.split('\n').filter(Boolean)) {
    const [, sha256, path] = /^([0-9a-f]{64}) {2}(\S.*)$/.exec(line) ?? [];
    if (!sha256 || !path || path.startsWith('/') || path.split('/').includes('..'))
      throw new Error(`${join(folder, SUMS_FILE)} has a line that is none: "${line.slice(0, 100)}".`);
    digests.set(path, sha256);
  }
  for (const [path, expected] of digests) {
    const actual = await sha256OfFile(join(folder, path)).catch((error: NodeJS.ErrnoException) => error.code);
    if (actual !== expected)
      throw new Error(
        `${join(folder, path)} ${actual?.length === 64 ? 'was changed or cut off since' : `cannot be read (${actual})`}. Nothing was restored; use another copy of this backup.`,
      );
  }
  const manifest = JSON.parse(await readFile(join(folder, BACKUP_MANIFEST), 'utf8')) as BackupManifest;
  if (manifest.format_version !== 1)
    throw new Error(
      `${folder} has the format ${String(manifest.format_version)}; this release reads 1. Restore with the release that made it (${manifest.release}) or a newer one.`,
    );
  for (const path of [...manifest.tables.map(({ file }) => file), ...manifest.files.map((file) => file.path)])
    if (!digests.has(path))
      throw new Error(`${join(folder, SUMS_FILE)} lacks ${path}, which ${BACKUP_MANIFEST} names.`);
  return { manifest, digests };
}

/** @throws Error unless the folder is absent or empty */
export async function refuseFilled(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return;
  const what = names.includes(SUMS_FILE) ? 'a backup already' : 'files already, perhaps of a backup that was cut off';
  throw new Error(`${folder} holds ${what}. Name an empty or a new folder, or delete what is in it.`);
}
