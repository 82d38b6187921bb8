import { rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveReference, type JsonSchema } from './support/json-schema.js';
import { eventually, Service, type JobBody, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend]
`;

let service: Service;

beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', learnableTable(120));
});
afterAll(() => service?.stop());

const ingestion = { source: 'customers.csv', data_type: 'customers' };

describe('every failure is problem+json', () => {
  it.each<[string, string, string, unknown, Record<string, string>, number, string]>([
    ['malformed JSON', 'POST', '/models/train', '{"model_type": ', {}, 400, 'request_malformed'],
    ['a bare JSON value', 'POST', '/models/train', '"user_behavior"', {}, 400, 'request_malformed'],
    ['a path with a broken escape', 'GET', '/jobs/%ff', undefined, {}, 400, 'request_malformed'],
    ['a path with a NUL', 'GET', '/jobs/%00', undefined, {}, 400, 'request_malformed'],
    ['a deep path with a NUL', 'GET', '/models/customers/versions/a%00b', undefined, {}, 400, 'request_malformed'],
    ['an unknown path', 'GET', '/nowhere', undefined, {}, 404, 'resource_not_found'],
    ['an unknown job', 'GET', '/jobs/none', undefined, {}, 404, 'job_not_found'],
    ['an unknown dataset', 'GET', '/data/datasets/none/rows', undefined, {}, 404, 'dataset_not_found'],
    ['an unknown deployment', 'GET', '/deployments/none', undefined, {}, 404, 'deployment_not_found'],
    ['feedback on nothing', 'POST', '/predictions/x/feedback', { outcome: { a: 1 } }, {}, 404, 'prediction_not_found'],
    ['feedback that says nothing', 'POST', '/predictions/x/feedback', { outcome: {} }, {}, 422, 'request_invalid'],
    [
      'a wrong content type',
      'POST',
      '/data/ingest',
      'a=b',
      { 'content-type': 'text/plain' },
      415,
      'media_type_unsupported',
    ],
    [
      'a charset other than UTF-8',
      'POST',
      '/data/ingest',
      '{}',
      { 'content-type': 'application/json; charset=iso-8859-1' },
      415,
      'media_type_unsupported',
    ],
    [
      'an unknown encoding',
      'POST',
      '/data/ingest',
      '{}',
      { 'content-encoding': 'lzma' },
      415,
      'media_type_unsupported',
    ],
    ['a body that is no gzip', 'POST', '/data/ingest', 'xx', { 'content-encoding': 'gzip' }, 400, 'request_malformed'],
    ['a body of 2 MB', 'POST', '/models/train', { x: 'y'.repeat(2e6) }, {}, 413, 'body_too_large'],
    ['an array for an object', 'POST', '/models/train', [1, 2], {}, 422, 'request_invalid'],
    ['a missing body', 'POST', '/models/train', undefined, {}, 422, 'request_invalid'],
    ['a limit of 0', 'GET', '/jobs?limit=0', undefined, {}, 422, 'request_invalid'],
    ['a limit of 501', 'GET', '/jobs?limit=501', undefined, {}, 422, 'request_invalid'],
    ['a limit twice', 'GET', '/jobs?limit=1&limit=2', undefined, {}, 422, 'request_invalid'],
    ['an unknown filter', 'GET', '/jobs?colour=red', undefined, {}, 422, 'request_invalid'],
    ['an unknown state', 'GET', '/jobs?status=asleep', undefined, {}, 422, 'request_invalid'],
    ['a cursor with a NUL', 'GET', '/jobs?cursor=a%00b', undefined, {}, 422, 'request_invalid'],
    ['a cursor that is none', 'GET', '/jobs?cursor=made-up', undefined, {}, 422, 'request_invalid'],
    ['a dataset cursor that is none', 'GET', '/data/datasets?cursor=made-up', undefined, {}, 422, 'request_invalid'],
    ['a deployment cursor that is none', 'GET', '/deployments?cursor=made-up', undefined, {}, 422, 'request_invalid'],
    [
      'a version cursor that is none',
      'GET',
      '/models/customers/versions?cursor=v9.9.9',
      undefined,
      {},
      422,
      'request_invalid',
    ],
    ['a bad Idempotency-Key', 'POST', '/data/ingest', ingestion, { 'idempotency-key': 'a b' }, 422, 'request_invalid'],
  ])('%s', async (_title, method, path, body, headers, status, code) => {
    const answer = await service.call<ProblemBody>(method, path, body, headers);
    expect([answer.status, answer.body.type]).toEqual([status, `urn:problem:${code}`]);
  });

  it('a wrong method is 405 and names the right ones', async () => {
    for (const [method, path, allow] of [
      ['DELETE', '/models', 'GET'],
      ['GET', '/data/ingest', 'POST'],
      ['PATCH', '/schedules/customers', 'GET, PUT, DELETE'],
      ['POST', '/health', 'GET'],
      ['POST', '/openapi.json', 'GET'],
      ['POST', '/docs', 'GET'],
    ] as const) {
      const answer = await service.call<ProblemBody>(method, path);
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, allow]);
    }
  });

  it('a body that grows beyond the limit only once it is unpacked is 413', async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000, ' '));
    const answer = await service.post('/models/train', bomb, { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(413);
  });

  it('422 lists every offending path: wrong types, unknown keys, and names that pollute prototypes', async () => {
    const answer = await service.post<ProblemBody>(
      '/models/train',
      '{"model_type": 7, "colour": 1, "hyperparameters": {"n_estimators": 0, "momentum": 0.1, "max_depth": "deep"},' +
        ' "training_data": {"start_date": "yesterday", "filters": {"__proto__": {"x": 1}, "constructor": 1}}, "validation_split": 0.9,' +
        ' "__proto__": {"admin": true}}',
    );
    expect(answer.status).toBe(422);
    expect(answer.body.errors!.map((error) => error.path).toSorted()).toEqual(
      expect.arrayContaining([
        '__proto__',
        'colour',
        'hyperparameters.momentum',
        'hyperparameters.max_depth',
        'hyperparameters.n_estimators',
        'model_type',
        'training_data.filters.__proto__',
        'training_data.filters.constructor',
        'training_data.start_date',
        'validation_split',
      ]),
    );
  });

  it('text that no database can keep is 422 with its path', async () => {
    const answer = await service.post<ProblemBody>('/models/train', {
      model_type: 'customers',
      training_data: { source: 'a\0b', filters: { 'c\0': 'x', d: '\ud800' } },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors!.map((error) => error.path)).toEqual(
      expect.arrayContaining(['training_data.source', 'training_data.filters.d']),
    );
    expect(answer.body.errors).toHaveLength(3);
  });
});

describe('the correlation id', () => {
  it('of the caller is kept when it is well formed, and replaced when it is not', async () => {
    const kept = await service.call('GET', '/health/live', undefined, { 'x-correlation-id': 'caller.id_1:2-3' });
    expect(kept.headers.get('x-correlation-id')).toBe('caller.id_1:2-3');
    for (const bad of ['two words', '<script>', '-x', 'x'.repeat(129), 'a"b']) {
      const replaced = await service.call('GET', '/nowhere', undefined, { 'x-correlation-id': bad });
      expect(replaced.headers.get('x-correlation-id')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
  });

  it('is the same in the answer, the API log, the job, the workflow’s memo and the activities’ log', async () => {
    const id = 'trace-me-through-everything';
    const answer = await service.post<{ job_id: string }>('/data/ingest', ingestion, { 'x-correlation-id': id });
    const job = await service.ended(answer.body.job_id);
    expect(job).toMatchObject({ status: 'completed', correlation_id: id });
    const handle = (await service.temporal()).workflow.getHandle(job.job_id);
    expect((await handle.describe()).memo).toMatchObject({ correlation_id: id });
    await eventually('the line of the call in the API log', () =>
      Promise.resolve(
        service.log('api').find((line) => line['correlation_id'] === id && line['path'] === '/data/ingest'),
      ),
    );
    const line = await eventually('the line of the activity', () =>
      Promise.resolve(service.log('pipeline-worker').find((entry) => entry['correlation_id'] === id)),
    );
    expect(line).toMatchObject({ job_id: job.job_id, component: 'pipeline-worker' });
  });
});

describe('Idempotency-Key', () => {
  it('twenty simultaneous equal calls give one job, also after the API was killed; another body is 422', async () => {
    const headers = { 'idempotency-key': 'one-and-only' };
    const send = () => service.post<{ job_id: string }>('/data/ingest', ingestion, headers);
    const answers = await Promise.all(Array.from({ length: 20 }, send));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 202));
    const [id, ...others] = new Set(answers.map((answer) => answer.body.job_id));
    expect(others).toEqual([]);
    await service.ended(id!);
    const { count } = await (await service.temporal()).workflow.count(`WorkflowId = "${id}"`);
    expect(count).toBe(1);
    expect(await service.query('SELECT id FROM datasets WHERE job_id = $1', [id])).toHaveLength(1);

    service.stack.kill9('api');
    const again = await eventually('the API after its kill', () => send().catch(() => undefined));
    expect([again.status, again.body.job_id]).toEqual([202, id]);
    const other = await service.post<ProblemBody>('/data/ingest', { ...ingestion, data_type: 'others' }, headers);
    expect([other.status, other.body.type]).toEqual([422, 'urn:problem:idempotency_key_reused']);
    const elsewhere = await service.post<ProblemBody>('/models/train', { model_type: 'customers' }, headers);
    expect([elsewhere.status, elsewhere.body.type]).toEqual([422, 'urn:problem:idempotency_key_reused']);
  });

  it('gives the job again even when the same request would be refused by now', async () => {
    const source = service.file('short-lived.csv', 'a,b\n1,2\n3,4\n');
    const send = () =>
      service.post<{ job_id: string }>('/data/ingest', { source, data_type: 'gone' }, { 'idempotency-key': 'gone' });
    const first = await send();
    await service.ended(first.body.job_id);
    rmSync(`${service.inbox}/${source}`);
    const second = await send();
    expect([second.status, second.body.job_id]).toEqual([202, first.body.job_id]);
  });
});

describe('lists', () => {
  it('are cut by limit, newest first, and each cursor goes on where the page before ended', async () => {
    for (let at = 0; at < 4; at++) await service.run('/data/ingest', ingestion);
    for (const [path, id] of [
      ['/jobs', 'job_id'],
      ['/data/datasets', 'dataset_id'],
    ] as const) {
      const all = (await service.get<{ items: Record<string, string>[] }>(`${path}?limit=500`)).body.items;
      const times = all.map((item) => item['created_at']!);
      expect(times).toEqual(times.toSorted().toReversed());
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page: { items: Record<string, string>[]; next_cursor: string | null } = (
          await service.get<{ items: Record<string, string>[]; next_cursor: string | null }>(
            `${path}?limit=2${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
          )
        ).body;
        expect(page.items.length).toBeLessThanOrEqual(2);
        seen.push(...page.items.map((item) => item[id]!));
        cursor = page.next_cursor;
      }
      expect(seen).toEqual(all.map((item) => item[id]));
    }
  });

  it('of jobs are filtered by status, type and model', async () => {
    await service.ended(
      await service.start('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 5 } }),
    );
    const { items } = (await service.get<{ items: JobBody[] }>('/jobs?type=train&model=customers&status=completed'))
      .body;
    expect(items).toHaveLength(1);
    expect((await service.get<{ items: JobBody[] }>('/jobs?type=deploy')).body.items).toEqual([]);
  });
});

