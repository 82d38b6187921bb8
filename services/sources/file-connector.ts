import { realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, sep } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Connector, SourceContext, SourceRequest } from './connector.js';
import { formatOfName } from './format-of-name.js';
import { forbiddenSource } from './seal-source.js';

/** Files below one of the folders of DATA_SOURCE_ROOTS, read where they are. */
export const fileConnector: Connector = {
  title: 'files',
  options: ['format'],

  async check(request, context) {
    const { path, label } = await findFile(request, context);
    formatOfName(path, request.options.format);
    return label;
  },

  async plan(request, context) {
    const { path, label, bytes } = await findFile(request, context);
    return { parts: [{ id: '0000001-file', label, read: { path }, bytes }] };
  },

  async fetch(request, _part, context) {
    const { path, bytes } = await findFile(request, context);
    return { path, bytes, ...formatOfName(path, request.options.format) };
  },
};

/** Only files whose real path, after symbolic links and `..`, lies below one of the roots. */
async function findFile(
  { source: name }: SourceRequest,
  { config }: SourceContext,
): Promise<{ path: string; label: string; bytes: number }> {
  if (name.includes('\0')) throw forbiddenSource('The name of the file has a NUL character.');
  for (const root of config.dataSourceRoots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (realRoot === undefined) continue;
    const path = await realpath(isAbsolute(name) ? name : join(realRoot, name)).catch(() => undefined);
    if (path === undefined || !path.startsWith(realRoot + sep)) continue;
    const found = await stat(path);
    if (found.isFile()) return { path, label: path.slice(realRoot.length + 1), bytes: found.size };
  }
  throw new ServiceError('source_forbidden', `There is no file "${basename(name)}" below the data folders.`, [
    {
      path: 'source',
      message: 'must name a file below one of the folders of DATA_SOURCE_ROOTS, absolute or relative to one',
    },
  ]);
}
