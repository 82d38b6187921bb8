import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiProcesses } from '../../support/api-processes.js';
import { eventually, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;
const FEATURES = { usage: 2, plan: 'basic' };
const JSON_HEADERS = { 'content-type': 'application/json' };

let service: Service;
const processes = new ApiProcesses(() => service.stack);

const post = (url: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false' });
  service.file('customers.csv', learnableTable(800));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  const { version } = await service.run('/models/train', {
    model_type: 'customers',
    hyperparameters: { n_estimators: 20 },
  });
  await service.run('/models/customers/deploy', { version });
});
afterEach(() => processes.killAll());
afterAll(() => service?.stop());

describe('the direct way of a prediction', () => {
  // A query sends a request the long way, and nothing else about it.
  const LONG = '/predict/customers?';

  it('answers with the same headers and the same body as the long one', async () => {
    const body = { entity_id: 'c1', features: FEATURES };
    const [direct, long] = await Promise.all(
      ['/predict/customers', `${LONG}x=1`].map((path) =>
        post(service.stack.api, path, body, { 'x-correlation-id': 'same-for-both' }),
      ),
    );
    const headersOf = (response: Response) =>
      Object.fromEntries([...response.headers].filter(([name]) => !['date', 'content-length'].includes(name)));
    expect(headersOf(direct!)).toEqual(headersOf(long!));
    expect(direct!.headers.get('content-security-policy')).toContain("default-src 'self'");
    const withoutId = async (response: Response) => ({
      ...((await response.json()) as object),
      prediction_id: 'any',
      cached: 'any',
    });
    expect(await withoutId(direct!)).toEqual(await withoutId(long!));
  });

  it.each([
    ['JSON that is cut off', '{"features":'],
    ['no features', { entity_id: 'c1' }],
    ['a feature of the wrong type', { features: { usage: 'many' } }],
    ['an unknown field', { features: FEATURES, sure: true }],
    ['a polluting name', '{"features":{"__proto__":1}}'],
    ['a NUL character', { features: { plan: 'a\0b' } }],
    ['a list', []],
    ['a number beyond all numbers', '{"features":{"usage":1e999}}'],
  ])('refuses %s as the long one does', async (_what, body) => {
    const [direct, long] = await Promise.all(
      ['/predict/customers', `${LONG}x=1`].map((path) => post(service.stack.api, path, body)),
    );
    expect(direct!.status).toBe(long!.status);
    expect(direct!.status).toBeGreaterThanOrEqual(400);
    const of = async (response: Response) => ({ ...((await response.json()) as object), correlation_id: 'any' });
    expect(await of(direct!)).toEqual(await of(long!));
  });

  it('reads requests that come in pieces, and several that come at once on one connection', async () => {
    const { hostname, port } = new URL(service.stack.api);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ entity_id: 'pieces', features: FEATURES });
    const head = `POST /predict/customers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write(head + body + head + body + head + body.slice(0, 10));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(body.slice(10));
    const answers = () => text.match(/HTTP\/1\.1 200 OK/g)?.length ?? 0;
    await eventually('three answers', () => Promise.resolve(answers() === 3 ? true : undefined), 10_000);
    const ids = new Set(text.match(/pred_[0-9a-f]{32}/g));
    expect(ids.size).toBe(3);
    socket.end();
    await eventually('three rows', async () => {
      const rows = await service.query('SELECT id FROM predictions WHERE id = ANY($1)', [[...ids]]);
      return rows.length === 3 ? true : undefined;
    });
  });

  it('counts its requests under their route', async () => {
    const count = async () => {
      const text = await (await fetch(`${service.stack.api}/metrics`)).text();
      const line = /^mlops_http_requests_total\{method="POST",route="\/predict\/\{model\}",status="200"\} (\d+)$/m;
      return Number(line.exec(text)?.[1] ?? 0);
    };
    const before = await count();
    for (let at = 0; at < 3; at++) await post(service.stack.api, '/predict/customers', { features: FEATURES });
    expect(await count()).toBe(before + 3);
  });
});

describe('rows of a batch that are alike', () => {
  it('are answered and logged as each is alone, and a row that does not fit spoils no other', async () => {
    const { api } = service.stack;
    const instances = [
      { entity_id: 'alike-1', features: { usage: 2, plan: 'basic' } },
      { entity_id: 'alike-2', features: { usage: -7.25, plan: 'never seen' } },
      { entity_id: 'alike-3', features: { usage: null, plan: 'pro' } },
    ];
    type Answer = Record<string, unknown> & { prediction_id: string };
    const alone: Answer[] = [];
    for (const instance of instances)
      alone.push((await (await post(api, '/predict/customers', instance)).json()) as Answer);
    const batch = async (all: unknown[]) =>
      ((await (await post(api, '/predict/customers/batch', { instances: all })).json()) as { results: Answer[] })
        .results;
    const together = await batch(instances);
    const withoutId = (answer: Answer) => ({ ...answer, prediction_id: 'any', cached: 'any' });
    expect(together.map(withoutId)).toEqual(alone.map(withoutId));
    const odd = await batch([...instances, { entity_id: 'odd', features: { usage: 'many', plan: 'pro' } }]);
    expect(odd.slice(0, 3).map(withoutId)).toEqual(alone.map(withoutId));
    expect(odd[3]).toMatchObject({ error: { code: 'request_invalid', errors: [{ path: 'features.usage' }] } });
    const ids = [...alone, ...together].map((answer) => answer.prediction_id);
    const rows = await eventually('the rows', async () => {
      const found = await service.query<{ id: string }>(
        'SELECT id, entity_id, version, features, predictions, caller, cached FROM predictions WHERE id = ANY($1)',
        [ids],
      );
      return found.length === 6 ? found : undefined;
    });
    const logged = ids.map((id) => ({ ...rows.find((row) => row.id === id), id: 'any', cached: 'any' }));
    expect(logged.slice(3)).toEqual(logged.slice(0, 3));
  });
});

describe('a caller that sends too much', () => {
  it('is told so beyond RATE_LIMIT, and the service can be watched all the same', async () => {
    const { url } = await processes.start({ RATE_LIMIT: '5' });
    const isRefused = ({ status }: Response) => status === 429;
    // All at once: on a slow machine one after the other would be within the limit.
    const [answers, others] = await Promise.all([
      Promise.all(Array.from({ length: 40 }, () => post(url, '/predict/customers', { features: FEATURES }))),
      Promise.all(Array.from({ length: 10 }, () => fetch(`${url}/models`))),
    ]);
    const refused = answers.filter(isRefused);
    const elsewhere = others.filter(isRefused);
    expect(
      answers.filter(({ status }) => status === 200).length + others.length - elsewhere.length,
    ).toBeGreaterThanOrEqual(5);
    expect(answers.every((answer) => answer.status === 200 || isRefused(answer))).toBe(true);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]!.headers.get('retry-after')).toBe('1');
    expect(await refused[0]!.json()).toMatchObject({ type: 'urn:problem:rate_limited', status: 429 });
    expect(((await elsewhere[0]!.json()) as ProblemBody).type).toBe('urn:problem:rate_limited');
    for (let at = 0; at < 20; at++) expect((await fetch(`${url}/health/live`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(
      new RegExp(`^mlops_requests_refused_total\\{reason="rate_limited"\\} ${refused.length + elsewhere.length}$`, 'm'),
    );
  });

  it('is turned away beyond MAX_CONNECTIONS, but never for connections that others hold idle', async () => {
    const { url } = await processes.start({ MAX_CONNECTIONS: '4' });
    const { hostname, port } = new URL(url);
    const idle = Array.from({ length: 4 }, () => connect(Number(port), hostname));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    const answer = await eventually('an answer', () =>
      post(url, '/predict/customers', { features: FEATURES }).catch(() => undefined),
    );
    expect(answer.status).toBe(200);
    for (const socket of idle) socket.destroy();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^mlops_requests_refused_total\{reason="connections"\} [1-9]/m);
  });

  it('gets 429 for a batch that would wait too long behind others, and each batch an answer', async () => {
    const { url } = await processes.start({ MAX_REQUEST_WAIT: '1', PREDICTION_CACHE_TTL: '0' });
    const instances = Array.from({ length: 2000 }, (_, at) => ({ features: { ...FEATURES, usage: at } }));
    await post(url, '/predict/customers/batch', { instances });
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => post(url, '/predict/customers/batch', { instances })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    for (const answer of answers.filter(({ status }) => status === 200)) {
      const { results } = (await answer.json()) as { results: { prediction_id: string }[] };
      expect(new Set(results.map((one) => one.prediction_id)).size).toBe(2000);
    }
    expect(answers.find(({ status }) => status === 429)!.headers.get('retry-after')).toBe('1');
  });

  it('has each request counted once, whichever way it takes', async () => {
    const { url } = await processes.start({ RATE_LIMIT: '6' });
    // All at once: together they take less than the time in which one more would be allowed.
    const bodies = Array.from({ length: 6 }, () => ({ features: { usage: 'many' } }));
    const answers = await Promise.all(bodies.map((body) => post(url, '/predict/customers', body)));
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 422));
  });

  it('gets 429 for what would wait longer than MAX_REQUEST_WAIT, and an answer for the rest', async () => {
    const { url } = await processes.start({ MAX_REQUEST_WAIT: '1', PREDICTION_CACHE_TTL: '0' });
    await post(url, '/predict/customers', { features: FEATURES });
    const agent = new Agent({ keepAlive: true, maxSockets: 300 });
    const once = () =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const sent = request(
          `${url}/predict/customers`,
          { method: 'POST', headers: JSON_HEADERS, agent },
          (response) => {
            let text = '';
            response.on('data', (chunk) => (text += String(chunk)));
            response.on('end', () => resolve({ status: response.statusCode!, text }));
          },
        );
        sent.on('error', reject);
        sent.end(JSON.stringify({ features: FEATURES }));
      });
    const answers = (
      await Promise.all(Array.from({ length: 3 }, () => Promise.all(Array.from({ length: 300 }, once))))
    ).flat();
    agent.destroy();
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).toEqual(new Set([200, 429]));
    const ids = answers
      .filter(({ status }) => status === 200)
      .map(({ text }) => JSON.parse(text).prediction_id as string);
    // What was refused was not counted, and what was counted was logged.
    await eventually('all rows', async () => {
      const rows = await service.query('SELECT id FROM predictions WHERE id = ANY($1)', [ids]);
      return rows.length === ids.length ? true : undefined;
    });
  });
});

describe('X-Timeout-Ms', () => {
  it('ends a batch that nobody waits for any more', async () => {
    const instances = Array.from({ length: 10_000 }, () => ({ features: FEATURES }));
    const late = await post(service.stack.api, '/predict/customers/batch', { instances }, { 'x-timeout-ms': '1' });
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ type: 'urn:problem:deadline_exceeded' });
    const few = { instances: instances.slice(0, 2) };
    const inTime = await post(service.stack.api, '/predict/customers/batch', few, { 'x-timeout-ms': '60000' });
    expect(inTime.status).toBe(200);
  });

  it.each(['0', '-1', '1.5', 'soon', '3600001'])('refuses %s', async (value) => {
    for (const path of ['/predict/customers', '/predict/customers?x=1']) {
      const answer = await post(service.stack.api, path, { features: FEATURES }, { 'x-timeout-ms': value });
      expect(answer.status).toBe(400);
      // Trying the same again would not help.
      expect(answer.headers.get('retry-after')).toBeNull();
      expect(((await answer.json()) as ProblemBody).detail).toMatch(/X-Timeout-Ms must be a whole number/);
    }
  });
});

describe('a shutdown with SHUTDOWN_DELAY', () => {
  it('fails no request of a proxy that heeds /health/ready', async () => {
    const { url, child } = await processes.start({ SHUTDOWN_DELAY: '2' });
    const statuses: number[] = [];
    const problems: unknown[] = [];
    const outOfRotation = new AbortController();
    const caller = async () => {
      while (!outOfRotation.signal.aborted) {
        try {
          const answer = await post(url, '/predict/customers', { features: FEATURES });
          await answer.arrayBuffer();
          statuses.push(answer.status);
        } catch (error) {
          problems.push(error);
        }
      }
    };
    const callers = Array.from({ length: 4 }, caller);
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGTERM');
    await eventually('the process is not ready any more', async () =>
      (await fetch(`${url}/health/ready`)).status === 503 ? true : undefined,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    outOfRotation.abort();
    await Promise.all(callers);
    await once(child, 'exit');
    expect(problems).toEqual([]);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});
