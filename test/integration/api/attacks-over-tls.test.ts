import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectPlain, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { TestAuthority } from '../../../infra/local/test-authority.js';
import { applyMigrations } from '../../../services/database/apply-migrations.js';
import { startBareApi, type ApiProcess } from '../../support/api-processes.js';
import { AUDIENCE, forge, ISSUER, Issuer } from '../../support/issuer.js';
import { plantRows } from '../../support/plant-rows.js';
import { queryDatabase } from '../../support/query-database.js';

const MODELS =
  'customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage] }\n';
/** Stands in every row that is another's. */
const FOREIGN = 'planted-foreign';
const HOSTILE_NAMES = [
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2e%2e%5c%2e%2e%5cetc',
  '%00',
  '%0d%0aset-cookie:%20x=1',
  '%c0%ae%c0%ae%2f',
  '%ff',
  '__proto__',
  "'%3b--",
  '%25s%25n',
  'a'.repeat(3000),
];

let folder: string;
let issuer: Issuer;
let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let api: ApiProcess;
let dispatcher: Agent;
let ca: string;
let admin: string;

const ask = (method: string, path: string, token: string, body?: string, headers: Record<string, string> = {}) =>
  fetch(api.url + path, {
    method,
    dispatcher,
    redirect: 'manual',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body,
  });

/** Sends bytes as they are, over TLS. @returns all that comes back until the other end closes, or `null` where it does not */
async function sendRaw(bytes: string, withinMs = 4000): Promise<string | null> {
  const socket = connect({ port: Number(new URL(api.url).port), host: '127.0.0.1', ca });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => (answer += String(text)));
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  const over = await Promise.race([once(socket, 'close').then(() => true), pause(withinMs).then(() => false)]);
  socket.destroy();
  return over ? answer : null;
}
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const statusesOf = (answer: string) =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-attacks-tls-'));
  writeFileSync(join(folder, 'config.yaml'), MODELS);
  const authority = await TestAuthority.create(join(folder, 'tls'));
  const server = await authority.issue({ name: 'server', hosts: ['127.0.0.1'] });
  ca = readFileSync(server.ca, 'utf8');
  dispatcher = new Agent({ connect: { ca } });
  [issuer, postgres] = await Promise.all([Issuer.start('ES256'), startEmbeddedPostgres({ stateDir: folder })]);
  await applyMigrations(postgres.url);
  api = await startBareApi({
    STATE_DIR: join(folder, 'api'),
    DATABASE_URL: postgres.url,
    MODELS_CONFIG: join(folder, 'config.yaml'),
    RATE_LIMIT: '100000',
    UPLOAD_RATE_WINDOW: '1',
    TLS_CERT_FILE: server.cert,
    TLS_KEY_FILE: server.key,
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: ISSUER,
    AUTH_AUDIENCE: AUDIENCE,
  });
  admin = await issuer.sign({ role: 'admin' });
});
afterAll(async () => {
  api?.child.kill('SIGKILL');
  await dispatcher?.close();
  await postgres?.stop();
  await issuer?.stop();
  deleteStateFolder(folder);
});

async function makeToken(body: object): Promise<{ token: string; token_id: string }> {
  const answer = await ask('POST', '/tokens', admin, JSON.stringify(body));
  expect(answer.status).toBe(201);
  return (await answer.json()) as { token: string; token_id: string };
}

