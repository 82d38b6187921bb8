import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { rootCertificates } from 'node:tls';
import { ServiceError } from '../../core/errors.js';
import { findAddress, hostOf, isPrivateHost, lookupOf } from './find-address.js';

/** Until the head of the answer is there; then between two pieces of its body. */
const SILENT_AFTER_MS = 30_000;
const MOST_REDIRECTS = 5;

export interface UrlRequest {
  url: URL;
  headers: Record<string, string>;
  /** Headers that go to the origin of `url` only, never along a redirect to another one. */
  secretHeaders: Record<string, string>;
  /** Of SOURCE_ALLOWED_HOSTS. */
  allowedHosts: readonly string[];
  /** PEM: certificate authorities besides the usual ones. */
  ca?: string;
  signal: AbortSignal;
}

const forbidden = (message: string) =>
  new ServiceError('source_forbidden', `The source ${message}.`, [{ path: 'source', message }]);
const PRIVATE = 'leads into a private network; an operator can allow its host with SOURCE_ALLOWED_HOSTS';

/**
 * Looks at an address without looking it up.
 * @throws ServiceError `source_forbidden` for another scheme than https (http, of hosts in SOURCE_ALLOWED_HOSTS) and for an address of a private network
 */
export function checkUrl(url: URL, allowedHosts: readonly string[]): void {
  const host = hostOf(url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw forbidden(`leads to ${url.protocol} instead of https:`);
  if (allowedHosts.includes(host)) return;
  if (url.protocol !== 'https:') throw forbidden('must begin with https://, or its host be in SOURCE_ALLOWED_HOSTS');
  if (isPrivateHost(host)) throw forbidden(PRIVATE);
}

/**
 * Asks with GET and follows up to five redirects, each of which is checked like the first address: looked up once, and connected to
 * where it was looked up.
 * @returns the answer, whatever its status, with its body still to be read; and the address that gave it
 * @throws ServiceError `source_forbidden`; Error when there is no answer
 */
export async function openUrl(asked: UrlRequest): Promise<{ answer: IncomingMessage; url: URL }> {
  let url = asked.url;
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const secrets = url.origin === asked.url.origin ? asked.secretHeaders : {};
    const answer = await ask(url, { ...asked.headers, ...secrets }, asked);
    const location = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) ? answer.headers.location : undefined;
    if (location === undefined) return { answer, url };
    answer.destroy();
    if (!URL.canParse(location, url.href)) throw forbidden('redirects to what is no URL');
    url = new URL(location, url.href);
  }
  throw new ServiceError('source_unreadable', `The source redirects more than ${MOST_REDIRECTS} times.`);
}

async function ask(
  url: URL,
  headers: Record<string, string>,
  { allowedHosts, ca, signal }: UrlRequest,
): Promise<IncomingMessage> {
  checkUrl(url, allowedHosts);
  const host = hostOf(url);
  const found = await findAddress(host, allowedHosts.includes(host));
  if (!found) throw forbidden(PRIVATE);
  return new Promise((resolve, reject) => {
    const open = url.protocol === 'https:' ? requestHttps : requestHttp;
    // Without user and password: they are sent as a header, or not at all.
    const sent = open(
      {
        hostname: host,
        ...(url.port ? { port: url.port } : {}),
        path: `${url.pathname}${url.search}`,
        agent: false,
        signal,
        lookup: lookupOf(found),
        timeout: SILENT_AFTER_MS,
        headers: { 'user-agent': 'ml-pipeline-service', ...headers },
        ...(ca ? { ca: [...rootCertificates, ca] } : {}),
      },
      resolve,
    );
    sent.on('timeout', () => sent.destroy(new Error(`The source said nothing for ${SILENT_AFTER_MS / 1000} s.`)));
    sent.on('error', reject);
    sent.end();
  });
}
