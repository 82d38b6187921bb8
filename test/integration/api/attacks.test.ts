import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { applyMigrations } from '../../../services/database/apply-migrations.js';
import { startBareApi, type ApiProcess } from '../../support/api-processes.js';
import { AUDIENCE, forge, ISSUER, Issuer } from '../../support/issuer.js';
import { hasRedis, RedisServer } from '../../support/redis-server.js';
import { queryDatabase } from '../../support/query-database.js';

const MODELS =
  'customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage] }\n';
const JSON_TYPE = { 'content-type': 'application/json' };

let folder: string;
let issuer: Issuer;
let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
/** One with sign-in, and one without. */
let api: ApiProcess;
let open: ApiProcess;
let admin: Record<string, string>;

const startApi = (name: string, env: Record<string, string>) =>
  startBareApi({
    STATE_DIR: join(folder, name),
    DATABASE_URL: postgres.url,
    MODELS_CONFIG: join(folder, 'config.yaml'),
    ...env,
  });

const signIn = (issued: Issuer) => ({ AUTH_JWKS_URL: issued.url, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-attacks-'));
  writeFileSync(join(folder, 'config.yaml'), MODELS);
  [issuer, postgres] = await Promise.all([Issuer.start('RS256'), startEmbeddedPostgres({ stateDir: folder })]);
  await applyMigrations(postgres.url);
  [api, open] = await Promise.all([
    startApi('signed', {
      ...signIn(issuer),
      CORS_ORIGINS: 'https://console.test',
      RATE_LIMIT_ROUTES: 'GET /freezes=3',
    }),
    startApi('open', {}),
  ]);
  admin = { authorization: `Bearer ${await issuer.sign({ role: 'admin' })}` };
});
afterAll(async () => {
  for (const { child } of [api, open]) child?.kill('SIGKILL');
  await postgres?.stop();
  await issuer?.stop();
  deleteStateFolder(folder);
});

const get = (path: string, headers: Record<string, string> = admin, url = api.url) => fetch(url + path, { headers });
const post = (path: string, body: string, headers: Record<string, string> = admin, url = api.url) =>
  fetch(url + path, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body });

/** Sends bytes as they are. @returns all that comes back */
async function sendRaw(bytes: string, url = api.url): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => (answer += String(text)));
  socket.on('error', () => undefined);
  socket.write(bytes);
  setTimeout(() => socket.end(), 500).unref();
  await once(socket, 'close');
  return answer;
}
const statusesOf = (answer: string) =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));

describe('API1, API3 and API5: what is another’s', () => {
  it('is not reached by other methods, spellings of the path or headers that name another path', async () => {
    const viewer = { authorization: `Bearer ${await issuer.sign()}` };
    for (const path of [
      '/audit',
      '/AUDIT',
      '/audit/',
      '//audit',
      '/./audit',
      '/audit?role=admin',
      '/%61udit',
      '/x/../audit',
      '/audit;a=b',
      '/audit%2f',
    ])
      expect([401, 403, 404], path).toContain((await get(path, viewer)).status);
    for (const header of ['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-forwarded-user', 'x-role'])
      expect(
        (await get('/audit', { ...viewer, [header]: header.includes('method') ? 'DELETE' : 'admin' })).status,
      ).toBe(403);
    expect(
      statusesOf(await sendRaw(`HEAD /audit HTTP/1.1\r\nHost: x\r\nAuthorization: ${viewer.authorization}\r\n\r\n`)),
    ).toEqual([403]);
  });

  it('is not taken from a body: a caller cannot give itself a role or a name', async () => {
    const { token } = (await (await post('/tokens', JSON.stringify({ name: 'low', role: 'viewer' }))).json()) as {
      token: string;
    };
    for (const body of [
      { name: 'high', role: 'admin' },
      { name: 'high', role: 'viewer', created_by: 'x' },
    ])
      expect([403, 422]).toContain(
        (await post('/tokens', JSON.stringify(body), { authorization: `Bearer ${token}` })).status,
      );
    const wide = await post('/tokens', JSON.stringify({ name: 'wide', role: 'viewer', created_by: 'eve', hash: 'x' }));
    expect(wide.status).toBe(422);
    expect(await wide.json()).toMatchObject({ errors: [{ path: 'created_by' }, { path: 'hash' }] });
  });
});