describe('schedules', () => {
  it('are made, read, replaced and deleted', async () => {
    const path = '/schedules/customers';
    expect((await service.get<ProblemBody>(path)).body.type).toBe('urn:problem:schedule_not_found');
    const made = await service.call('PUT', path, { cron: '0 3 * * 1', training: { auto_deploy: true } });
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({ model: 'customers', cron: '0 3 * * 1', paused: false });
    const changed = await service.call('PUT', path, { cron: '30 4 * * *', paused: true });
    expect(changed.body).toMatchObject({ cron: '30 4 * * *', paused: true });
    expect((await service.get<{ next_runs: string[] }>(path)).body.next_runs[0]).toMatch(/T04:30:00/);
    expect((await service.call('DELETE', path)).status).toBe(204);
    expect((await service.call('DELETE', path)).status).toBe(404);
  });

  it('with a bad cron expression or bad training are 422, and the former schedule stays', async () => {
    const path = '/schedules/customers';
    await service.call('PUT', path, { cron: '0 3 * * 1' });
    for (const cron of ['61 * * * *', '* * * *', 'every day at noon please', '@daily', '0 0 31 2 *x', '']) {
      const answer = await service.call<ProblemBody>('PUT', path, { cron });
      expect([cron, answer.status, answer.body.errors?.[0]?.path]).toEqual([cron, 422, 'cron']);
    }
    const bad = await service.call<ProblemBody>('PUT', path, {
      cron: '0 3 * * 1',
      training: { hyperparameters: { n_estimators: -1 } },
    });
    expect(bad.body.errors?.[0]?.path).toBe('training.hyperparameters.n_estimators');
    expect((await service.get(path)).body).toMatchObject({ cron: '0 3 * * 1' });
    expect((await service.call('PUT', '/schedules/nobody', { cron: '0 3 * * 1' })).status).toBe(404);
  });

  it('keep time zone, overlap, jitter, catch-up and note as they were given, and show what comes next', async () => {
    const path = '/schedules/customers';
    const body = {
      cron: '0 3 * * 1',
      timezone: 'Europe/Berlin',
      overlap: 'buffer_one',
      jitter_seconds: 90,
      catch_up_seconds: 3600,
      on_drift: true,
      note: 'weekly',
      training: { validation_split: 0.3 },
    };
    const first = await service.call('PUT', path, body);
    const again = await service.call('PUT', path, body);
    expect(again.body).toMatchObject(body);
    expect({ ...again.body, next_runs: [] }).toEqual({ ...first.body, next_runs: [] });
    const [next] = (await service.get<{ next_runs: string[] }>(path)).body.next_runs;
    expect(next, 'three in the morning in Berlin').toMatch(/T0[12]:0[01]:/);
    const paused = await service.post(`${path}/pause`, { note: 'release freeze' });
    expect(paused.body).toMatchObject({ paused: true, note: 'release freeze' });
    const described = await (await service.temporal()).schedule.getHandle('retrain-customers').describe();
    expect(described.state).toMatchObject({ paused: true, note: 'release freeze' });
    service.stack.kill9('temporal');
    const kept = await eventually('the schedule after a restart of Temporal', async () => {
      const { status, body: found } = await service.get(path);
      return status === 200 ? found : undefined;
    });
    expect(kept).toMatchObject({ ...body, paused: true, note: 'release freeze' });
    expect((await service.post(`${path}/resume`)).body).toMatchObject({ paused: false, note: 'resumed by local' });
    const { items } = (await service.get<{ items: object[] }>('/schedules')).body;
    expect(items).toMatchObject([{ model: 'customers', timezone: 'Europe/Berlin' }]);
    await service.call('DELETE', path);
    for (const action of ['pause', 'resume', 'trigger'])
      expect((await service.post<ProblemBody>(`${path}/${action}`)).body.type).toBe('urn:problem:schedule_not_found');
  });

  it('tell each setting that cannot be by its path', async () => {
    const bad = {
      timezone: ['Mars/Olympus', '+02:00', ''],
      overlap: ['queue', 1],
      jitter_seconds: [-1, 1.5, 86_401],
      catch_up_seconds: [9, 1e12],
      note: ['', 'x'.repeat(501)],
      on_drift: ['yes'],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        const answer = await service.call<ProblemBody>('PUT', '/schedules/customers', {
          cron: '0 3 * * 1',
          [name]: value,
        });
        expect([name, value, answer.status, answer.body.errors?.[0]?.path]).toEqual([name, value, 422, name]);
      }
    }
    expect((await service.get('/schedules/customers')).status).toBe(404);
  });

  it('start trainings that carry the model and the type of job, as any other training does', async () => {
    await service.call('PUT', '/schedules/customers', {
      cron: '0 3 * * 1',
      training: { hyperparameters: { n_estimators: 5 } },
    });
    const temporal = await service.temporal();
    expect((await service.post('/schedules/customers/trigger')).status).toBe(200);
    const job = await eventually('the scheduled job', async () =>
      (await service.get<{ items: JobBody[] }>('/jobs?type=train')).body.items.find((item) =>
        /scheduled/.test(item.job_id),
      ),
    );
    expect((await service.ended(job.job_id)).status).toBe('completed');
    const { searchAttributes } = await temporal.workflow.getHandle(job.job_id).describe();
    expect(searchAttributes).toMatchObject({ Model: ['customers'], JobType: ['train'] });
    expect((await service.get('/schedules/customers')).body).toMatchObject({
      recent_runs: [{ job_id: job.job_id }],
      runs: { started: 1, skipped: 0, missed: 0 },
    });
    await service.call('DELETE', '/schedules/customers');
  });
});

