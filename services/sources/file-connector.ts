import { constants } from 'node:fs';
import { link, lstat, mkdir, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, isAbsolute, join, sep } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Connector, FetchContext, FetchedPart, SourceContext, SourceRequest } from './connector.js';
import { convertArrow } from './convert-arrow.js';
import { findFiles, isPattern } from './find-files.js';
import { formatOfName, oneFormat } from './format-of-name.js';
import { partId } from './part-id.js';
import { forbiddenSource } from './seal-source.js';

interface FoundFile {
  path: string;
  root: string;
  label: string;
  bytes: number;
}

/** Files below one of the folders of DATA_SOURCE_ROOTS. A pattern such as `events/*.csv.gz` names several, in the order of their names. */
export const fileConnector: Connector = {
  title: 'files',
  options: ['format'],

  async check(request, context) {
    const found = await findAll(request, context);
    oneFormat(
      found.map(({ path }) => path),
      request.options.format,
    );
    return found.length === 1 ? found[0]!.label : `${request.source} (${found.length} files)`;
  },

  async plan(request, context) {
    const found = await findAll(request, context);
    return {
      parts: found.map(({ path, label, bytes }, at) => ({ id: partId(at, label), label, read: { path }, bytes })),
    };
  },

  async fetch(request, part, context) {
    const { path, root } = await findFile(String(part.read['path']), context);
    const { format, compression } = formatOfName(path, request.options.format);
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      await checkOpened(handle, path, root);
      if (format === 'arrow') return await convertArrow(handle, compression, context);
      return { ...(await takeFile(handle, path, context)), format, compression };
    } finally {
      await handle.close();
    }
  },
};

/**
 * What was opened is what was checked: between the two a folder on the way could have become a link to somewhere else.
 * @throws ServiceError `source_forbidden`
 */
async function checkOpened(handle: FileHandle, path: string, root: string): Promise<void> {
  const [opened, real] = await Promise.all([handle.stat(), realpath(path)]);
  const named = await stat(real);
  if (!opened.isFile() || !real.startsWith(root + sep) || named.ino !== opened.ino || named.dev !== opened.dev)
    throw forbiddenSource(`The file ${basename(path)} changed while it was opened.`);
}

/** A second name in our folder, where nobody can put another file in its place; across file systems the file is read where it is. */
async function takeFile(
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

async function findAll(request: SourceRequest, context: SourceContext): Promise<FoundFile[]> {
  const { source } = request;
  if (source.includes('\0')) throw forbiddenSource('The name of the file has a NUL character.');
  if (!isPattern(source)) return [await findFile(source, context)];
  // A file may have a star in its name.
  const literal = await findFile(source, context).catch(() => undefined);
  if (literal) return [literal];
  const found: FoundFile[] = [];
  for (const root of context.config.dataSourceRoots) {
    for (const path of await findFiles(root, source)) found.push(await findFile(path, context));
    if (found.length > 0) return found;
  }
  throw notBelowRoots(`No file fits "${source.slice(0, 200)}" below the data folders.`);
}

/** Only files whose real path, after symbolic links and `..`, lies below one of the roots. */
async function findFile(name: string, { config }: SourceContext): Promise<FoundFile> {
  for (const given of config.dataSourceRoots) {
    const root = await realpath(given).catch(() => undefined);
    if (root === undefined) continue;
    const path = await realpath(isAbsolute(name) ? name : join(root, name)).catch(() => undefined);
    if (path === undefined || !path.startsWith(root + sep)) continue;
    const found = await stat(path);
    if (found.isFile()) return { path, root, label: path.slice(root.length + 1), bytes: found.size };
  }
  throw notBelowRoots(`There is no file "${basename(name).slice(0, 200)}" below the data folders.`);
}

const notBelowRoots = (message: string) =>
  new ServiceError('source_forbidden', message, [
    {
      path: 'source',
      message: 'must name a file below one of the folders of DATA_SOURCE_ROOTS, absolute or relative to one',
    },
  ]);
