import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Service } from './support/service.js';
import { learnableTable, wideTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
slow: { kind: classification, source: wide, entity: id, target: outcome }
`;
const BIG = { model_type: 'slow', hyperparameters: { n_estimators: 2000, max_depth: null } };
const SMALL = { model_type: 'customers', hyperparameters: { n_estimators: 5, max_depth: 3 } };

async function startWith(env: Record<string, string>): Promise<Service> {
  const service = await Service.start(MODELS, env);
  service.file('customers.csv', learnableTable(200));
  service.file('wide.csv', wideTable(8000, 24));
  await Promise.all(
    ['customers', 'wide'].map((name) => service.run('/data/ingest', { source: `${name}.csv`, data_type: name })),
  );
  return service;
}

describe('MAX_TRAINING_TIME, MAX_CONCURRENT_JOBS and PREDICTION_CACHE_TTL', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startWith({ MAX_TRAINING_TIME: '5', MAX_CONCURRENT_JOBS: '1', PREDICTION_CACHE_TTL: '0' });
  });
  afterAll(() => service?.stop());

  it('a fit that takes longer fails with training_timeout, once, and says what to do', async () => {
    const id = await service.start('/models/train', BIG);
    const job = await service.ended(id);
    expect(job).toMatchObject({
      status: 'failed',
      error: {
        code: 'training_timeout',
        detail: expect.stringMatching(/after 5 s.*MAX_TRAINING_TIME.*fewer or shallower/),
      },
    });
    expect(existsSync(join(service.stack.stateDir, 'models', '.staging', id))).toBe(false);
  });

  it('with one slot, the second fit starts only after the first has ended', async () => {
    const bigger = { model_type: 'slow', hyperparameters: { n_estimators: 12, max_depth: 6 } };
    const ids = [await service.start('/models/train', bigger), await service.start('/models/train', bigger)];
    for (const id of ids) expect(await service.ended(id)).toMatchObject({ status: 'completed' });
    const temporal = await service.temporal();
    const spans = await Promise.all(
      ids.map(async (id) => {
        const { events } = await temporal.workflow.getHandle(id).fetchHistory();
        const scheduled = events!.find(
          (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'fitModel',
        )!;
        const of = (kind: 'activityTaskStartedEventAttributes' | 'activityTaskCompletedEventAttributes') =>
          events!.find((event) => String(event[kind]?.scheduledEventId) === String(scheduled.eventId))!.eventTime!;
        const ms = (time: { seconds?: unknown; nanos?: number | null }) =>
          Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6;
        return {
          start: ms(of('activityTaskStartedEventAttributes')),
          end: ms(of('activityTaskCompletedEventAttributes')),
        };
      }),
    );
    const [first, second] = spans.toSorted((a, b) => a.start - b.start);
    expect(second!.start).toBeGreaterThanOrEqual(first!.end);
  });

  it('with a time to live of 0 no prediction is answered from the cache', async () => {
    await service.run('/models/train', SMALL);
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
    for (let call = 0; call < 3; call++) {
      const { body } = await service.post('/predict/customers', { features: { usage: 10, plan: 'pro' } });
      expect(body['cached']).toBe(false);
    }
  });
});

describe('TRAINING_MEMORY_MB', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startWith({ TRAINING_MEMORY_MB: '128' });
  });
  afterAll(() => service?.stop());

  it('a fit that needs more fails with training_out_of_memory, and its worker lives', async () => {
    const worker = service.stack.pid('training-worker');
    const error = await service.fail('/models/train', BIG);
    expect(error).toMatchObject({
      code: 'training_out_of_memory',
      detail: expect.stringMatching(/128 MiB.*TRAINING_MEMORY_MB/),
    });
    expect(service.stack.pid('training-worker')).toBe(worker);
    const { body } = await service.get<{ dependencies: Record<string, { status: string }> }>('/health');
    expect(body.dependencies['training_worker']).toMatchObject({ status: 'up' });
  });
});
