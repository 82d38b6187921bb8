import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INCONSISTENT_STATES } from '../../support/inconsistent-states.js';
import { isSigned, WebhookReceiver } from '../../support/webhook-receiver.js';
import { eventually, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const EVIL = '<img src=x onerror=alert(1)> | [x](javascript:alert(1)) `*_';
const MODELS = `customers:
  kind: classification
  source: customers
  description: ${JSON.stringify(`Who leaves? ${EVIL}`)}
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
guarded:
  kind: classification
  source: customers
  target: outcome
  features: [usage, plan]
  approvals: { count: 1, role: operator }
`;
const SMALL = { n_estimators: 20, max_depth: 6 };

interface Version {
  version: string;
  state: string;
  tags: Record<string, string>;
  aliases: string[];
  digest: string;
}
type Event = { from: string | null; to: string; by: string; reason: string; deployment_id: string | null };

let service: Service;
const receiver = new WebhookReceiver();
const path = (version: string, more = '', model = 'customers') => `/models/${model}/versions/${version}${more}`;
const train = async (model: string, more: object = {}) =>
  String((await service.run('/models/train', { model_type: model, hyperparameters: SMALL, ...more }))['version']);
const version = async (name: string) => (await service.get<Version>(path(name))).body;
const historyOf = async (name: string, model = 'customers') =>
  (await service.get<{ items: Event[] }>(path(name, '/history', model))).body.items;
const listed = async (query = '') =>
  (await service.get<{ items: Version[] }>(`/models/customers/versions${query}`)).body.items.map((one) => one.version);
async function refused(method: string, where: string, body: unknown, status: number): Promise<ProblemBody> {
  const answer = await service.call<ProblemBody>(method, where, body);
  expect(answer.status, answer.text).toBe(status);
  return answer.body;
}
const ask = async (name: string, state: string, reason?: string) => {
  const answer = await service.post<Version>(path(name, '/state'), { state, ...(reason ? { reason } : {}) });
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
};

beforeAll(async () => {
  await receiver.start();
  service = await Service.start(MODELS, {
    WEBHOOK_ALLOWED_HOSTS: '127.0.0.1',
    NODE_ENV: 'test',
    FAILPOINT: 'webhook:after-send',
  });
  service.file('customers.csv', learnableTable(900));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  for (const seed of [0, 0, 1, 2]) await train('customers', { hyperparameters: { ...SMALL, seed } });
});
afterAll(async () => {
  await service?.stop();
  await receiver.stop();
});

describe('the state of a version', () => {
  it('is registered, then follows deployments, a canary and a rollback', async () => {
    expect(await listed()).toEqual(['v1.3.0', 'v1.2.0', 'v1.1.0', 'v1.0.0']);
    await service.run('/models/customers/deploy', { version: 'v1.0.0' });
    await service.run('/models/customers/deploy', { version: 'v1.1.0' });
    expect((await version('v1.0.0')).state).toBe('retired');
    expect(await version('production')).toMatchObject({ version: 'v1.1.0', state: 'production' });
    const canary = await service.post<{ deployment_id: string; job_id: string }>('/models/customers/deploy', {
      version: 'v1.2.0',
      strategy: 'canary',
      canary: { steps: [10, 100], step_seconds: 60 },
    });
    await eventually('the canary', async () => ((await version('v1.2.0')).state === 'canary' ? true : undefined));
    const problem = await refused('POST', path('v1.2.0', '/state'), { state: 'archived' }, 409);
    expect(problem.detail).toContain('is canary and cannot become archived');
    expect((await service.post('/models/customers/rollback')).status).toBe(200);
    expect((await version('v1.2.0')).state).toBe('candidate');
    await service.ended(canary.body.job_id);
    expect((await service.post('/models/customers/rollback')).status).toBe(200);
    expect([(await version('v1.0.0')).state, (await version('v1.1.0')).state]).toEqual(['production', 'retired']);
    expect((await historyOf('v1.2.0')).map(({ from, to, by }) => [from, to, by])).toEqual([
      ['canary', 'candidate', 'local'],
      ['registered', 'canary', 'local'],
      [null, 'registered', 'local'],
    ]);
    expect((await historyOf('v1.0.0'))[0]).toMatchObject({
      from: 'retired',
      to: 'production',
      reason: 'Rolled back to v1.0.0 by local.',
    });
    expect(await service.query(INCONSISTENT_STATES)).toEqual([]);
  });

  it('can be candidate or archived on request; a change that is not possible names those which are', async () => {
    expect((await ask('v1.3.0', 'candidate', 'The best of this week.')).state).toBe('candidate');
    await ask('v1.3.0', 'candidate');
    expect((await ask('v1.3.0', 'archived')).state).toBe('archived');
    expect(await listed()).not.toContain('v1.3.0');
    expect(await listed('?state=archived')).toEqual(['v1.3.0']);
    const deployed = await refused('POST', '/models/customers/deploy', { version: 'v1.3.0' }, 409);
    expect(deployed).toMatchObject({ type: 'urn:problem:version_conflict', detail: expect.stringContaining('/state') });
    await refused('PUT', '/models/customers/aliases/next', { version: 'v1.3.0' }, 409);
    const shadow = await refused('POST', path('v1.3.0', '/state'), { state: 'shadow' }, 409);
    expect(shadow.detail).toContain('It can become registered or candidate by request.');
    const arms = [
      { version: 'v1.0.0', weight: 1 },
      { version: 'v1.3.0', weight: 1 },
    ];
    await refused(
      'POST',
      '/experiments',
      { model: 'customers', metric: 'feedback:revenue', minimum_effect: 1, arms },
      409,
    );
    // Started from the command line, past the API, the workflow asks for itself.
    const temporal = await service.temporal();
    const workflowId = 'deploy-by-hand';
    await temporal.workflow.start('deployModel', {
      taskQueue: 'pipeline',
      workflowId,
      args: [{ model: 'customers', version: 'v1.3.0' }],
    });
    expect((await service.ended(workflowId)).error).toMatchObject({ code: 'version_conflict' });
    expect((await ask('v1.3.0', 'registered')).state).toBe('registered');
    expect((await historyOf('v1.3.0')).map(({ to }) => to)).toEqual([
      'registered',
      'archived',
      'candidate',
      'registered',
    ]);
    expect((await historyOf('v1.3.0'))[2]!.reason).toBe('The best of this week.');
    await refused('POST', path('v1.3.0', '/state'), { state: 'gone' }, 422);
    await refused('POST', path('v9.0.0', '/state'), { state: 'archived' }, 404);
    await refused('GET', '/models/customers/versions?state=gone', undefined, 422);
    const page = await service.get<{ next_cursor: string }>(path('v1.3.0', '/history?limit=2'));
    const rest = await service.get<{ items: Event[] }>(
      path('v1.3.0', `/history?limit=2&cursor=${page.body.next_cursor}`),
    );
    expect(rest.body.items.map(({ to }) => to)).toEqual(['candidate', 'registered']);
    await refused('GET', path('v1.3.0', '/history?cursor=evt-0'), undefined, 422);
  });
});

describe('notes, tags and aliases', () => {
  it('stay with the version; notes are only added', async () => {
    const note = await service.post(path('v1.1.0', '/notes'), { text: `Without the pilot. ${EVIL}` });
    expect(note).toMatchObject({ status: 201, body: { by: 'local' } });
    await service.post(path('v1.1.0', '/notes'), { text: 'Second.' });
    const { items } = (await service.get<{ items: { text: string }[] }>(path('v1.1.0', '/notes'))).body;
    expect(items.map(({ text }) => text)).toEqual(['Second.', `Without the pilot. ${EVIL}`]);
    await refused('POST', path('v1.1.0', '/notes'), { text: ' ' }, 422);
    await refused('POST', path('v1.1.0', '/notes'), { text: 'x'.repeat(10_001) }, 422);
    await refused('DELETE', path('v1.1.0', '/notes'), undefined, 405);
  });

  it('find versions, within bounds', async () => {
    const put = (tags: object) => service.call<Version>('PUT', path('v1.1.0', '/tags'), { tags });
    expect((await put({ team: 'growth', 'data/kind': 'real:2026' })).body.tags).toEqual({
      team: 'growth',
      'data/kind': 'real:2026',
    });
    expect(await listed('?tag=team')).toEqual(['v1.1.0']);
    expect(await listed('?tag=team:growth&state=retired')).toEqual(['v1.1.0']);
    expect(await listed(`?tag=${encodeURIComponent('data/kind:real:2026')}`)).toEqual(['v1.1.0']);
    expect(await listed('?tag=team:sales')).toEqual([]);
    expect((await put({ team: '' })).status).toBe(200);
    expect([await listed('?tag=team'), await listed('?tag=team:')]).toEqual([['v1.1.0'], ['v1.1.0']]);
    expect(await listed('?tag=other')).toEqual([]);
    expect((await put({ team: 'x'.repeat(257) })).status).toBe(422);
    expect((await put({ 'Bad key': 'x' })).status).toBe(422);
    expect((await put(Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`t${at}`, 'x'])))).status).toBe(422);
    const problem = await refused('PUT', path('v1.1.0', '/tags'), '{"tags": {"__proto__": "x"}}', 422);
    expect(problem.errors?.[0]?.path).toBe('tags.__proto__');
    expect((await put({})).body.tags).toEqual({});
  });

  it('point callers at a version, and hold it in place', async () => {
    const alias = await service.call('PUT', '/models/customers/aliases/stable', { version: 'v1.2.0' });
    expect(alias.body).toMatchObject({ alias: 'stable', version: 'v1.2.0' });
    const predicted = await service.post('/predict/customers', {
      features: { usage: 3, plan: 'pro' },
      model_version: 'stable',
    });
    expect(predicted.body).toMatchObject({ model_version: 'v1.2.0' });
    expect((await refused('POST', path('v1.2.0', '/state'), { state: 'archived' }, 409)).detail).toContain(
      'alias stable',
    );
    expect((await version('v1.2.0')).aliases).toEqual(['stable']);
    await refused('PUT', '/models/customers/aliases/production', { version: 'v1.2.0' }, 409);
    await refused('PUT', '/models/customers/aliases/Bad', { version: 'v1.2.0' }, 422);
    await refused('PUT', '/models/customers/aliases/next', { version: 'v9.9.9' }, 404);
    const all = await service.get<{ items: { alias: string }[] }>('/models/customers/aliases');
    expect(all.body.items.map((one) => one.alias)).toEqual(['production', 'stable']);
    expect((await service.call('DELETE', '/models/customers/aliases/stable')).status).toBe(204);
    await refused('DELETE', '/models/customers/aliases/stable', undefined, 404);
  });
});