describe('API2: tokens', () => {
  it('that are forged in any way are refused alike', async () => {
    const good = (await issuer.sign({ role: 'admin' })).split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(good[1], 'base64url').toString()) as object;
    const forged = [
      forge({ alg: 'none' }, claims),
      forge({ alg: 'HS256', kid: 'rs256' }, claims, good[2]),
      `${good[0]}.${good[1]}.`,
      await issuer.sign({ exp: 1 }),
      await issuer.sign({ aud: 'other' }),
      await issuer.sign({ iss: 'https://evil.test' }),
      await issuer.sign({}, { header: { kid: 'unknown' } }),
      await issuer.sign({}, { header: { kid: '../../../../dev/null' } }),
      'a'.repeat(9000),
      'mlps_' + 'A'.repeat(43),
    ];
    const bodies = new Set<string>();
    for (const token of forged) {
      const answer = await get('/jobs', { authorization: `Bearer ${token}` });
      expect(answer.status, token.slice(0, 80)).toBe(401);
      bodies.add(((await answer.json()) as { detail: string }).detail);
    }
    expect(bodies.size).toBe(1);
    for (const authorization of ['Basic YWRtaW46YWRtaW4=', 'Bearer', 'Bearer a b', good.join('.')])
      expect((await get('/jobs', { authorization })).status, authorization).toBe(401);
  });

  it('that come twice, or in the address, are refused: two readers must not see two callers', async () => {
    const twice = `GET /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: ${admin['authorization']}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n`;
    expect(statusesOf(await sendRaw(twice))).toEqual([401]);
    const token = admin['authorization']!.slice(7);
    expect((await get(`/jobs?access_token=${token}`, {})).status).toBe(401);
    expect((await get('/jobs', { cookie: `access_token=${token}` })).status).toBe(401);
  });

  it('never stand in the log, whatever is wrong with them', () => {
    expect(api.log()).not.toContain(admin['authorization']!.slice(7, 80));
    expect(api.log()).not.toContain('mlps_AAAA');
  });
});

