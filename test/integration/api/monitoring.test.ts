import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan, spend]
  monitor: { every_hours: 6, owner: growth team }
idle: { kind: classification, source: customers, target: outcome }
`;

interface MonitorBody {
  settings: { enabled: boolean; every_hours: number; owner?: string };
  declared_in: string;
  updated_by: string | null;
  next_run: string | null;
  last_run: { job_id: string; status: string } | null;
  findings: { window_end: string; states: Record<string, number> } | null;
}

let service: Service;
const monitorOf = async (model: string) => (await service.get<MonitorBody>(`/monitors/${model}`)).body;
const put = (model: string, body: unknown) => service.call<MonitorBody>('PUT', `/monitors/${model}`, body);

describe('the monitors of a model', () => {
  beforeAll(async () => {
    service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false', PREDICTION_CACHE_TTL: '0' });
    service.file('customers.csv', learnableTable(2000));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  });
  afterAll(() => service?.stop());

  it('follow the models file until someone sets them, and never both', async () => {
    expect(await monitorOf('customers')).toMatchObject({
      settings: { enabled: true, every_hours: 6, owner: 'growth team' },
      declared_in: 'config',
      updated_by: null,
      last_run: null,
      findings: null,
    });
    expect(await monitorOf('idle')).toMatchObject({ declared_in: 'default', next_run: null });
    const set = await put('customers', { every_hours: 2, drift: { least_rows: 100 } });
    expect(set.body).toMatchObject({ settings: { every_hours: 2 }, declared_in: 'api', updated_by: 'local' });
    expect(set.body.settings.owner, 'what is left out has its default').toBeUndefined();
  });

  it('run by a schedule that is made, changed and ended with the settings', async () => {
    const next = Date.parse((await monitorOf('customers')).next_run!);
    const sinceEnd = (next / 1000) % 7200;
    expect(sinceEnd, 'five minutes after a whole multiple of two hours, and at most five more').toBeGreaterThanOrEqual(
      300,
    );
    expect(sinceEnd).toBeLessThanOrEqual(600);
    const again = await put('customers', { every_hours: 2, drift: { least_rows: 100 } });
    expect(again.status).toBe(200);
    expect((await put('customers', { enabled: false })).body.next_run).toBeNull();
    expect((await put('customers', { every_hours: 1, drift: { least_rows: 100 } })).body.next_run).not.toBeNull();
  });

  it('refuse what they cannot follow, with its path', async () => {
    const bad = await put('customers', { every_hours: 0, drift: { windw: 3 } });
    expect(bad.status).toBe(422);
    expect(JSON.stringify(bad.body)).toMatch(/every_hours.*drift\.windw|drift\.windw.*every_hours/);
    expect((await service.get('/monitors/nobody')).status).toBe(404);
    expect((await service.post('/monitors/customers/run', { window_end: 'soon' })).status).toBe(422);
    const future = await service.post('/monitors/customers/run', { window_end: '2999-01-01T00:00:00Z' });
    expect(future.body).toMatchObject({ errors: [{ path: 'window_end' }] });
    expect((await service.get('/monitors/customers/findings?state=bad')).status).toBe(422);
    expect((await service.get('/monitors/customers/findings?cursor=none')).status).toBe(422);
  });

  it('can be started from the command line, by the rules of the API', async () => {
    const temporal = await service.temporal();
    const start = (workflowId: string, input: unknown) =>
      temporal.workflow.start('monitorModel', { taskQueue: 'pipeline', workflowId, args: [input] });
    const handle = await start('monitor-by-hand', { model: 'customers', window_end: '2024-01-01T00:00:00Z' });
    expect(await handle.result()).toMatchObject({ model: 'customers', window_end: '2024-01-01T00:00:00.000Z' });
    await start('monitor-badly', { model: 'customers', every: 3 });
    expect((await service.ended('monitor-badly')).error).toMatchObject({ code: 'request_invalid' });
    const last = await eventually('the run', async () => (await monitorOf('customers')).last_run ?? undefined);
    expect(last.job_id).toMatch(/^monitor-/);
  });
});
