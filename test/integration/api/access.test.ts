import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, Metadata, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { includesRole, ROLES, type Role } from '../../../core/roles.js';
import { freePort } from '../../../infra/local/free-port.js';
import { compiledScript } from '../../../services/project-root.js';
import { AUDIENCE, ISSUER, Issuer } from '../../support/issuer.js';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = ['customers', 'others']
  .map(
    (name) =>
      `${name}: { kind: classification, source: customers, entity: customer, target: outcome, exclude: [coin] }\n`,
  )
  .join('');
const FEATURES = { features: { usage: 10, plan: 'pro' } };

let issuer: Issuer;
let service: Service;
let grpcPort: number;
const tokens = {} as Record<Role, string>;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
  (await fetch(service.stack.api + path, { ...init, headers: { ...headers, ...(init.headers as object) } })).status;
/** A prediction as most callers send it: past Express once the token is known. */
const predict = (model: string, token: string) =>
  statusOf(
    `/predict/${model}`,
    { ...bearer(token), 'content-type': 'application/json' },
    { method: 'POST', body: JSON.stringify(FEATURES) },
  );

/** @returns the status code of ModelMetadata over gRPC */
async function metadataOverGrpc(token: string): Promise<number> {
  const { inference } = loadPackageDefinition(loadSync('api/grpc/open-inference.proto')) as unknown as {
    inference: { GRPCInferenceService: new (...of: unknown[]) => Client & Record<string, (...of: unknown[]) => void> };
  };
  const client = new inference.GRPCInferenceService(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const metadata = new Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  const code = await new Promise<number>((resolve) => {
    client['ModelMetadata']!({ name: 'customers' }, metadata, (error: { code: number } | null) =>
      resolve(error?.code ?? 0),
    );
  });
  client.close();
  return code;
}

beforeAll(async () => {
  [issuer, grpcPort] = [await Issuer.start('ES256'), await freePort()];
  service = await Service.start(MODELS, {
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: ISSUER,
    AUTH_AUDIENCE: AUDIENCE,
    API_WORKERS: '2',
    GRPC_PORT: String(grpcPort),
  });
  for (const role of ROLES) tokens[role] = await issuer.sign({ sub: `the ${role}`, role });
  service.signIn = bearer(tokens.admin);
  service.file('customers.csv', learnableTable(150));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  // Workers read the served version back from an API that takes nobody without a token.
  for (const model of ['customers', 'others']) {
    await service.run('/models/train', { model_type: model, hyperparameters: { n_estimators: 5, max_depth: 3 } });
    await service.run(`/models/${model}/deploy`, { version: 'v1.0.0', allow_unpromotable: true });
  }
});
afterAll(async () => {
  await service?.stop();
  await issuer?.stop();
});

describe('every route', () => {
  it('is refused to nobody and to each lower role, and reached by its own', { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    for (const { method, path, role } of ALL_ROUTES) {
      const url = path.replaceAll(/\{\w+\}/g, 'none');
      const ask = (token?: string) =>
        statusOf(url, token ? bearer(token) : {}, {
          method: method.toUpperCase(),
          redirect: 'manual',
          // No schema takes it: who is let in must not start real work here.
          ...(method === 'get' ? {} : { body: '[1]', headers: { 'content-type': 'application/json' } }),
        });
      const expectStatus = async (who: string, wanted: (status: number) => boolean, token?: string) => {
        const status = await ask(token);
        if (!wanted(status)) wrong.push(`${method} ${path} answered ${status} to ${who}`);
      };
      const isLetIn = (status: number) => status !== 401 && status !== 403 && status !== 500;
      if (role === 'public') {
        await expectStatus('nobody', isLetIn);
        await expectStatus('a bad token', isLetIn, 'nonsense');
        continue;
      }
      await expectStatus('nobody', (status) => status === 401);
      for (const lower of ROLES.filter((other) => !includesRole(other, role)))
        await expectStatus(lower, (status) => status === 403, tokens[lower]);
      await expectStatus(role, isLetIn, tokens[role]);
    }
    expect(wrong).toEqual([]);
  });

  it('says how to sign in, and tells no two bad tokens apart', async () => {
    service.signIn = {};
    const nobody = await service.call('GET', '/jobs');
    service.signIn = bearer(tokens.admin);
    expect(nobody).toMatchObject({ status: 401, body: { type: 'urn:problem:unauthenticated' } });
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer realm="ml-pipeline-service"');
    const ended = await issuer.sign({ exp: 1 });
    const texts = [];
    for (const token of [ended, 'nonsense', 'mlps_nonsense']) {
      const { status, headers, body } = await service.call<{ detail: string }>(
        'GET',
        '/jobs',
        undefined,
        bearer(token),
      );
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
      texts.push(body.detail);
    }
    expect(new Set(texts).size).toBe(1);
    const denied = await service.call('DELETE', '/subjects/x', undefined, bearer(tokens.viewer));
    expect(denied.headers.get('www-authenticate')).toContain('error="insufficient_scope", scope="admin"');
  });

  it('of the direct way, of the inference protocol and of gRPC holds to the same', async () => {
    for (const [token, status] of [
      ['', 401],
      [tokens.viewer, 403],
      [tokens.predictor, 200],
    ] as const)
      for (let i = 0; i < 3; i++) expect(await predict('customers', token), `${status}`).toBe(status);
    expect(await statusOf('/v2/models/customers', bearer(tokens.viewer))).toBe(403);
    expect(await statusOf('/v2/models/customers', bearer(tokens.predictor))).toBe(200);
    for (const [token, code] of [
      ['', 16],
      [tokens.viewer, 7],
      [tokens.predictor, 0],
    ] as const)
      expect(await metadataOverGrpc(token)).toBe(code);
    expect(await statusOf('/docs', {})).toBe(200);
    expect(await statusOf('/jobs/none/events', {})).toBe(401);
    const callers = await service.query<{ caller: string }>(
      'SELECT DISTINCT caller FROM predictions WHERE model = $1',
      ['customers'],
    );
    expect(callers.map(({ caller }) => caller)).toEqual(['the predictor']);
  });

  it('keeps who started a job with the job', async () => {
    const rows = await service.query<{ requested_by: string }>(
      'SELECT DISTINCT requested_by FROM jobs WHERE type = $1',
      ['train'],
    );
    expect(rows).toEqual([{ requested_by: 'the admin' }]);
  });
});

describe('a service token', () => {
  const make = (body: object) => service.post<{ token: string; token_id: string; prefix: string }>('/tokens', body);

  it('is shown once, kept as a hash, and ends in every process within a second of being revoked', async () => {
    const { body: made, status } = await make({ name: 'checkout', role: 'predictor', expires_in_days: 1 });
    expect(status).toBe(201);
    for (let i = 0; i < 6; i++) expect(await predict('customers', made.token)).toBe(200);
    const rows = await service.query<{ row: string }>('SELECT t::text AS row FROM service_tokens t');
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toContain(made.token.slice(made.prefix.length));
    expect(await make({ name: 'checkout', role: 'viewer' })).toMatchObject({ status: 409 });
    const used = await eventually('the last use', async () => {
      const { body } = await service.get<{ last_used_at: string | null }>(`/tokens/${made.token_id}`);
      return body.last_used_at ?? undefined;
    });
    expect(Date.parse(used)).toBeGreaterThan(Date.now() - 60_000);
    const revoked = await service.call('DELETE', `/tokens/${made.token_id}`);
    expect(revoked.body).toMatchObject({ revoked_by: 'the admin', revoked_at: expect.any(String) });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (let i = 0; i < 6; i++) expect(await predict('customers', made.token)).toBe(401);
    expect(JSON.stringify((await service.get('/tokens')).body)).not.toContain(made.token);
  });

  it('of some models reaches what is theirs, and all else is not there for it', async () => {
    const { token } = (await make({ name: 'theirs', role: 'operator', models: ['customers'] })).body;
    const ask = (method: string, path: string, body?: unknown) =>
      service.call<{ type: string; items: { model: string }[] }>(method, path, body, bearer(token));
    const rows = await service.query<{ model: string; id: string }>('SELECT model, id FROM jobs WHERE type = $1', [
      'train',
    ]);
    const idOf = (model: string) => rows.find((row) => row.model === model)!.id;
    const [deployment] = await service.query<{ id: string }>('SELECT id FROM deployments WHERE model = $1', ['others']);
    await service.query(`
      INSERT INTO alerts (id, rule, model, monitor, subject, segment, severity, status, summary, evidence, receivers, opened_window, last_window)
        SELECT 'alt-' || model, 'made', model, 'drift', 'input:x', '', 'low', 'open', '', '{}', '[]', now(), now() FROM unnest(ARRAY['customers', 'others']) model;
      `);
    await service.query(`
      INSERT INTO repairs (id, model, state, trigger, requested_by, settings, former_version, job_id)
        SELECT 'rep-' || model, model, 'failed', '', 'x', '{}', 'v1.0.0', 'job-' || model FROM unnest(ARRAY['customers', 'others']) model`);
    const { dataset_id: secrets } = await service.run('/data/ingest', {
      source: 'customers.csv',
      data_type: 'secrets',
    });
    const [own] = await service.query<{ dataset_id: string }>(
      `SELECT id AS dataset_id FROM datasets WHERE data_type = 'customers'`,
    );
    const other = (await service.post<{ prediction_id: string }>('/predict/others', FEATURES)).body.prediction_id;
    expect(await predict('customers', token)).toBe(200);
    expect((await ask('GET', `/jobs/${idOf('customers')}`)).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', '/predict/others', FEATURES],
      ['POST', '/predict/user-behavior', { features: {} }],
      ['POST', '/predict/others/batch', { instances: [] }],
      ['GET', '/models/others'],
      ['GET', '/models/others/versions/v1.0.0'],
      ['POST', '/models/others/deploy', { version: 'v1.0.0' }],
      ['POST', '/models/train', { model_type: 'others' }],
      ['GET', `/jobs/${idOf('others')}`],
      ['GET', `/jobs/${idOf('others')}/events`],
      ['POST', `/jobs/${idOf('others')}/cancel`],
      ['GET', `/deployments/${deployment!.id}`],
      ['POST', `/deployments/${deployment!.id}/abort`, {}],
      ['GET', `/lineage/predictions/${other}`],
      ['POST', `/predictions/${other}/feedback`, { outcome: { outcome: 'stay' } }],
      ['GET', '/v2/models/others'],
      ['GET', '/alerts/alt-others'],
      ['POST', '/alerts/alt-others/acknowledge'],
      ['GET', '/alerts/budget?model=others'],
      ['GET', '/repairs/rep-others'],
      ['POST', '/models/others/repair', {}],
      ['GET', '/monitors/others'],
      ['GET', '/analytics/drift?model_type=others'],
      ['POST', '/models/train', { model_type: 'customers', training_data: { source: 'secrets' } }],
      ['POST', '/models/train', { model_type: 'customers', training_data: { source: secrets } }],
      ['PUT', '/schedules/customers', { cron: '0 3 * * 1', training: { training_data: { source: secrets } } }],
    ] as const)
      expect((await ask(method, path, body)).status, `${method} ${path}`).toBe(404);
    const [none, theirs] = await Promise.all(
      ['ds_none', secrets].map((source) =>
        ask('POST', '/models/train', { model_type: 'customers', training_data: { source } }),
      ),
    );
    expect(theirs!.text.replaceAll(/ds_\w+|"correlation_id":"[^"]*"/g, '')).toBe(
      none!.text.replaceAll(/ds_\w+|"correlation_id":"[^"]*"/g, ''),
    );
    for (const source of ['customers', own!.dataset_id]) {
      const schedule = { cron: '0 3 * * 1', paused: true, training: { training_data: { source } } };
      expect((await ask('PUT', '/schedules/customers', schedule)).status).toBe(200);
    }
    // What is another's and what is not there at all are told in the same words.
    const [foreign, missing] = [await ask('GET', `/jobs/${idOf('others')}`), await ask('GET', '/jobs/none')];
    expect(foreign.text.replaceAll(/train-\w+|"correlation_id":"[^"]*"/g, '')).toBe(
      missing.text.replaceAll(/none|"correlation_id":"[^"]*"/g, ''),
    );
    for (const path of ['/alerts/alt-customers', '/repairs/rep-customers', '/analytics/drift?model_type=customers'])
      expect((await ask('GET', path)).status, path).toBe(200);
    expect((await ask('GET', '/whoami')).body).toEqual({
      subject: 'token:theirs',
      role: 'operator',
      models: ['customers'],
    });
    for (const [method, path] of [
      ['GET', '/data/datasets'],
      ['POST', '/alerts/silences'],
      ['GET', '/webhooks'],
      ['GET', '/freezes'],
      ['POST', '/retention/run'],
      ['POST', '/models/customers/versions/import'],
    ] as const)
      expect((await ask(method, path)).status, path).toBe(403);
    for (const list of [
      'models',
      'jobs',
      'deployments',
      'runs',
      'sweeps',
      'experiments',
      'alerts',
      'repairs',
      'drills',
    ])
      for (const { model } of (await ask('GET', `/${list}`)).body.items) expect(model, list).toBe('customers');
    expect((await ask('GET', '/jobs')).body.items).toHaveLength(2);
  });

  it('is made, listed and revoked from the command line', async () => {
    const env = { ...process.env, DATABASE_URL: service.stack.addresses.databaseUrl };
    const run = async (...flags: string[]) => {
      const { stdout } = await promisify(execFile)(process.execPath, [compiledScript('commands/token.js'), ...flags], {
        env,
      });
      return (stdout.startsWith('{') ? JSON.parse(stdout) : { token: stdout.trim() }) as {
        token: string;
        items: { name: string; created_by: string }[];
        revoked_at: string;
      };
    };
    const { token } = await run('create', '--name', 'from-shell', '--role', 'viewer', '--days', '2');
    expect(await statusOf('/jobs', bearer(token))).toBe(200);
    const { items } = await run('list');
    expect(items[0]).toMatchObject({ name: 'from-shell', created_by: expect.stringMatching(/^command line: /) });
    expect((await run('revoke', 'from-shell')).revoked_at).toBeTruthy();
    const folder = mkdtempSync(join(tmpdir(), 'mlops-token-'));
    const file = join(folder, 'scrape', 'token');
    const keep = () => run('create', '--name', 'scrape', '--role', 'viewer', '--to', file);
    const read = () => readFileSync(file, 'utf8');
    await keep();
    const first = read();
    expect(await statusOf('/metrics', bearer(first))).toBe(200);
    await keep();
    expect(read()).toBe(first);
    // Lost, or revoked: a new one takes its place.
    rmSync(file);
    await keep();
    expect(await statusOf('/metrics', bearer(read()))).toBe(200);
    await expect.poll(() => statusOf('/metrics', bearer(first)), { timeout: 2000 }).toBe(401);
    rmSync(folder, { recursive: true });
    const shown = await run('create', '--name', 'shown', '--role', 'viewer', '--to', '-');
    expect(await statusOf('/health', bearer(shown.token))).toBe(200);
    await expect(run('create', '--name', 'Bad Name', '--role', 'root')).rejects.toThrow(/name: .*[\s\S]*role: /);
    await expect.poll(() => statusOf('/jobs', bearer(token)), { timeout: 2000 }).toBe(401);
  });

  it('ends the streams that it reads with it', async () => {
    const { body: made } = await make({ name: 'reader', role: 'viewer' });
    const training = await service.post<{ job_id: string }>('/models/train', { model_type: 'customers' });
    const job = (await service.temporal()).workflow.getHandle(training.body.job_id);
    await job.signal('pause');
    const { body } = await fetch(`${service.stack.api}/jobs/${job.workflowId}/events`, { headers: bearer(made.token) });
    await service.call('DELETE', `/tokens/${made.token_id}`);
    const text = await new Response(body).text();
    expect(text).toMatch(/"status":"(queued|running)"/);
    expect(text).not.toMatch(/"status":"(completed|failed|cancelled)"/);
    expect((await service.call('POST', `/jobs/${job.workflowId}/cancel`)).status).toBe(202);
  });

  it('that is known already goes on while the database is away, and a new one is told to wait', async () => {
    const { token } = (await make({ name: 'steady', role: 'predictor' })).body;
    expect(await predict('customers', token)).toBe(200);
    service.stack.kill9('postgres');
    for (let i = 0; i < 6; i++) expect(await predict('customers', token)).toBe(200);
    await eventually('the database', async () =>
      (await statusOf('/jobs', service.signIn)) === 200 ? true : undefined,
    );
  });
});

