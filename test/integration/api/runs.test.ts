import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PresentedRun } from '../../../services/tracking/run-store.js';
import { Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `
customers:
  kind: classification
  algorithm: gradient_boosting
  source: customers
  entity: customer
  target: outcome
  exclude: [spend]
`;

let service: Service;
const runIds: string[] = [];

beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', learnableTable(600));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  for (const n_estimators of [10, 20]) {
    const id = await service.start('/models/train', { model_type: 'customers', hyperparameters: { n_estimators } });
    await service.ended(id);
    runIds.push(id);
  }
});
afterAll(() => service?.stop());

describe('a training', () => {
  it('is a run with parameters, metrics, artifacts, environment, code and cost', async () => {
    const { body } = await service.get<PresentedRun>(`/runs/${runIds[0]}`);
    expect(body).toMatchObject({
      kind: 'training',
      model: 'customers',
      status: 'completed',
      version: 'v1.0.0',
      code_version: expect.stringMatching(/^\d/),
      dataset_digest: expect.any(String),
      error: null,
      environment: { node: process.versions.node, cores: expect.any(Number), gpus: expect.any(Array) },
    });
    expect(body.params).toMatchObject({ algorithm: 'gradient_boosting', n_estimators: 10, validation_split: 0.2 });
    expect(body.metrics['roc_auc']).toBeGreaterThan(0.7);
    expect(body.cost.cpu_seconds).toBeGreaterThan(0.1);
    expect(body.cost.wall_seconds).toBeGreaterThan(0.1);
    expect(body.cost.peak_memory_bytes).toBeGreaterThan(2 ** 25);
    const artifacts = body.artifacts as { path: string; sha256: string; bytes: number }[];
    expect(artifacts.map(({ path }) => path)).toEqual(['model.json', 'label.model', 'report.json']);
    for (const { sha256, bytes } of artifacts) expect([sha256.length, bytes > 0]).toEqual([64, true]);
  });

  it('has its losses by round, as the fit told them', async () => {
    const { items } = (
      await service.get<{ items: { name: string; points: { step: number; value: number }[] }[] }>(
        `/runs/${runIds[1]}/metrics`,
      )
    ).body;
    const names = items.map(({ name }) => name);
    expect(names).toContain('label.gradient_boosting.training_loss');
    expect(names).toContain('label.gradient_boosting.fold_1.validation_loss');
    const { points } = items.find(({ name }) => name === 'label.gradient_boosting.training_loss')!;
    expect(points.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(points.at(-1)!.value).toBeLessThan(points[0]!.value);
  });

  it('that fails is a failed run with its reason', async () => {
    const id = await service.start('/models/train', {
      model_type: 'customers',
      training_data: { filters: { plan: 'no such plan' } },
    });
    const job = await service.ended(id);
    expect(job.status).toBe('failed');
    expect((await service.get(`/runs/${id}`)).body).toMatchObject({
      status: 'failed',
      error: { code: job.error!.code },
    });
  });
});

describe('runs', () => {
  const list = async (query: string) =>
    (await service.get<{ items: PresentedRun[] }>(`/runs?${query}`)).body.items.map((run) => run.run_id);

  it('are filtered and sorted', async () => {
    const [first, second] = runIds as [string, string];
    const filter = encodeURIComponent("params.n_estimators >= 10 and metrics.roc_auc > 0.5 and status = 'completed'");
    expect(await list(`model=customers&filter=${filter}&order_by=params.n_estimators`)).toEqual([first, second]);
    expect(await list(`filter=${encodeURIComponent('params.n_estimators = 20')}`)).toEqual([second]);
    const bad = await service.get<ProblemBody>(`/runs?filter=${encodeURIComponent('metrics.roc_auc >> 1')}`);
    expect(bad.status).toBe(422);
    expect(bad.body.errors).toEqual([
      { path: 'filter', message: 'character 18: expected a number, a text in quotes, true or false, got >' },
    ]);
    expect((await service.get('/runs?cursor=nobody')).status).toBe(422);
    expect((await service.get<ProblemBody>('/runs/nobody')).body.type).toBe('urn:problem:run_not_found');
  });

  it('are compared, what differs first', async () => {
    const { body } = await service.get<{ params: { name: string; values: unknown[]; differs: boolean }[] }>(
      `/runs/compare?ids=${runIds.join(',')}`,
    );
    expect(body.params[0]).toEqual({ name: 'n_estimators', values: [10, 20], differs: true });
    expect((await service.get('/runs/compare?ids=one')).status).toBe(422);
    expect((await service.get('/runs/compare?ids=one,two')).status).toBe(404);
  });

  it('have a page with plots, and the same as data', async () => {
    const page = await service.call('GET', '/runs/report?model=customers&metric=roc_auc', undefined, {
      accept: 'text/html',
    });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const kind of ['optimisation_history', 'parallel_coordinates', 'learning_curve'])
      expect(page.text).toContain(`data-plot="${kind}"`);
    const data = await service.call('GET', '/runs/report', undefined, { accept: 'application/json' });
    expect(data.body).toMatchObject({ title: 'Runs', sections: expect.any(Array) });
  });
});
