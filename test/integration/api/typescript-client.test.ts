import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, ServiceProblem, type Prediction } from '../../../clients/typescript/client.js';
import { Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;

describe('the TypeScript client', () => {
  let service: Service;
  let client: ReturnType<typeof createClient>;
  beforeAll(async () => {
    service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false' });
    service.file('customers.csv', learnableTable(800));
    client = createClient(`${service.stack.api}/`);
  });
  afterAll(() => service?.stop());

  async function completed(job: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { status, result } = await client.get('/jobs/{job_id}', { path: { job_id: job } });
      if (status === 'completed') return result as Record<string, unknown>;
      expect(['queued', 'running']).toContain(status);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  it('goes from a file to a prediction and its outcome', async () => {
    const body = { source: 'customers.csv', data_type: 'customers' };
    const [job, again] = [
      await client.post('/data/ingest', { body, idempotencyKey: 'once' }),
      await client.post('/data/ingest', { body, idempotencyKey: 'once' }),
    ];
    expect(again.job_id).toBe(job.job_id);
    await completed(job.job_id);
    const training = await client.post('/models/train', {
      body: { model_type: 'customers', hyperparameters: { n_estimators: 10 } },
    });
    const { version } = await completed(training.job_id);
    const rollout = await client.post('/models/{model}/deploy', {
      path: { model: 'customers' },
      body: { version: String(version), allow_unpromotable: true },
    });
    await completed(rollout.job_id);
    const answer: Prediction = await client.post('/predict/{model}', {
      path: { model: 'customers' },
      body: { entity_id: 'c 1/2', features: { usage: 3, plan: 'pro' } },
      timeoutMs: 30_000,
    });
    expect(answer).toMatchObject({ model: 'customers', model_version: 'v1.0.0' });
    const outcome = await client.post('/predictions/{prediction_id}/feedback', {
      path: { prediction_id: answer.prediction_id },
      body: { outcome: { label: 'stay' } },
    });
    expect(outcome).toMatchObject({ state: 'stored', outcome: { label: 'stay' } });
    const { items } = await client.get('/jobs', { query: { type: 'train', limit: 5 } });
    expect(items).toHaveLength(1);
  });

  it('throws what the service says, with its code, its fields and its id', async () => {
    const refused = await client
      .post('/predict/{model}', {
        path: { model: 'customers' },
        body: { features: { usage: 'many' } },
        headers: { 'x-correlation-id': 'from-the-client' },
      })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ServiceProblem);
    expect(refused).toMatchObject({
      status: 422,
      code: 'request_invalid',
      correlationId: 'from-the-client',
      errors: [{ path: 'features.usage' }],
    });
    await expect(client.get('/jobs/{job_id}', { path: { job_id: 'a/b' } })).rejects.toMatchObject({ status: 404 });
    // @ts-expect-error the types ask for the parameter, too
    await expect(client.get('/jobs/{job_id}', {})).rejects.toThrow('/jobs/{job_id}: give path.job_id.');
  });

  it('says so when something on the way answers in words of its own', async () => {
    const odd = createClient('http://127.0.0.1:1', {
      fetch: () => Promise.resolve(new Response('bad gateway', { status: 502, headers: { 'retry-after': '3' } })),
    });
    await expect(odd.get('/health')).rejects.toMatchObject({
      status: 502,
      code: 'unknown',
      message: 'bad gateway',
      retryAfterSeconds: 3,
    });
  });
});