describe('API4: what takes too much', () => {
  it('bodies that are too large, too deep or without an end are refused, and prototypes stay as they are', async () => {
    const deep = '['.repeat(400_000) + ']'.repeat(400_000);
    for (const path of [
      '/models/train',
      '/predict/customers',
      '/predict/customers/batch',
      '/v2/models/customers/infer',
      '/webhooks',
      '/experiments/plan',
    ]) {
      for (const body of [`{"features": ${deep}}`, deep])
        expect([400, 404], path).toContain((await post(path, body)).status);
      const most = /batch|infer/.test(path) ? 34_000_000 : 2_000_000;
      expect([400, 404, 413], path).toContain((await post(path, `{"x": "${'y'.repeat(most)}"}`)).status);
    }
    const polluting =
      '{"model_type": "customers", "__proto__": {"role": "admin"}, "constructor": {"prototype": {"x": 1}}}';
    const answer = await post('/models/train', polluting);
    expect(answer.status).toBe(422);
    expect(((await answer.json()) as { errors: { path: string }[] }).errors.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['__proto__', 'constructor']),
    );
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 60_000 }, (_, at) => [`k${at}`, 1])));
    expect((await (await post('/models/train', many)).text()).length).toBeLessThan(200_000);
  });

  it('a caller beyond the rate of a route is told so, whatever address it says it has', async () => {
    const statuses = [];
    for (let i = 0; i < 6; i++)
      statuses.push((await get('/freezes', { ...admin, 'x-forwarded-for': `10.0.0.${i}` })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
    expect((await get('/jobs')).status).toBe(200);
  });

  it('slow heads and bodies hold nobody else up, and are ended', { timeout: 60_000 }, async () => {
    const port = Number(new URL(api.url).port);
    const sockets = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    const drips = setInterval(() => sockets.forEach((socket) => socket.writable && socket.write('X-a: b\r\n')), 1000);
    for (const socket of sockets) socket.write('GET /jobs HTTP/1.1\r\nHost: x\r\n');
    expect((await get('/health/live')).status).toBe(200);
    expect(sockets.some((socket) => !socket.closed)).toBe(true);
    // Each drip keeps its connection busy: only the service itself ends it.
    await expect.poll(() => sockets.every(({ closed }) => closed), { timeout: 50_000 }).toBe(true);
    clearInterval(drips);
  });

  it.runIf(hasRedis())('rates are held over several processes by Redis, and by each of them when it dies', async () => {
    const redis = await RedisServer.start();
    const env = { ...signIn(issuer), REDIS_URL: redis.url(), RATE_LIMIT_ROUTES: 'GET /freezes=20' };
    const pair = await Promise.all(['one', 'two'].map((name) => startApi(name, env)));
    try {
      await new Promise((resolve) => setTimeout(resolve, 500));
      // Not across the end of a minute.
      const restMs = 60_000 - (Date.now() % 60_000);
      if (restMs < 8000) await new Promise((resolve) => setTimeout(resolve, restMs));
      let taken = 0;
      for (let i = 0; i < 30; i++) {
        for (const { url } of pair) if ((await get('/freezes', admin, url)).status === 200) taken++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(taken).toBeGreaterThanOrEqual(20);
      expect(taken).toBeLessThan(36);
      await redis.kill9();
      await expect.poll(async () => (await get('/freezes', admin, pair[0]!.url)).status, { timeout: 5000 }).toBe(200);
    } finally {
      for (const { child } of pair) child.kill('SIGKILL');
      await redis.kill9();
    }
  });
});

describe('API6 and API8: how the service is set up', () => {
  it('every answer forbids what a browser could do with it, and no other origin may read it', async () => {
    for (const [path, headers] of [
      ['/jobs', admin],
      ['/jobs', {}],
      ['/docs', {}],
      ['/nowhere', admin],
    ] as const) {
      const answer = await get(path, headers);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('x-frame-options')).toBe('SAMEORIGIN');
      expect(answer.headers.get('strict-transport-security')).toMatch(/max-age=/);
      expect(answer.headers.get('content-security-policy')).toContain("default-src '");
      expect(answer.headers.get('x-powered-by')).toBeNull();
    }
    const from = async (origin: string, url = api.url) =>
      (await get('/health/live', { origin }, url)).headers.get('access-control-allow-origin');
    expect(await from('https://console.test')).toBe('https://console.test');
    for (const origin of ['https://evil.test', 'https://console.test.evil.test', 'null', 'http://console.test'])
      expect(await from(origin), origin).toBeNull();
    const preflight = await fetch(`${api.url}/jobs`, {
      method: 'OPTIONS',
      headers: { origin: 'https://console.test', 'access-control-request-method': 'GET' },
    });
    // Temporal's Web UI sends it to the codec server.
    expect(preflight.headers.get('access-control-allow-headers')).toContain('X-Namespace');
    expect([preflight.status, preflight.headers.get('access-control-allow-credentials')]).toEqual([204, null]);
  });

  it('without sign-in, pages from elsewhere cannot use the browser of whoever runs the service', async () => {
    const ask = (host: string, more = '') =>
      sendRaw(
        `POST /jobs/none/cancel HTTP/1.1\r\nHost: ${host}\r\n${more}Content-Length: 0\r\nConnection: close\r\n\r\n`,
        open.url,
      );
    const { host } = new URL(open.url);
    expect(statusesOf(await ask(host))).toEqual([404]);
    expect(statusesOf(await ask(host, `Origin: http://${host}\r\n`))).toEqual([404]);
    expect(statusesOf(await ask('rebound.evil.test'))).toEqual([403]);
    expect(statusesOf(await ask('127.0.0.1.evil.test'))).toEqual([403]);
    for (const origin of ['https://evil.test', 'null', 'http://127.0.0.1:1'])
      expect(statusesOf(await ask(host, `Origin: ${origin}\r\n`)), origin).toEqual([403]);
  });

  it('requests that two readers would cut apart differently are refused whole', async () => {
    const head = `POST /predict/customers HTTP/1.1\r\nHost: x\r\nAuthorization: ${admin['authorization']}\r\nContent-Type: application/json\r\n`;
    const hidden = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const [title, bytes] of [
      ['both lengths', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
      ['two lengths', `${head}Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`],
      ['a hidden chunked', `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
      ['a folded header', `${head}Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n${hidden}`],
      ['a blank before the colon', `${head}Content-Length : 5\r\n\r\n${hidden}`],
      ['a bare line feed', `${head.replaceAll('\r\n', '\n')}Content-Length: 0\n\n${hidden}`],
    ] as const) {
      const statuses = statusesOf(await sendRaw(bytes));
      expect(
        statuses.every((status) => status === 400),
        `${title}: ${statuses.join()}`,
      ).toBe(true);
      expect(statuses.length, title).toBeLessThan(2);
    }
  });

  it('what a caller sends never makes a line of the log, an answer’s header or a path on the disk', async () => {
    const forgedLine = 'x","level":"fatal","message":"forged';
    for (const id of [forgedLine, 'a'.repeat(500), '../../etc', '\u001b[31mred', 'a b'])
      expect(
        (
          await get('/jobs', { ...admin, 'x-correlation-id': encodeURIComponent(id).includes('%1B') ? 'a\tb' : id })
        ).headers.get('x-correlation-id'),
      ).not.toBe(id);
    await get(`/jobs/${encodeURIComponent('a\n{"level":"fatal"}\u2028')}`);
    for (const line of api.log().split('\n').filter(Boolean))
      expect(() => JSON.parse(line) as unknown, line).not.toThrow('JSON');
    expect(api.log()).not.toMatch(/"level":"fatal"/);
    for (const path of [
      '/docs/assets/../../package.json',
      '/docs/assets/..%2f..%2fpackage.json',
      '/docs/assets/%2e%2e/%2e%2e/package.json',
      '/data/uploads/..%2f..%2fpostgres%2fpassword',
      '/models/..%2f..%2fetc/versions/v1.0.0',
    ])
      expect([400, 404], path).toContain((await get(path)).status);
  });
});

describe('API7 and API10: addresses that callers give', () => {
  it('of webhooks and sources reach no private network, in no spelling', async () => {
    for (const url of [
      'http://127.0.0.1/',
      'https://127.0.0.1/',
      'https://[::1]/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://169.254.169.254/latest',
      'https://[::ffff:10.0.0.1]/',
      'https://localhost/',
      'file:///etc/passwd',
      'gopher://x/',
    ])
      expect((await post('/webhooks', JSON.stringify({ url }))).status, url).toBe(422);
  });
});

describe('API9: what there is', () => {
  it('every denied call above is in the audit log, and the log is whole', async () => {
    const rows = await queryDatabase<{ count: number }>(
      postgres.url,
      `SELECT count(*)::int AS count FROM audit_log WHERE kind = 'denied'`,
    );
    expect(rows[0]!.count).toBeGreaterThan(3);
    expect(await (await get('/audit/verify')).json()).toMatchObject({ intact: true });
  });
});
