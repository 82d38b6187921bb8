import { createHash } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';

export const forbiddenSource = (message: string) =>
  new ServiceError('source_forbidden', message, [{ path: 'source', message }]);

/** Lower case, without the colon. @returns undefined for a file */
export const schemeOf = (source: string) => /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
const isPostgres = (scheme: string | undefined) => scheme === 'postgresql' || scheme === 'postgres';

/** The address without user, password and query, as it may be logged and shown. */
export function sourceLabel(source: string): string {
  if (schemeOf(source) === undefined) return source;
  try {
    const { protocol, host, pathname } = new URL(source);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return 'a source that is no URL';
  }
}

/** However it is written (`POSTGRES:`, with a tab, …), so that no spelling gets past the sealing. */
export function parseSourceUrl(source: string): URL {
  try {
    const url = new URL(source);
    for (const part of [url.username, url.password, url.pathname]) decodeURIComponent(part);
    return url;
  } catch {
    throw forbiddenSource(`The source is not a valid URL. Write ${exampleOf(schemeOf(source))}.`);
  }
}

const exampleOf = (scheme: string | undefined) =>
  isPostgres(scheme) ? 'postgresql://user:password@host:port/database' : `${scheme}://…`;

const REFERENCE = /^\?credential=[0-9a-f]{24}$/;

/** Whether an address has a part that may be a secret. Of an https:// one each query may be: keys and signatures are put there. */
function hasSecret(scheme: string | undefined, url: URL): boolean {
  if (isPostgres(scheme)) return url.password !== '';
  return url.username !== '' || url.password !== '' || (url.search !== '' && !REFERENCE.test(url.search));
}

/**
 * Takes the credentials out of a source, so that none reach Temporal, a log or an answer. The same source gives
 * the same reference again.
 * @returns the source itself when it has none, else `postgresql://host/db?credential=<id>`.
 * @throws ServiceError `source_forbidden` for what is no URL, and for an s3:// source with credentials
 */
export async function sealSource(database: Database, source: string): Promise<string> {
  const scheme = schemeOf(source);
  if (!isPostgres(scheme) && !['https', 'http', 's3'].includes(scheme ?? '')) return source;
  const url = parseSourceUrl(source);
  if (!hasSecret(scheme, url)) return source;
  if (scheme === 's3')
    throw forbiddenSource('An s3:// source has neither user nor query: an operator sets S3_ACCESS_KEY_ID.');
  const id = createHash('sha256').update(source).digest('hex').slice(0, 24);
  await database.prisma.sourceCredential.upsert({ where: { id }, create: { id, url: source }, update: {} });
  return `${sourceLabel(source)}?credential=${id}`;
}

/** The source with its credentials again. @throws ServiceError `source_forbidden` when they are not known */
export async function unsealSource(database: Database, source: string): Promise<string> {
  const { search, searchParams } = parseSourceUrl(source);
  const credential = searchParams.get('credential');
  if (!credential || (!REFERENCE.test(search) && !isPostgres(schemeOf(source)))) return source;
  const known = await database.prisma.sourceCredential.findUnique({ where: { id: credential } });
  if (known) return known.url;
  throw forbiddenSource(
    `The credential ${credential.slice(0, 40)} of the source is not known. Send the full URL to POST /data/ingest once.`,
  );
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