describe('operation', () => {
  it('/health names each dependency with its state and latency', async () => {
    const { dependencies } = await eventually('all dependencies up', async () => {
      const { body } = await service.get<{ status: string; dependencies: Record<string, object> }>('/health');
      return body.status === 'ok' ? body : undefined;
    });
    expect(Object.keys(dependencies).toSorted()).toEqual([
      'data_storage',
      'database',
      'database_schema',
      'model_storage',
      'models_config',
      'pipeline_worker',
      'temporal',
      'training_worker',
    ]);
    for (const dependency of Object.values(dependencies))
      expect(dependency).toMatchObject({ status: 'up', latency_ms: expect.any(Number), affects: expect.any(String) });
    expect((await service.get('/health/ready')).body).toEqual({ status: 'ready' });
    expect((await service.get('/health/live')).body).toEqual({ status: 'live' });
  });

  it('/metrics is in the Prometheus text format, with labels from closed sets', async () => {
    await service.get('/jobs/some-raw-path-that-must-not-be-a-label');
    const { text, headers } = await service.get('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    const sample = /^[a-zA-Z_:][\w:]*(\{(\w+="(\\.|[^"\\])*",?)*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]?Inf)$/;
    const wrong = text.split('\n').filter((line) => line && !/^# (HELP|TYPE) /.test(line) && !sample.test(line));
    expect(wrong).toEqual([]);
    expect(text).toContain('mlops_http_requests_total{method="GET",route="/jobs/{job_id}",status="404"}');
    expect(text).not.toContain('some-raw-path');
  });

  it('/openapi.json holds every route, unique operations, and references that lead somewhere', async () => {
    const document = await service.document();
    const paths = document['paths'] as Record<
      string,
      Record<string, JsonSchema & { operationId: string; summary: string }>
    >;
    for (const path of [
      '/predict/{model}',
      '/models/train',
      '/jobs/{job_id}/events',
      '/data/ingest',
      '/schedules/{model}',
    ])
      expect(Object.keys(paths)).toContain(path);
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(operations.length).toBeGreaterThan(25);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, method, operation } of operations) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const parameters = operation['parameters'] as { name: string; in: string }[];
      expect(
        parameters.filter((item) => item.in === 'path').map((item) => item.name),
        `${method} ${path}`,
      ).toEqual(names);
      expect(operation.summary).toBeTruthy();
      const statuses = Object.keys(operation['responses'] as object);
      expect(
        statuses.some((status) => status.startsWith('2')),
        `${method} ${path}`,
      ).toBe(true);
      if (operation['requestBody'])
        expect(statuses, `${method} ${path}`).toEqual(
          expect.arrayContaining(path.startsWith('/v2') ? ['400', '415'] : ['400', '415', '422']),
        );
    }
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
      expect(resolveReference(document, reference!)).toBeDefined();
    expect(document['openapi']).toBe('3.1.0');
  });

  it('every documented operation is routed: none answers "nothing here" or "not possible here"', async () => {
    const paths = (await service.document())['paths'] as Record<string, Record<string, unknown>>;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        if (path.endsWith('/events')) continue;
        const answer = await service.call<ProblemBody>(
          method.toUpperCase(),
          path.replaceAll(/\{\w+\}/g, 'nothing-real'),
        );
        expect([path, method, answer.body?.type]).not.toEqual([path, method, 'urn:problem:resource_not_found']);
        expect([path, method, answer.status]).not.toEqual([path, method, 405]);
      }
    }
  });

  it('/docs loads nothing from another host', async () => {
    const page = (await service.get('/docs')).text;
    const references = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(references.length).toBeGreaterThan(1);
    for (const reference of references) {
      expect(reference).toMatch(/^\/[^/]/);
      expect((await service.get(reference)).status, reference).toBe(200);
    }
    expect((await service.get('/docs/start.js')).text).not.toMatch(/https?:/);
    expect((await service.get('/docs')).headers.get('content-security-policy')).toMatch(/default-src 'none'/);
  });

  it('the log of the API has no stack trace for what callers did wrong', () => {
    expect(service.log('api').filter((line) => line['message'] === 'request failed unexpectedly')).toEqual([]);
  });
});
