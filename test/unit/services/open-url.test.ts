import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAddress, lookupOf } from '../../../services/network/find-address.js';
import { checkUrl, openUrl } from '../../../services/network/open-url.js';
import { retryAfterMs } from '../../../services/sources/ask-politely.js';

const servers: Server[] = [];
const seen: IncomingHttpHeaders[] = [];
let first: string;
let second: string;

async function serve(redirects: () => Record<string, string>): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(request.headers);
    const location = redirects()[request.url ?? ''];
    if (location) response.writeHead(302, { location }).end();
    else response.end(`body of ${request.url}`);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  second = await serve(() => ({}));
  first = await serve(() => ({
    '/same': '/end',
    '/other': `${second}/end`,
    '/metadata': 'https://169.254.169.254/latest/meta-data',
    '/name': 'http://metadata.google.internal/',
    '/file': 'file:///etc/passwd',
    '/loop': '/loop',
    '/bad': 'http://[',
  }));
});
afterAll(() => servers.forEach((server) => server.close()));

const open = (path: string, allowedHosts = ['localhost']) =>
  openUrl({
    url: new URL(first + path),
    headers: {},
    secretHeaders: { authorization: 'Bearer secret' },
    allowedHosts,
    signal: AbortSignal.timeout(10_000),
  });

describe('a source that is asked over HTTP', () => {
  it('keeps credentials to the origin that they are for', async () => {
    seen.length = 0;
    expect(await text((await open('/same')).answer)).toBe('body of /end');
    expect(seen.map((headers) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
    seen.length = 0;
    expect(await text((await open('/other')).answer)).toBe('body of /end');
    expect(seen.map((headers) => headers.authorization)).toEqual(['Bearer secret', undefined]);
  });

  it.each(['/metadata', '/name', '/file', '/bad'])('is not followed along the redirect %s', async (path) => {
    await expect(open(path)).rejects.toMatchObject({ code: 'source_forbidden' });
  });

  it('is not followed for ever', async () => {
    await expect(open('/loop')).rejects.toMatchObject({ code: 'source_unreadable' });
  });

  it('is not reached in a private network, unless its host is allowed by name', async () => {
    await expect(open('/end', [])).rejects.toMatchObject({ code: 'source_forbidden' });
    // The name is public to look at, and leads to loopback.
    expect(await findAddress('localhost', false)).toBeUndefined();
  });

  it('is reached at the address that was checked, whatever its name means by then', async () => {
    const { port } = new URL(second);
    // Nobody can look this name up, so an answer is one of the address that was given.
    const options = { hostname: 'rebound.invalid', port, path: '/end', agent: false as const };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ ...options, lookup: lookupOf({ address: '127.0.0.1', family: 4 }) }, resolve)
        .on('error', reject)
        .end();
    });
    expect(await text(answer)).toBe('body of /end');
    await expect(
      new Promise((resolve, reject) => void request(options, resolve).on('error', reject).end()),
    ).rejects.toThrow('rebound.invalid');
  });

  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://017700000001/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://169.254.169.254/',
    'https://10.0.0.1/',
    'https://0.0.0.0/',
    'http://example.com/',
    'ftp://example.com/',
  ])('is refused at %s before it is looked up', (url) => {
    expect(() => checkUrl(new URL(url), [])).toThrow(expect.objectContaining({ code: 'source_forbidden' }));
  });

  it('says in seconds or as a time how long to wait', () => {
    expect(retryAfterMs('7')).toBe(7000);
    expect(retryAfterMs('Sat, 28 Nov 2026 12:00:09 GMT', Date.UTC(2026, 10, 28, 12))).toBe(9000);
    expect(retryAfterMs('Sat, 28 Nov 2020 12:00:00 GMT', Date.UTC(2026, 10, 28))).toBe(0);
    expect(retryAfterMs('soon')).toBeUndefined();
    expect(retryAfterMs(undefined)).toBeUndefined();
  });
});
