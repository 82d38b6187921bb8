import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, sep } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { canonicalModelName, NAME_PATTERN } from '../../core/names.js';
import { DATA_FORMATS, type DataFormat } from '../../core/schemas/ingestion.js';
import type { Database } from '../database/database.js';

/** Where rows come from, after every check: nothing in it has to be distrusted any more. */
export type Source =
  | { kind: 'postgresql'; url: string; label: string }
  | { kind: 'file'; path: string; format: DataFormat; label: string }
  | { kind: 'predictions'; model: string; label: string };

const forbidden = (message: string) => new ServiceError('source_forbidden', message, [{ path: 'source', message }]);

/** The address without user and password, as it may be logged and shown. */
export function sourceLabel(source: string): string {
  if (schemeOf(source) === undefined) return source;
  try {
    const { protocol, host, pathname } = new URL(source);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return 'a source that is no URL';
  }
}

const schemeOf = (source: string) => /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
const isPostgres = (scheme: string | undefined) => scheme === 'postgresql' || scheme === 'postgres';

/** However it is written (`POSTGRES:`, with a tab, …), so that no spelling gets past the sealing. */
function parsePostgresUrl(source: string): URL {
  try {
    const url = new URL(source);
    for (const part of [url.username, url.password, url.pathname]) decodeURIComponent(part);
    return url;
  } catch {
    throw forbidden('The source is not a valid URL. Write postgresql://user:password@host:port/database.');
  }
}

/**
 * Takes the credentials out of a source, so that none reach Temporal, a log or an answer. The same source gives
 * the same reference again.
 * @returns the source itself when it has none, else `postgresql://host/db?credential=<id>`.
 */
export async function sealSource(database: Database, source: string): Promise<string> {
  if (!isPostgres(schemeOf(source))) return source;
  const url = parsePostgresUrl(source);
  if (!url.password) return source;
  const id = createHash('sha256').update(source).digest('hex').slice(0, 24);
  await database.prisma.sourceCredential.upsert({ where: { id }, create: { id, url: source }, update: {} });
  return `${sourceLabel(source)}?credential=${id}`;
}

/** The request of an ingestion as it may be kept: a source with credentials is sealed, one that cannot be read is left out. */
export async function withoutSecrets(request: Record<string, unknown>, database: Database): Promise<unknown> {
  const { source } = request;
  if (typeof source !== 'string') return request;
  const sealed = await sealSource(database, source).catch((error: unknown) => {
    if (error instanceof ServiceError) return undefined;
    throw error;
  });
  return { ...request, source: sealed };
}

/** Turns the text of a request into a checked source. */
export async function resolveSource(
  source: string,
  options: { format?: DataFormat },
  context: { database: Database; roots: readonly string[] },
): Promise<Source> {
  const scheme = schemeOf(source);
  if (isPostgres(scheme)) return openPostgresSource(context.database, source);
  if (scheme === 'predictions') return openPredictions(source);
  if (scheme !== undefined) {
    throw forbidden(
      `Sources of the kind "${scheme}:" are not supported. Use postgresql://, predictions:{model}, or a file below one of the data folders.`,
    );
  }
  return resolveFile(source, options.format, context.roots);
}

/** The log of the service itself. */
function openPredictions(source: string): Source {
  const model = canonicalModelName(source.slice(source.indexOf(':') + 1));
  if (!NAME_PATTERN.test(model)) throw forbidden('The source must name a model: predictions:user_behavior.');
  return { kind: 'predictions', model, label: `predictions:${model}` };
}

async function openPostgresSource(database: Database, source: string): Promise<Source> {
  const reference = parsePostgresUrl(source);
  const id = reference.searchParams.get('credential');
  const known = id ? await database.prisma.sourceCredential.findUnique({ where: { id } }) : null;
  if (id && !known)
    throw forbidden(`The credential ${id} of the source is not known. Send the full URL to POST /data/ingest once.`);
  const url = parsePostgresUrl(known?.url ?? source);
  for (const name of url.searchParams.keys()) {
    if (name !== 'sslmode')
      throw forbidden(`The source may not set "${name}". Of the connection parameters only sslmode is allowed.`);
  }
  if (!url.hostname || url.pathname.length < 2)
    throw forbidden('The source needs a host and a database: postgresql://user:password@host:port/database.');
  return { kind: 'postgresql', url: url.href, label: sourceLabel(url.href) };
}

async function resolveFile(name: string, format: DataFormat | undefined, roots: readonly string[]): Promise<Source> {
  const { path, label } = await findFileBelow(name, roots);
  return { kind: 'file', path, format: format ?? formatOf(path), label };
}

/**
 * Finds only files whose real path, after symbolic links and `..`, lies below one of the roots.
 * @throws ServiceError `source_forbidden`
 */
export async function findFileBelow(name: string, roots: readonly string[]): Promise<{ path: string; label: string }> {
  if (name.includes('\0')) throw forbidden('The name of the file has a NUL character.');
  for (const root of roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (realRoot === undefined) continue;
    const path = await realpath(isAbsolute(name) ? name : join(realRoot, name)).catch(() => undefined);
    if (path === undefined || !path.startsWith(realRoot + sep) || !(await stat(path)).isFile()) continue;
    return { path, label: path.slice(realRoot.length + 1) };
  }
  throw new ServiceError('source_forbidden', `There is no file "${basename(name)}" below the data folders.`, [
    {
      path: 'source',
      message: 'must name a file below one of the folders of DATA_SOURCE_ROOTS, absolute or relative to one',
    },
  ]);
}

function formatOf(path: string): DataFormat {
  const ending = /\.(\w+)(\.(gz|zst))?$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const format = ending === 'jsonl' ? 'ndjson' : ending;
  if ((DATA_FORMATS as readonly string[]).includes(format)) return format as DataFormat;
  throw new ServiceError('source_unreadable', `The ending of ${basename(path)} does not tell its format.`, [
    { path: 'options.format', message: `must be given: one of ${DATA_FORMATS.join(', ')}` },
  ]);
}