describe('approvals', () => {
  it('are asked for by the entry of a model, at the API, in the workflow and in a training that would deploy', async () => {
    const trained = await service.post<{ job_id: string; warnings: { path: string }[] }>('/models/train', {
      model_type: 'guarded',
      hyperparameters: SMALL,
      auto_deploy: true,
    });
    expect(trained.body.warnings.map((one) => one.path)).toContain('auto_deploy');
    const job = await service.ended(trained.body.job_id);
    expect(job.status).toBe('completed');
    const problem = await refused('POST', '/models/guarded/deploy', { version: 'v1.0.0' }, 409);
    expect(problem).toMatchObject({
      type: 'urn:problem:approval_missing',
      detail: expect.stringContaining('lacks 1 of its 1 approvals by a subject with the role operator'),
    });
    const temporal = await service.temporal();
    const workflowId = 'deploy-unapproved';
    await temporal.workflow.start('deployModel', {
      taskQueue: 'pipeline',
      workflowId,
      args: [{ model: 'guarded', version: 'v1.0.0' }],
    });
    expect((await service.ended(workflowId)).error).toMatchObject({ code: 'approval_missing' });
    const approvals = path('v1.0.0', '/approvals', 'guarded');
    await service.post(approvals, { decision: 'reject', note: 'Not yet.' });
    expect((await refused('POST', '/models/guarded/deploy', { version: 'v1.0.0' }, 409)).detail).toContain(
      'consent of local',
    );
    const given = await service.post(approvals, { decision: 'approve' });
    expect(given.body).toMatchObject({ approved: true, missing: 0, approved_by: ['local'], rejected_by: [] });
    await service.run('/models/guarded/deploy', { version: 'v1.0.0' });
    const second = await train('guarded', { hyperparameters: { ...SMALL, seed: 3 } });
    // Back to what never served is no way around.
    await refused('POST', '/models/guarded/rollback', { version: second }, 409);
    await service.post(path(second, '/approvals', 'guarded'), { decision: 'approve' });
    await service.run('/models/guarded/deploy', { version: second });
    await service.post(approvals, { decision: 'reject' });
    // What has served before may be gone back to at any time.
    expect((await service.post('/models/guarded/rollback')).body).toMatchObject({ version: 'v1.0.0' });
    await refused('POST', approvals, { decision: 'perhaps' }, 422);
  });
});

