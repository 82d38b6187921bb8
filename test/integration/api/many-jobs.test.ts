import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Service } from './support/service.js';
import { wideTable } from './support/tables.js';

const JOBS = 10;
const MODELS = `wide:
  kind: classification
  algorithm: random_forest
  source: wide
  entity: id
  target: outcome
`;

let service: Service;

beforeAll(async () => {
  service = await Service.start(MODELS, { MAX_CONCURRENT_JOBS: String(JOBS) });
  service.file('wide.csv', wideTable(3000, 20));
  await service.run('/data/ingest', { source: 'wide.csv', data_type: 'wide' });
});
afterAll(() => service?.stop());

describe(`${JOBS} training jobs at once`, () => {
  it('all complete at the first attempt of each step: no heartbeat is lost while every core is busy', async () => {
    const ids = await Promise.all(
      Array.from({ length: JOBS }, (_, seed) =>
        service.start('/models/train', { model_type: 'wide', hyperparameters: { n_estimators: 150, seed } }),
      ),
    );
    // The API answers meanwhile.
    for (let look = 0; look < 20; look++) expect((await service.get('/jobs?type=train')).status).toBe(200);
    for (const id of ids) expect((await service.ended(id, 280_000)).status).toBe('completed');
    const connection = await Connection.connect({ address: service.stack.addresses.temporal });
    const client = new Client({ connection });
    for (const id of ids) {
      const { events } = await client.workflow.getHandle(id).fetchHistory();
      for (const event of events ?? []) {
        expect(event.activityTaskTimedOutEventAttributes, 'a step has timed out').toBeFalsy();
        const { attempt, lastFailure } = event.activityTaskStartedEventAttributes ?? { attempt: 1, lastFailure: null };
        expect(attempt, lastFailure?.message ?? '').toBe(1);
      }
    }
    await connection.close();
  });
});
