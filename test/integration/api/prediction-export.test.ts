import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryRows, withDuckDb } from '../../../services/duckdb.js';
import { Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
learned_from_answers: { kind: classification, source: answered, entity: entity_id, target: observed_label, features: [usage, plan] }
`;
let service: Service;
const today = () => new Date().toISOString().slice(0, 10);

const query = <Row extends object>(sql: string, values?: unknown[]) => service.query<Row>(sql, values);

async function predict(entity: string, usage: number): Promise<{ prediction_id: string }> {
  const { body } = await service.post('/predict/customers', {
    entity_id: entity,
    features: { usage, plan: usage % 2 === 0 ? 'pro' : 'free' },
  });
  return body as { prediction_id: string };
}

const report = (id: string, label: string, observed_at: string) =>
  service.post(`/predictions/${id}/feedback`, { outcome: { label }, observed_at });

async function exportLog(options: object = {}): Promise<Record<string, unknown>[]> {
  const result = await service.run('/data/ingest', { source: 'predictions:customers', data_type: 'answered', options });
  const { dataset_id: id } = result as { dataset_id: string };
  const file = join(service.stack.stateDir, 'data', 'datasets', id, 'data.parquet');
  return withDuckDb((connection) => queryRows(connection, `SELECT * FROM read_parquet('${file}')`));
}

/** As if the predictions of a day ago, and of three days ago, had been made then. */
async function moveBack(ids: readonly string[], days: number): Promise<string> {
  const day = new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
  await query('SELECT prepare_prediction_partition($1::date)', [day]);
  await query("UPDATE predictions SET created_at = $2::date + interval '12 hours' WHERE id = ANY($1)", [ids, day]);
  return day;
}

describe('predictions as a dataset', () => {
  beforeAll(async () => {
    service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false', PREDICTION_CACHE_TTL: '0' });
    service.file('customers.csv', learnableTable(800));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  });
  afterAll(() => service?.stop());

  it('are refused where there are none, and with a name that is none', async () => {
    const none = await service.fail('/data/ingest', { source: 'predictions:customers', data_type: 'answered' });
    expect(none.code).toBe('dataset_rejected');
    expect(none.detail).toContain('No prediction of customers was logged');
    const bad = await service.post('/data/ingest', { source: 'predictions:../x', data_type: 'answered' });
    expect(bad.status).toBe(422);
    const order = await service.post('/data/ingest', {
      source: 'predictions:customers',
      data_type: 'answered',
      options: { start_date: '2026-01-02', end_date: '2026-01-01', table: 'x' },
    });
    expect(order.status).toBe(422);
  });

  it('have a row each with features, answer, caller and the newest outcome, through days and repeats', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 30; at++) ids.push((await predict(`c${at}`, at)).prediction_id);
    await report(ids[0]!, 'stay', '2026-01-01T00:00:00Z');
    await report(ids[0]!, 'leave', '2026-01-03T00:00:00Z');
    await report(ids[0]!, 'stay', '2026-01-02T00:00:00Z');
    await expect
      .poll(async () => (await query<{ n: number }>('SELECT count(*)::int AS n FROM predictions'))[0]!.n, {
        timeout: 10_000,
      })
      .toBe(30);
    const yesterday = await moveBack(ids.slice(0, 10), 1);

    const rows = await exportLog();
    expect(rows).toHaveLength(30);
    expect(new Set(rows.map((row) => row['prediction_id']))).toEqual(new Set(ids));
    const first = rows.find((row) => row['prediction_id'] === ids[0])!;
    expect(first).toMatchObject({
      entity_id: 'c0',
      model_version: 'v1.0.0',
      caller: 'local',
      arm: null,
      cached: false,
      usage: 0,
      plan: 'pro',
      observed_label: 'leave',
    });
    expect(['stay', 'leave']).toContain(first['predicted_label']);
    expect(rows.filter((row) => row['observed_label'] !== null)).toHaveLength(1);
    const days = join(service.stack.stateDir, 'data', 'datasets', '.predictions', 'customers');
    expect(existsSync(join(days, `${yesterday}.parquet`))).toBe(true);

    // The day stays where retention has dropped it, and one that a late row came to is read again.
    await query('DELETE FROM predictions WHERE id = ANY($1)', [ids.slice(0, 10)]);
    const late = (await predict('late', 3)).prediction_id;
    await expect.poll(async () => (await query('SELECT 1 FROM predictions WHERE id = $1', [late])).length).toBe(1);
    expect(await exportLog()).toHaveLength(31);
    expect(await exportLog({ end_date: yesterday })).toHaveLength(10);
    expect(await exportLog({ start_date: today() })).toHaveLength(21);
    expect(readdirSync(days)).toHaveLength(2);
    const narrow = await exportLog({ columns: ['usage', 'observed_label'] });
    expect(Object.keys(narrow[0]!)).toEqual(['usage', 'observed_label']);
  });

  it('can be trained on', async () => {
    for (let at = 0; at < 120; at++) {
      const { prediction_id: id } = await predict(`t${at}`, at);
      await report(id, at % 2 === 0 ? 'stay' : 'leave', '2026-01-01T00:00:00Z');
    }
    await exportLog({ start_date: today() });
    const result = await service.run('/models/train', {
      model_type: 'learned_from_answers',
      hyperparameters: { n_estimators: 5 },
    });
    expect(result).toMatchObject({ version: 'v1.0.0' });
  });
});
