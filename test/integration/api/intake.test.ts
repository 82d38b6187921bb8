import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PARTS } from '../../../infra/local/local-stack.js';
import { eventually, Service, type ProblemBody } from './support/service.js';

const MODELS = 'anything: { kind: classification, target: y }\n';
const CANARY = 'c4nary-s3cret-92ab';
const NDJSON = { 'content-type': 'application/x-ndjson' };

let service: Service;
let web: Server;
let origin: string;
beforeAll(async () => {
  web = createServer((request, response) => {
    if (request.headers.authorization === `Bearer ${CANARY}` && request.url?.includes(CANARY))
      return void response
        .setHeader('content-type', 'application/json')
        .end('[{"id": 1, "big": 12345678901234567890}]');
    response.writeHead(403).end(`${CANARY} is wrong`);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  origin = `http://localhost:${(web.address() as AddressInfo).port}`;
  const secrets = join(tmpdir(), `mlops-intake-secrets-${process.pid}.yaml`);
  writeFileSync(secrets, `api: { value: ${CANARY}, hosts: [localhost] }\n`);
  service = await Service.start(MODELS, {
    SOURCE_ALLOWED_HOSTS: 'localhost',
    SOURCE_SECRETS_FILE: secrets,
    UPLOAD_MAX_MB: '1',
  });
});
afterAll(async () => {
  await service?.stop();
  web?.close();
});

const upload = (query: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  service.call<Record<string, string>>('POST', `/data/uploads?${query}`, body, {
    'content-type': 'application/octet-stream',
    ...headers,
  });
const rowsOf = async (result: Record<string, unknown>) =>
  (
    await service.get<{ items: Record<string, unknown>[] }>(
      `/data/datasets/${String(result['dataset_id'])}/rows?limit=500`,
    )
  ).body.items;

describe('POST /data/uploads', () => {
  const table = 'id,name\n1,Ada\n2,Grace\n3,Edsger\n';

  it('201 keeps a file, the same one once, and a dataset is made of it', async () => {
    const sha256 = createHash('sha256').update(table).digest('hex');
    const sent = await Promise.all([1, 2, 3].map(() => upload(`format=csv&sha256=${sha256}`, table)));
    expect(sent.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(sent.map(({ body }) => body['upload_id'])).size).toBe(1);
    expect(sent[0]!.body).toMatchObject({ bytes: table.length, sha256, format: 'csv', compression: 'none' });
    const { upload_id: id, source } = sent[0]!.body;
    expect((await service.get(`/data/uploads/${id}`)).body).toMatchObject({ upload_id: id });
    const rows = await rowsOf(await service.run('/data/ingest', { source, data_type: 'people' }));
    expect(rows).toEqual([
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Grace' },
      { id: 3, name: 'Edsger' },
    ]);
    expect(readdirSync(join(service.stack.stateDir, 'data', 'uploads'))).toHaveLength(1);
  });

  it('takes the format from the Content-Type where the query has none', async () => {
    const { status, body } = await upload('', table, { 'content-type': 'text/csv; charset=utf-8' });
    expect([status, body['format']]).toEqual([201, 'csv']);
  });

  it('takes a packed body as it is', async () => {
    const { body } = await upload('format=csv', gzipSync(table), { 'content-encoding': 'gzip' });
    expect(body).toMatchObject({ compression: 'gzip' });
    const result = await service.run('/data/ingest', { source: body['source'], data_type: 'people' });
    expect(result).toMatchObject({ rows: 3 });
  });

  it('413, 415 and 422 keep nothing and say why', async () => {
    const before = readdirSync(join(service.stack.stateDir, 'data', 'uploads'));
    const cases: [string, string | Uint8Array, Record<string, string>, number, string][] = [
      ['', table, {}, 422, 'format'],
      ['format=xlsx', table, {}, 422, 'format'],
      ['format=csv', new Uint8Array(0), {}, 422, 'body'],
      ['format=csv&colour=red', table, {}, 422, 'colour'],
      [`format=csv&sha256=${'0'.repeat(64)}`, table, {}, 422, 'sha256'],
      ['format=csv', new Uint8Array(2 ** 20 + 1), {}, 413, ''],
      ['format=csv', table, { 'content-encoding': 'br' }, 415, ''],
    ];
    for (const [query, body, headers, status, path] of cases) {
      const answer = await upload(query, body, headers);
      expect(answer.status, `${query} ${answer.text}`).toBe(status);
      if (path) expect((answer.body as unknown as ProblemBody).errors?.[0]?.path).toBe(path);
    }
    expect(readdirSync(join(service.stack.stateDir, 'data', 'uploads'))).toEqual(before);
    expect((await service.get('/data/uploads/upl_0')).status).toBe(404);
    const unknown = await service.post('/data/ingest', { source: `upload:upl_${'0'.repeat(24)}`, data_type: 'people' });
    expect(unknown.status).toBe(404);
  });
});

describe('POST /data/events/{data_type}', () => {
  const event = (at: number, more = {}) => JSON.stringify({ event_id: `e-${at}`, at, ...more });

  it('200 takes one event and a stream, each id once, and a dataset is made of them', async () => {
    expect((await service.call('POST', '/data/events/clicks', event(0))).body).toEqual({
      accepted: 1,
      rejected: 0,
      problems: [],
    });
    const lines = Array.from({ length: 300 }, (_, at) => event(at, { late: true }));
    const stream = await service.call('POST', '/data/events/clicks', lines.join('\n'), NDJSON);
    expect(stream.body).toMatchObject({ accepted: 300, rejected: 0 });
    const packed = gzipSync(`${event(300)}\n\n${event(301)}\n`);
    await service.call('POST', '/data/events/clicks', packed, { ...NDJSON, 'content-encoding': 'gzip' });
    const result = await service.run('/data/ingest', { source: 'events:clicks', data_type: 'clicks' });
    expect(result).toMatchObject({ rows: 302, quarantined_rows: 0 });
    const rows = await rowsOf(result);
    expect(rows[0]).toMatchObject({ event_id: 'e-0', at: 0, late: null });
    expect(new Set(rows.map((row) => row['event_id'])).size).toBe(302);
  });

  it('rejects each bad line with its number and path, and takes the others', async () => {
    const body = [
      event(1000),
      '{"at": 1}',
      '[1]',
      '{"event_id": "x", ',
      '{"event_id": "y", "__proto__": {"a": 1}}',
      '{"event_id": "\\u0000"}',
      '',
      event(1001),
    ].join('\n');
    const answer = await service.call<{ accepted: number; problems: { line: number; path: string }[] }>(
      'POST',
      '/data/events/views',
      body,
      NDJSON,
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ accepted: 2, rejected: 5 });
    expect(answer.body.problems.map(({ line, path }) => [line, path])).toEqual([
      [2, 'event_id'],
      [3, 'body'],
      [4, 'body'],
      [5, '__proto__'],
      [6, 'event_id'],
    ]);
  });

  it('415 and 422 take nothing and say why', async () => {
    const wrong: [string, string, Record<string, string>, number][] = [
      ['/data/events/Clicks', event(1), {}, 422],
      ['/data/events/clicks', '{"no": "id"}', {}, 422],
      ['/data/events/clicks', '[]', {}, 422],
      ['/data/events/clicks', 'x\ny\n', NDJSON, 422],
      ['/data/events/clicks', 'a,b', { 'content-type': 'text/csv' }, 415],
      ['/data/events/clicks', event(1), { ...NDJSON, 'content-encoding': 'br' }, 415],
      ['/data/events/clicks', 'no gzip', { ...NDJSON, 'content-encoding': 'gzip' }, 400],
    ];
    for (const [path, body, headers, status] of wrong)
      expect((await service.call('POST', path, body, headers)).status, `${path} ${body}`).toBe(status);
    expect((await service.fail('/data/ingest', { source: 'events:nothing', data_type: 'x' })).code).toBe(
      'source_unreadable',
    );
  });

  it('loses no event that was acknowledged and doubles none, however often the API is killed', async () => {
    const acknowledged = new Set<string>();
    let sent = 0;
    const sending = { isOver: false };
    const send = async () => {
      while (!sending.isOver) {
        const start = (sent += 50);
        const lines = Array.from({ length: 50 }, (_, at) => event(start + at));
        const answer = await fetch(`${service.stack.api}/data/events/kills`, {
          method: 'POST',
          headers: NDJSON,
          body: lines.join('\n'),
        }).catch(() => undefined);
        if (answer?.ok) for (let at = 0; at < 50; at++) acknowledged.add(`e-${start + at}`);
        else await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const senders = [send(), send(), send()];
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      service.stack.kill9('api');
    }
    await eventually('the API', async () =>
      (await fetch(`${service.stack.api}/health/ready`).catch(() => undefined))?.ok ? true : undefined,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    sending.isOver = true;
    await Promise.all(senders);
    expect(acknowledged.size).toBeGreaterThan(500);
    const stored = await eventually('all acknowledged events', async () => {
      const rows = await service.query<{ event_id: string }>(`SELECT event_id FROM events WHERE data_type = 'kills'`);
      const ids = new Set(rows.map((row) => row.event_id));
      return [...acknowledged].every((id) => ids.has(id)) ? { rows, ids } : undefined;
    });
    expect(stored.ids.size).toBe(stored.rows.length);
    for (const id of acknowledged) if (!stored.ids.has(id)) throw new Error(`${id} was acknowledged and is lost`);
  });
});

describe('the credentials of a source', () => {
  it('are shown nowhere: no answer, job, history, row or log has them', async () => {
    const http = { secret: 'api' };
    const ids = [
      await service.start('/data/ingest', {
        source: `${origin}/x?key=${CANARY}`,
        data_type: 'secret',
        options: { http },
      }),
      await service.start('/data/ingest', {
        source: `${origin}/x?wrong=1`,
        data_type: 'secret',
        options: { http, format: 'json' },
      }),
      await service.start('/data/ingest', {
        source: `${origin.replace('://', `://user:${CANARY}@`)}/y.csv`,
        data_type: 'secret',
      }),
    ];
    const [good, ...bad] = await Promise.all(ids.map((id) => service.ended(id)));
    expect(good).toMatchObject({ status: 'completed', result: { rows: 1 } });
    expect((await rowsOf(good!.result!))[0]).toMatchObject({ big: '12345678901234567890' });
    for (const job of bad) expect(job).toMatchObject({ status: 'failed', error: { code: 'source_unreadable' } });
    const temporal = await service.temporal();
    for (const id of ids) {
      expect((await service.get(`/jobs/${id}`)).text).not.toContain(CANARY);
      const history = await temporal.workflow.getHandle(id).fetchHistory();
      const payloads = JSON.stringify(history, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
      );
      expect(payloads).toContain('planIngestion');
      expect(payloads).not.toContain(CANARY);
    }
    for (const table of ['jobs', 'datasets', 'source_watermarks', 'idempotency_keys'])
      expect(JSON.stringify(await service.query(`SELECT * FROM ${table}`))).not.toContain(CANARY);
    for (const part of PARTS)
      if (part !== 'postgres') expect(await readFile(service.stack.logFile(part), 'utf8'), part).not.toContain(CANARY);
    const data = join(service.stack.stateDir, 'data');
    for (const file of readdirSync(data, { recursive: true, withFileTypes: true }))
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(CANARY), file.name).toBe(false);
  });

  it.each([
    ['http://example.com/x.csv', 'must begin with https'],
    ['https://127.0.0.1/x.csv', 'private network'],
    ['https://[::ffff:169.254.169.254]/x.csv', 'private network'],
    ['https://2130706433/x.csv', 'private network'],
    ['s3://key:secret@bucket/x.csv', 'neither user nor query'],
    ['s3://bucket/x.csv', 'S3_ACCESS_KEY_ID'],
    ['gopher://localhost/', 'not supported'],
    ['https://', 'not a valid URL'],
  ])('422 source_forbidden before any job for %s', async (source, why) => {
    const answer = await service.post<ProblemBody>('/data/ingest', { source, data_type: 'x' });
    expect(answer.status, answer.text).toBe(422);
    expect(answer.body).toMatchObject({ type: 'urn:problem:source_forbidden', detail: expect.stringContaining(why) });
  });

  it('are not sent to a host that their entry does not name', async () => {
    const answer = await service.post<ProblemBody>('/data/ingest', {
      source: 'https://example.com/x.csv',
      data_type: 'x',
      options: { http: { secret: 'api' } },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors?.[0]?.path).toBe('options.http.secret');
  });
});
