import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { Service } from '../integration/api/support/service.js';
import { learnableTable } from '../integration/api/support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;
const SWAPS = 1000;
const CALLERS = 8;
const BODY = JSON.stringify({ features: { usage: 44, plan: 'pro' } });

interface Prediction {
  model_version: string;
  prediction_id: string;
  predictions: { probabilities: Record<string, number> };
}

let service: Service;
let database: pg.Client;

beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false', PREDICTION_CACHE_TTL: '0' });
  service.file('customers.csv', learnableTable(800));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  for (const trees of [10, 11])
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: trees } });
  await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  database = new pg.Client({ connectionString: service.stack.addresses.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  await service?.stop();
});

describe('a version that takes over under load', () => {
  it(`fails no request and mixes no answer, ${SWAPS} times`, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: CALLERS + 1 });
    const predict = () =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': BODY.length };
        const sent = request(
          `${service.stack.api}/predict/customers`,
          { method: 'POST', headers, agent },
          (response) => {
            let text = '';
            response.on('data', (chunk) => (text += String(chunk)));
            response.on('end', () => resolve({ status: response.statusCode!, text }));
          },
        );
        sent.on('error', reject);
        sent.end(BODY);
      });

    const failed: unknown[] = [];
    const answersOf = new Map<string, Set<string>>();
    let answered = 0;
    const seen = { last: '' };
    const over = new AbortController();
    const caller = async () => {
      while (!over.signal.aborted) {
        const { status, text } = await predict().catch((error: unknown) => ({ status: 0, text: String(error) }));
        if (status !== 200) failed.push(text);
        else {
          const { model_version: version, predictions } = JSON.parse(text) as Prediction;
          answersOf.set(version, (answersOf.get(version) ?? new Set()).add(JSON.stringify(predictions)));
          seen.last = version;
          answered++;
        }
      }
    };
    const callers = Array.from({ length: CALLERS }, caller);
    let swaps = 0;
    for (; swaps < SWAPS; swaps++) {
      const version = swaps % 2 === 0 ? 'v1.1.0' : 'v1.0.0';
      // What the rollout's own transaction does; the workflow around it is tested elsewhere.
      await database.query(`UPDATE routes SET version = $1 WHERE model = 'customers'`, [version]);
      await database.query(`SELECT pg_notify('mlops_routes', 'customers')`);
      const deadlineMs = Date.now() + 10_000;
      while (seen.last !== version && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 1));
      if (seen.last !== version) break;
    }
    over.abort();
    await Promise.all(callers);
    agent.destroy();
    expect(failed).toEqual([]);
    expect(swaps).toBe(SWAPS);
    expect(answered).toBeGreaterThan(SWAPS);
    // Each version has one answer to the one question, and it is its own.
    expect([...answersOf.keys()].sort()).toEqual(['v1.0.0', 'v1.1.0']);
    const [one, other] = [...answersOf.values()];
    expect([one!.size, other!.size]).toEqual([1, 1]);
    expect([...one!]).not.toEqual([...other!]);
  });
});
