import { opendir, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import picomatch from 'picomatch';
import { ServiceError } from '../../core/errors.js';
import { forbiddenSource } from './seal-source.js';

/** More files or objects than this are no source but a mistake. */
export const MOST_PARTS = 10_000;
const MOST_ENTRIES = 1_000_000;

export const isPattern = (source: string) => /[*?[\]{}]/.test(source);

/** A pattern of names: `*` within a folder, `**` through folders, `?`, `[a-z]`, `{a,b}`. Names with a leading dot fit only where it is written. */
export function patternTest(pattern: string): (name: string) => boolean {
  return picomatch(pattern, { nonegate: true, noextglob: true, maxLength: 4096 });
}

/** @throws ServiceError `request_invalid` beyond MOST_PARTS */
export function refuseTooMany(count: number): void {
  if (count <= MOST_PARTS) return;
  const message = `names more than ${MOST_PARTS} files: ingest it in pieces, or put them together`;
  throw new ServiceError('request_invalid', `The source ${message}.`, [{ path: 'source', message }]);
}

/**
 * The files below a root that fit a pattern, by their names. Folders that are symbolic links are not entered.
 * @returns absolute paths; whether a file that is a link leads out of the root is the caller's to check
 * @throws ServiceError `source_forbidden` for a pattern with `..`, `request_invalid` for too many files
 */
export async function findFiles(root: string, pattern: string): Promise<string[]> {
  if (pattern.split(/[\\/]/).includes('..')) throw forbiddenSource('A pattern of files must not have ".." in it.');
  const top = await realpath(root).catch(() => undefined);
  if (top === undefined) return [];
  const inside = isAbsolute(pattern) ? relative(top, pattern) : pattern.replace(/^(\.\/)+/, '');
  if (inside.startsWith('..')) return [];
  const { base } = picomatch.scan(inside);
  const start = await realpath(join(top, base)).catch(() => undefined);
  if (start === undefined || (start !== top && !start.startsWith(top + sep))) return [];
  const fits = patternTest(inside);
  const found: string[] = [];
  let entries = 0;
  const folders = [join(top, base)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of await opendir(folder)) {
      if (++entries > MOST_ENTRIES) refuseTooMany(Infinity);
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (fits(relative(top, path).split(sep).join('/'))) found.push(path);
    }
    refuseTooMany(found.length);
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}