describe('the audit log', () => {
  const read = async (query: string) =>
    (await service.get<{ items: Record<string, unknown>[] }>(`/audit?limit=500&${query}`)).body.items;

  it('has the call, the change and the decision of a deployment, each with who and when', async () => {
    const [call] = await read('action=POST%20/models/{model}/deploy&model=others&kind=call');
    expect(call).toMatchObject({
      subject: 'the admin',
      role: 'admin',
      status: 202,
      target: 'others',
      address: '127.0.0.1',
    });
    const [job] = await read(`action=job.created&correlation_id=${call!['correlation_id'] as string}`);
    expect(job).toMatchObject({ kind: 'change', subject: 'the admin', model: 'others', detail: { type: 'deploy' } });
    expect(await read('kind=decision&model=others')).toMatchObject([
      { action: 'traffic.created', detail: { version: 'v1.0.0' } },
    ]);
  });

  it('has denied calls, also those that were answered as if there were nothing, and the use of tokens', async () => {
    expect((await read('kind=denied&subject=the%20viewer')).length).toBeGreaterThan(20);
    expect(await read('kind=denied&subject=token:theirs&action=GET%20/models/{model}')).toMatchObject([
      { status: 404 },
    ]);
    expect(await read('kind=key_use&subject=token:checkout')).toHaveLength(1);
    expect(await read('action=token.changed&subject=the%20admin')).not.toHaveLength(0);
  });

  it('has no predictions, no feature values, no secrets and no names of persons', async () => {
    await service.call('DELETE', '/subjects/person-4711');
    expect(await read('action=DELETE%20/subjects/{entity_id}&kind=call')).not.toHaveLength(0);
    const { text } = await service.call('GET', '/audit?limit=500', undefined, { accept: 'application/x-ndjson' });
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number; kind: string; action: string });
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, at) => at + 1));
    expect(lines.filter(({ kind, action }) => kind === 'call' && /predict|feedback/.test(action))).toEqual([]);
    for (const secret of ['person-4711', 'mlps_nonsense', tokens.admin, '"usage"']) expect(text).not.toContain(secret);
  });

  it('is verified over HTTP, against an entry that was kept elsewhere, too', async () => {
    type Verdict = { intact: boolean; entries: number; head: { seq: number; hash: string } };
    const { body } = await service.get<Verdict>('/audit/verify');
    expect(body).toMatchObject({ intact: true, entries: body.head.seq });
    const { seq, hash } = body.head;
    expect((await service.get<Verdict>(`/audit/verify?seq=${seq}&hash=${hash}`)).body.intact).toBe(true);
    expect((await service.get<Verdict>(`/audit/verify?seq=${seq}&hash=${'0'.repeat(64)}`)).body.intact).toBe(false);
    expect((await service.get(`/audit/verify?seq=${seq}`)).status).toBe(422);
    expect((await service.get('/audit?from=yesterday')).status).toBe(422);
  });
});
