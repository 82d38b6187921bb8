import { createHash } from 'node:crypto';
import { link, copyFile, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { copyFromRest } from './file-keys.js';
import { keyIdOfFile } from './sealed-file.js';

/** A path of Parquet files as it stands in SQL, but for those that are written to. */
const PARQUET = /(?<!\bTO )'((?:[^']|'')*\.parquet)'/g;

/**
 * DuckDB reads Parquet by itself, and cannot look into what is sealed. Sealed files that a statement names are opened into a private folder, once, and
 * the statement gets their names there. The folder goes with the database that has read them.
 */
export class OpenedInputs {
  readonly #opened = new Map<string, Promise<string>>();

  constructor(private readonly folder: string) {}

  /** @returns the statement with names that DuckDB can read @throws ServiceError `artifact_corrupt` */
  async open(sql: string): Promise<string> {
    const named = new Set([...sql.matchAll(PARQUET)].map(([, path]) => path!));
    if (named.size === 0) return sql;
    const names = new Map<string, string>();
    for (const quoted of named)
      names.set(quoted, (await this.openPath(quoted.replaceAll("''", "'"))).replaceAll("'", "''"));
    return sql.replaceAll(PARQUET, (_, quoted: string) => `'${names.get(quoted)!}'`);
  }

  /** @param path may have a `*` in its last part @returns where DuckDB finds the content */
  openPath(path: string): Promise<string> {
    let opened = this.#opened.get(path);
    if (!opened) this.#opened.set(path, (opened = this.#open(path)));
    return opened;
  }

  async #open(path: string): Promise<string> {
    const files = path.includes('*') ? await matching(path) : [path];
    const areSealed = await Promise.all(files.map(isFileSealed));
    if (!areSealed.includes(true)) {
      // It may be made, or sealed, before the next statement.
      this.#opened.delete(path);
      return path;
    }
    const own = join(this.folder, createHash('sha256').update(path).digest('hex').slice(0, 20));
    await mkdir(own, { recursive: true, mode: 0o700 });
    for (const [at, file] of files.entries()) {
      const to = join(own, basename(file));
      if (areSealed[at]) await copyFromRest(file, to);
      else await link(file, to).catch(() => copyFile(file, to));
    }
    return join(own, basename(path));
  }
}

async function matching(pattern: string): Promise<string[]> {
  const [before, after] = basename(pattern).split('*', 2) as [string, string];
  const names = await readdir(dirname(pattern)).catch(() => [] as string[]);
  return names
    .filter((name) => name.startsWith(before) && name.endsWith(after) && name.length >= before.length + after.length)
    .map((name) => join(dirname(pattern), name));
}

/** What cannot be opened is told of by DuckDB. */
const isFileSealed = async (path: string) => (await keyIdOfFile(path).catch(() => undefined)) !== undefined;