describe('the card of a version', () => {
  it('is the same each time, says what there is to say, and lets no text of a user be more than text', async () => {
    const get = (accept: string) => service.call('GET', path('v1.1.0', '/card'), undefined, { accept });
    const page = await get('*/*');
    expect(page.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    expect((await get('text/markdown')).text).toBe(page.text);
    for (const part of [
      'Intended use',
      'Training',
      'Figures',
      'Calibration',
      'Groups of rows',
      'Limits',
      'Lineage',
      'Approvals',
      'Notes',
      'History',
    ])
      expect(page.text).toMatch(new RegExp(`^## ${part}`, 'm'));
    expect(page.text).toContain((await version('v1.1.0')).digest);
    expect(page.text).toContain('majority rate');
    expect(page.text).not.toMatch(/<img|[^\\]\[x|[^\\]`/);
    const { body } = await get('application/json');
    expect(body).toMatchObject({
      model: 'customers',
      version: 'v1.1.0',
      intended_use: { description: `Who leaves? ${EVIL}` },
    });
    const { slices } = body as { slices: { slices: { verdict: string }[] }[] };
    expect(slices[0]!.slices.length).toBeGreaterThan(0);
    await refused('GET', path('v7.0.0', '/card'), undefined, 404);
  });
});

describe('the comparison of two versions', () => {
  interface Comparison {
    same_rows: boolean;
    basis: string;
    hyperparameters: { name: string; differs: boolean }[];
    a: { bytes: number; latency: { answers: number } | null };
    metrics: { metric: string; difference: number; verdict: string; better: string | null }[];
    paired: { rows: number; verdict: string; reason: string; findings: { measure: string; finding: string }[] };
  }
  const compare = async (a: string, b: string) => (await service.get<Comparison>(path(a, `/compare/${b}`))).body;

  it('tells a difference that is more than chance, on the same rows', async () => {
    const stump = await train('customers', { hyperparameters: { n_estimators: 1, max_depth: 1, seed: 0 } });
    const same = await compare('v1.0.0', 'v1.1.0');
    expect(same.same_rows, same.basis).toBe(true);
    expect(
      same.metrics.every(
        ({ difference, verdict }) => difference === 0 && ['not_told_apart', 'unknown'].includes(verdict),
      ),
    ).toBe(true);
    const worse = await compare('v1.0.0', stump);
    expect(worse.paired).toMatchObject({ verdict: 'worse', reason: expect.stringContaining('loss:label is worse') });
    expect((await compare(stump, 'v1.0.0')).paired.verdict).toBe('safe');
    // Another seed learns otherwise from the same rows.
    expect((await compare('v1.0.0', 'v1.2.0')).same_rows).toBe(true);
    expect(worse.hyperparameters.flatMap(({ name, differs }) => (differs ? [name] : [])).sort()).toEqual([
      'max_depth',
      'n_estimators',
    ]);
    expect(worse.metrics.find(({ metric }) => metric === 'roc_auc')).toMatchObject({
      better: 'higher',
      verdict: 'worse',
    });
    expect((await compare(stump, 'v1.0.0')).metrics.find(({ metric }) => metric === 'log_loss')).toMatchObject({
      verdict: 'better',
    });
    expect(worse.a.bytes).toBeGreaterThan(1000);
  });

  it('gives no verdict on other rows, and says which', async () => {
    const other = await train('customers', { validation_split: 0.3 });
    const { same_rows: isSame, basis, metrics, paired } = await compare('v1.0.0', other);
    expect(isSame).toBe(false);
    expect(basis).toContain('validation_split');
    // Asked about the rows that neither has learnt from, they can be compared all the same.
    expect(paired).toMatchObject({ verdict: expect.stringMatching(/safe|undecided/) });
    expect(paired.rows).toBeGreaterThan(100);
    expect(metrics.every(({ verdict }) => verdict === 'unknown')).toBe(true);
    await refused('GET', path('v1.0.0', '/compare/v7.0.0'), undefined, 404);
  });
});

describe('deleting a version', () => {
  it('takes its files, keeps its history and its number, and is refused while something relies on it', async () => {
    expect((await refused('DELETE', path('v1.0.0'), undefined, 409)).type).toBe('urn:problem:version_in_use');
    expect((await refused('DELETE', path('v1.1.0'), undefined, 409)).detail).toContain('rollback');
    const { digest } = await version('v1.3.0');
    const folder = join(service.stack.stateDir, 'models', 'customers');
    expect(readdirSync(folder)).toContain(digest);
    expect((await service.call('DELETE', path('v1.3.0'))).status).toBe(204);
    expect(readdirSync(folder)).not.toContain(digest);
    await refused('GET', path('v1.3.0'), undefined, 404);
    const [last] = (await service.get<{ items: { to: string }[] }>(path('v1.3.0', '/history'))).body.items;
    expect(last!.to).toBe('deleted');
    await refused('GET', path('v9.9.9', '/history'), undefined, 404);
    const newest = (await listed())[0]!;
    await service.call('DELETE', path(newest));
    const next = await train('customers');
    expect(next).toBe(newest.replace(/\.(\d+)\.0$/, (_, minor) => `.${Number(minor) + 1}.0`));
  });
});

describe('webhooks', () => {
  it('tell of a deployment, through a kill between sending and writing it down, and show a log without a secret', async () => {
    const created = await service.post<{ webhook_id: string; secret: string }>('/webhooks', {
      url: receiver.url,
      events: ['version.production', 'version.retired'],
      model: 'customers',
    });
    expect(created.status).toBe(201);
    const { webhook_id: id, secret } = created.body;
    await service.run('/models/customers/deploy', { version: 'v1.2.0' });
    // The worker has killed itself after the first message, and another one sends it again.
    const told = await eventually(
      'all messages',
      async () => {
        const types = new Set(receiver.received.map(({ body }) => `${body.type} ${String(body.data['version'])}`));
        return types.size === 2 && receiver.received.length >= 3 ? types : undefined;
      },
      90_000,
    );
    expect(told).toEqual(new Set(['version.retired v1.0.0', 'version.production v1.2.0']));
    expect(receiver.received.every((message) => isSigned(message, secret))).toBe(true);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
    const log = await eventually('the log', async () => {
      const { items } = (
        await service.get<{ items: { state: string; delivery_id: string }[] }>(`/webhooks/${id}/deliveries`)
      ).body;
      return items.length === 2 && items.every(({ state }) => state === 'delivered') ? items : undefined;
    });
    const before = receiver.received.length;
    const again = await service.post(`/webhooks/${id}/deliveries/${log[0]!.delivery_id}/replay`);
    expect(again).toMatchObject({ status: 200, body: { state: 'pending' } });
    await eventually('the message again', async () => (receiver.received.length > before ? true : undefined));
    expect((await service.post(`/webhooks/${id}/test`)).status).toBe(201);
    await eventually('the test', async () =>
      receiver.received.at(-1)!.body.type === 'webhook.test' ? true : undefined,
    );
    const shown = [
      await service.get('/webhooks'),
      await service.get(`/webhooks/${id}`),
      await service.get(`/webhooks/${id}/deliveries`),
    ];
    for (const { text } of shown) expect(text).not.toContain(secret);
    for (const part of ['api', 'pipeline-worker'] as const)
      expect(JSON.stringify(service.log(part))).not.toContain(secret);
    expect((await service.call('DELETE', `/webhooks/${id}`)).status).toBe(204);
    await refused('GET', `/webhooks/${id}`, undefined, 404);
  });

  it('to private addresses, with unknown events or of unknown models are refused', async () => {
    const post = (body: object) => refused('POST', '/webhooks', body, 422);
    for (const url of [
      'https://localhost/x',
      'https://10.0.0.1/',
      'http://example.com/',
      'ftp://127.0.0.1/',
      'nothing',
      'http://u:p@127.0.0.1/',
    ])
      expect((await post({ url })).errors?.[0]?.path, url).toBe('url');
    await post({ url: receiver.url, events: ['version.gone'] });
    await post({ url: receiver.url, secret: 'whsec_c2hvcnQ=' });
    await refused('POST', '/webhooks', { url: receiver.url, model: 'nobody' }, 404);
    await refused('POST', '/webhooks/whk-none/test', undefined, 404);
    await refused('POST', '/webhooks/whk-none/deliveries/dlv-none/replay', undefined, 404);
  });
});