describe('what is another’s', () => {
  it('is in no list, under no id, in no report and no download for a caller of some models', async () => {
    const planted = await plantRows(postgres.url, FOREIGN);
    expect(planted.length).toBeGreaterThan(15);
    const { token } = await makeToken({ name: 'theirs', role: 'operator', models: ['customers'] });
    const seen: string[] = [];
    let found = 0;
    for (const { path } of ALL_ROUTES.filter(({ method }) => method === 'get')) {
      const url = path.replaceAll(/\{\w+\}/g, FOREIGN);
      const [theirs, own] = [await ask('GET', url, token), await ask('GET', url, admin)];
      const text = (await theirs.text()).replaceAll(url, '').replaceAll(/There is no [^"]*\\"[^"]*\\"/g, '');
      if (theirs.status < 400 && text.includes(FOREIGN)) seen.push(`${path}: ${theirs.status}`);
      if (theirs.status >= 500 && theirs.status !== 503) seen.push(`${path}: ${theirs.status}`);
      if (own.status === 200 && (await own.text()).includes(FOREIGN)) found++;
    }
    expect(seen).toEqual([]);
    expect(found, 'an admin finds the planted rows').toBeGreaterThan(5);
  });

  it('stays so for an open stream whose token is revoked', async () => {
    const { token, token_id: id } = await makeToken({ name: 'reader', role: 'viewer' });
    await queryDatabase(
      postgres.url,
      `INSERT INTO jobs (id, type, model, status, request, correlation_id) VALUES ('train-open', 'train', 'customers', 'running', '{}', 'c')`,
    );
    const stream = await ask('GET', '/jobs/train-open/events', token);
    expect(stream.status).toBe(200);
    const over = stream.text();
    await ask('DELETE', `/tokens/${id}`, admin);
    expect(await Promise.race([over.then(() => 'ended'), pause(8000)])).toBe('ended');
  });
});

describe('tokens that bring a key along', () => {
  it('are refused, and nobody is asked for it', async () => {
    const hits: string[] = [];
    const trap = createServer((request, response) => {
      hits.push(request.url!);
      response.end(JSON.stringify({ keys: [issuer.publicJwk()] }));
    });
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys`;
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'eve', role: 'admin', exp: 4_000_000_000 };
    for (const header of [
      { jku: url },
      { x5u: url },
      { jwk: issuer.publicJwk() },
      { kid: url },
      { crit: ['x'], x: 1 },
      { b64: false, crit: ['b64'] },
      { alg: ['none'] },
      { alg: 'NONE' },
      { alg: 'ES256K' },
    ])
      for (const token of [
        forge({ alg: 'ES256', ...header }, claims, 'A'.repeat(86)),
        ...('alg' in header ? [] : [forge({ alg: 'none', ...header }, claims)]),
      ])
        expect((await ask('GET', '/jobs', token)).status, JSON.stringify(header)).toBe(401);
    for (const aud of [[], ['other'], { 0: AUDIENCE }, `${AUDIENCE} `, AUDIENCE.toUpperCase()])
      expect((await ask('GET', '/jobs', await issuer.sign({ aud: aud as string }))).status, JSON.stringify(aud)).toBe(
        401,
      );
    for (const role of ['superuser', 'ADMIN', { admin: true }, [[]], null])
      expect((await ask('GET', '/audit', await issuer.sign({ role }))).status, JSON.stringify(role)).not.toBe(200);
    expect(hits).toEqual([]);
    trap.close();
  });
});

describe('names, cursors and bodies of every route', () => {
  it('with hostile names in each place of the path are answered, without a failure, a file or a header of the caller', async () => {
    const wrong: string[] = [];
    const routes = ALL_ROUTES.filter(({ path }) => path.includes('{'));
    for (const [at, { method, path }] of routes.entries()) {
      const name = HOSTILE_NAMES[at % HOSTILE_NAMES.length]!;
      const url = path.replaceAll(/\{\w+\}/g, name);
      const answer = await ask(method.toUpperCase(), url, admin, method === 'get' ? undefined : '[1]');
      const text = await answer.text();
      if (answer.status >= 500 && answer.status !== 503) wrong.push(`${method} ${url.slice(0, 90)}: ${answer.status}`);
      if (answer.headers.has('set-cookie') || text.includes('root:')) wrong.push(`${method} ${url.slice(0, 90)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('with a forged cursor are refused, and never answered with more or by a failure', async () => {
    const wrong: string[] = [];
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const cursors = [
      'x',
      '%00',
      encode(null),
      encode([]),
      encode({ __proto__: 1, id: { $gt: '' } }),
      encode(['2020-01-01', "' OR 1=1 --"]),
      encode([1e308, -1]),
      Buffer.from("2020-01-01|' OR '1'='1").toString('base64url'),
      '9'.repeat(400),
      '-1',
    ];
    const takesCursor = (query: unknown) => 'cursor' in ((query as { shape?: object } | undefined)?.shape ?? {});
    const lists = ALL_ROUTES.filter(
      ({ method, path, query }) => method === 'get' && !path.includes('{') && takesCursor(query),
    );
    expect(lists.length).toBeGreaterThan(8);
    for (const [at, { path }] of lists.entries())
      for (const cursor of [0, 3, 6].map((step) => cursors[(at + step) % cursors.length]!)) {
        const { status } = await ask('GET', `${path}?cursor=${encodeURIComponent(cursor)}`, admin);
        if (status >= 500 && status !== 503) wrong.push(`${path}?cursor=${cursor.slice(0, 40)}: ${status}`);
      }
    expect(wrong).toEqual([]);
  });

  it('with names of JavaScript, of our own columns and with other encodings are refused or ignored', async () => {
    const wrong: string[] = [];
    const polluting =
      '{"__proto__":{"polluted":"yes","role":"admin"},"constructor":{"prototype":{"polluted":"yes"}},"created_by":"eve","id":"x","tenant":"y","is_internal":true,"hash":"00"}';
    const routes = ALL_ROUTES.filter(({ method }) => method === 'post' || method === 'put');
    for (const { method, path } of routes) {
      const url = path.replaceAll(/\{\w+\}/g, 'none');
      const answer = await ask(method.toUpperCase(), url, admin, polluting);
      const text = await answer.text();
      // An upload is kept as it is, and to forget takes no body.
      const isTaken = answer.status < 300 && !['/data/uploads', '/subjects/forget'].includes(path);
      if ((answer.status >= 500 && answer.status !== 503) || isTaken)
        wrong.push(`${method} ${path}: ${answer.status} ${text.slice(0, 80)}`);
    }
    for (const encoding of ['gzip, gzip', 'compress', 'br;q=1, gzip', 'x-unknown'])
      for (const path of ['/predict/customers', '/models/train', '/webhooks']) {
        const { status } = await ask('POST', path, admin, '{}', { 'content-encoding': encoding });
        if (status < 400 || (status >= 500 && status !== 503)) wrong.push(`${path} as ${encoding}: ${status}`);
      }
    expect(wrong).toEqual([]);
    expect(await (await ask('GET', '/whoami', admin)).text()).not.toContain('polluted');
    expect(
      await queryDatabase(postgres.url, 'SELECT 1 FROM service_tokens WHERE is_internal AND name = $1', ['x']),
    ).toEqual([]);
  });
});

describe('the connection', () => {
  const head = () => `Host: x\r\nAuthorization: Bearer ${admin}\r\n`;

  it('has no request hidden in another one, over TLS as well', async () => {
    const hidden = `GET /audit HTTP/1.1\r\n${head()}\r\n`;
    const json = 'Content-Type: application/json\r\n';
    for (const [title, bytes] of [
      [
        'both lengths',
        `POST /webhooks HTTP/1.1\r\n${head()}${json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      ],
      [
        'a chunk of no length',
        `POST /webhooks HTTP/1.1\r\n${head()}${json}Transfer-Encoding: chunked\r\n\r\n-1\r\n${hidden}`,
      ],
      ['a length with a sign', `POST /webhooks HTTP/1.1\r\n${head()}${json}Content-Length: +4\r\n\r\nabcd${hidden}`],
      ['a length twice in one', `POST /webhooks HTTP/1.1\r\n${head()}${json}Content-Length: 4, 4\r\n\r\nabcd${hidden}`],
      [
        'chunked twice',
        `POST /webhooks HTTP/1.1\r\n${head()}${json}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${hidden}`,
      ],
      ['NUL in a header', `GET /jobs HTTP/1.1\r\n${head()}X-A: a\0b\r\n\r\n${hidden}`],
      ['no host', `GET /jobs HTTP/1.1\r\nAuthorization: Bearer ${admin}\r\n\r\n${hidden}`],
      ['CONNECT', `CONNECT 127.0.0.1:5432 HTTP/1.1\r\n${head()}\r\n${hidden}`],
    ] as const) {
      const answer = await sendRaw(bytes);
      expect(answer, `${title}: the connection ends`).not.toBeNull();
      expect(
        statusesOf(answer!).filter((status) => status < 400),
        title,
      ).toEqual([]);
    }
  });

  it('is not passed on to another protocol, and a trailer is no header', async () => {
    const upgraded = await sendRaw(
      `GET /jobs HTTP/1.1\r\n${head()}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    );
    expect(upgraded === null || !statusesOf(upgraded).includes(101)).toBe(true);
    const trailer = await sendRaw(
      `POST /webhooks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer ${admin}\r\n\r\n`,
    );
    expect(statusesOf(trailer ?? '')).toEqual([401]);
    for (const method of ['TRACE', 'TRACK', 'PROPFIND'])
      expect([400, 401, 404, 405, 501]).toContain(
        statusesOf((await sendRaw(`${method} /jobs HTTP/1.1\r\n${head()}Connection: close\r\n\r\n`)) ?? '')[0] ?? 400,
      );
    const plain = connectPlain(Number(new URL(api.url).port), '127.0.0.1').on('error', () => undefined);
    plain.end('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    let said = '';
    plain.on('data', (bytes) => (said += bytes.toString('latin1')));
    await once(plain, 'close');
    expect(said).not.toContain('200 OK');
  });

  it('does not last when its answer is over and its body trickles on, nor when it only trickles, for nobody and for callers', async () => {
    const trickle = async (authorization: string, path: string) => {
      const socket = connect({ port: Number(new URL(api.url).port), host: '127.0.0.1', ca });
      let answer = '';
      socket.on('error', () => undefined).on('data', (bytes) => (answer += bytes.toString('latin1')));
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: ${path.includes('events') ? 'application/x-ndjson' : 'application/octet-stream'}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const drips = setInterval(() => socket.writable && socket.write('1\r\nx\r\n'), 200);
      // A reset ends it, too, which `once` would throw.
      const closed = new Promise<boolean>((resolve) => void socket.once('close', () => resolve(true)));
      const over = await Promise.race([closed, pause(10_000).then(() => false)]);
      clearInterval(drips);
      socket.destroy();
      return over && statusesOf(answer)[0];
    };
    const refused = [
      '/data/uploads?format=csv',
      '/data/events/x',
      '/predict/customers',
      '/models/customers/versions/import',
    ];
    const uploads = () => readdirSync(join(folder, 'api', 'data', 'uploads'));
    const before = uploads();
    const viewer = `Authorization: Bearer ${await issuer.sign()}\r\n`;
    const allowed = ['/data/uploads?format=csv', '/data/events/x'];
    const ended = await Promise.all([
      ...refused.map((path) => trickle('', path)),
      trickle(viewer, refused[0]!),
      ...allowed.map((path) => trickle(`Authorization: Bearer ${admin}\r\n`, path)),
    ]);
    expect(ended).toEqual([...refused.map(() => 401), 403, ...allowed.map(() => 408)]);
    await expect.poll(uploads, { timeout: 8000 }).toEqual(before);
  });

  it('carries nothing into the log that makes a line, a secret or a terminal of it', async () => {
    const ids = ['x\u0085y', '\u001b]0;x\u0007', 'a"},{"level":"fatal"', `mlps_${'B'.repeat(43)}`, '${jndi:ldap://x}'];
    for (const id of ids) {
      const raw = Buffer.from(id, 'utf8').toString('latin1');
      await sendRaw(
        `GET /jobs/x HTTP/1.1\r\n${head()}X-Correlation-Id: ${raw}\r\nUser-Agent: ${raw}\r\nConnection: close\r\n\r\n`,
      );
      await ask('GET', `/jobs/${encodeURIComponent(id)}`, admin);
      await ask('POST', `/data/uploads?format=csv&name=${encodeURIComponent(id)}`, admin, 'a\n1\n');
    }
    for (const line of api.log().split('\n').filter(Boolean))
      expect(() => JSON.parse(line) as unknown, line).not.toThrow();
    // oxlint-disable-next-line no-control-regex -- what a terminal would obey
    expect(api.log()).not.toMatch(/\u001b|"level":"fatal"|\u0085/);
    expect(api.log()).not.toContain(admin.slice(0, 60));
    expect(api.log()).not.toContain('B'.repeat(43));
  });
});
