import { readFile } from 'node:fs/promises';
import { rootCertificates, type ConnectionOptions } from 'node:tls';
import { forbiddenSource, parseSourceUrl } from './seal-source.js';

/** How a source is connected to. */
export interface PostgresAddress {
  connectionString: string;
  ssl: ConnectionOptions | false;
}

/** As libpq calls them; `require` checks the server too, since encryption to anybody protects nothing. */
const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/**
 * Turns an address into what is connected to.
 * @param caFile PEM: certificate authorities besides the usual ones
 * @throws ServiceError `source_forbidden` for any connection parameter but sslmode, and for a mode that would fall back to no encryption
 */
export async function postgresAddress(source: string, caFile: string | undefined): Promise<PostgresAddress> {
  const url = parseSourceUrl(source);
  for (const name of url.searchParams.keys()) {
    if (name !== 'sslmode')
      throw forbiddenSource(
        `The source may not set "${name.slice(0, 40)}". Of the connection parameters only sslmode is allowed.`,
      );
  }
  if (!url.hostname || url.pathname.length < 2)
    throw forbiddenSource('The source needs a host and a database: postgresql://user:password@host:port/database.');
  const mode = url.searchParams.get('sslmode') ?? 'disable';
  if (!TLS_MODES.includes(mode))
    throw forbiddenSource(`The source sets sslmode to "${mode.slice(0, 40)}". Use one of ${TLS_MODES.join(', ')}.`);
  url.search = '';
  return { connectionString: url.href, ssl: await tlsOptions(mode, caFile) };
}

async function tlsOptions(mode: string, caFile: string | undefined): Promise<ConnectionOptions | false> {
  if (mode === 'disable') return false;
  if (mode === 'no-verify') return { rejectUnauthorized: false };
  const ca = caFile ? [...rootCertificates, await readFile(caFile, 'utf8')] : undefined;
  return {
    rejectUnauthorized: true,
    ...(ca ? { ca } : {}),
    ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}
