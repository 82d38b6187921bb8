import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { openDatabase, type Database } from '../../../services/database/database.js';
import { newPredictionId } from '../../../services/serving/prediction-id.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { csv, eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MONITOR =
  'monitor: { drift: { least_rows: 50, multivariate: false }, performance: { label_maturity_hours: 0, least_rows: 30 } }';
const MODELS = `customers:
  source: customers
  kind: classification
  entity: customer
  target: outcome
  features: [usage, plan]
  ${MONITOR}
shop:
  source: shop
  kind: recommendation
  recommend: { user: customer, item: product, time: day, exploration: 0 }
  ${MONITOR}
machines:
  source: machines
  kind: anomaly_detection
  features: [cpu, errors]
  ${MONITOR}
load:
  source: load
  kind: resource_usage
  forecast: { series: null, time: at, measures: { cpu: {} }, facts: [], origins: 8, horizon: 6, seasons: [24] }
  ${MONITOR}
`;
const DAY_MS = 86_400_000;
const TODAY_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS;
/** Days before today: the last one is another world. */
const CALM = 2;
const CHANGED = 1;
/** From here on customers answer: seven weeks, so that the same days of earlier weeks are the reference. */
const SEASON_DAYS = 50;
/** The other kinds answer for two weeks: the first of them is the reference. */
const FIRST_DAYS = 14;
const ROWS_A_DAY = 60;
const prng = createPrng(11);

let service: Service;
let database: Database;

interface Row {
  features: object;
  predictions: Record<string, unknown>;
  entity?: string;
  outcome?: Record<string, unknown>;
}
interface FindingBody {
  monitor: string;
  subject: string;
  state: string;
  value: number | null;
  summary: string;
  evidence: { reference?: { kind: string }; advice?: string };
}

/** Writes answers of a day into the log as the service does, with their truths. */
async function logDay(model: string, daysAgo: number, rows: readonly Row[]): Promise<void> {
  const startMs = TODAY_MS - daysAgo * DAY_MS;
  const logged = rows.map((row, at) => {
    const atMs = startMs + Math.floor(((at + 0.5) / rows.length) * DAY_MS);
    return { ...row, id: newPredictionId(atMs), atMs };
  });
  await createPredictionStore(database).write(
    logged.map(({ id, atMs, features, predictions, entity }) =>
      JSON.stringify({
        id,
        model,
        version: 'v1.0.0',
        entity_id: entity ?? null,
        features,
        predictions,
        latency_us: 900,
        cached: false,
        correlation_id: 'c',
        created_at: atMs,
      }),
    ),
    { firstMs: startMs, lastMs: startMs + DAY_MS - 1 },
  );
  const truths = logged.filter(({ outcome }) => outcome);
  await service.query(
    `INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome) SELECT id, at, outcome
     FROM jsonb_to_recordset($1::jsonb) AS row(id text, at timestamptz, outcome jsonb)`,
    [JSON.stringify(truths.map(({ id, atMs, outcome }) => ({ id, at: new Date(atMs).toISOString(), outcome })))],
  );
}

/** What a version answers to requests, as the log has it: once as in the usual world, and once as in the other. */
async function askAll(path: string, requests: readonly object[]): Promise<Row[]> {
  const ids: string[] = [];
  for (const request of requests) {
    const answer = await service.post<{ prediction_id: string }>(`/predict/${path}`, request);
    expect(answer.status, answer.text).toBe(200);
    ids.push(answer.body.prediction_id);
  }
  const rows = await eventually('the log', async () => {
    const found = await service.query<Row & { id: string }>(
      'SELECT id, features, predictions, entity_id AS entity FROM predictions WHERE id = ANY($1)',
      [ids],
    );
    return found.length === ids.length ? found : undefined;
  });
  // They count for no day of the test.
  await service.query('DELETE FROM predictions WHERE id = ANY($1)', [ids]);
  return ids.map((id) => rows.find((row) => row.id === id)!);
}

/** As if the version had answered for so many days. The ledger lets nobody change it otherwise. */
const serveSince = (model: string, daysAgo: number) =>
  service.query(
    `DO $$ BEGIN SET LOCAL session_replication_role = replica;
       UPDATE traffic_ledger SET at = to_timestamp(${(TODAY_MS - daysAgo * DAY_MS) / 1000}) WHERE model = '${model}'; END $$`,
  );

async function findingsOf(model: string, daysAgo: number): Promise<FindingBody[]> {
  const end = new Date(TODAY_MS - (daysAgo - 1) * DAY_MS);
  await service.run(`/monitors/${model}/run`, { window_end: end.toISOString() });
  const to = new Date(end.getTime() + 1).toISOString();
  const { body } = await service.get<{ items: FindingBody[] }>(
    `/monitors/${model}/findings?limit=500&from=${end.toISOString()}&to=${to}`,
  );
  return body.items;
}
const find = (findings: readonly FindingBody[], subject: string) => {
  const found = findings.find((one) => one.subject === subject);
  expect(
    found,
    `a finding of ${subject} among ${findings.map((one) => `${one.subject} ${one.state}`).join(', ')}`,
  ).toBeDefined();
  return found!;
};
const LOUD = ['suspect', 'alarm'];
const expectCalm = (findings: readonly FindingBody[]) =>
  expect(findings.filter(({ state }) => LOUD.includes(state)).map(({ summary }) => summary)).toEqual([]);

/** Waits until all that was logged is in the sums that metrics are judged by. */
const summedUp = () =>
  eventually('the sums of the log', async () => {
    const [{ waiting } = { waiting: 1 }] = await service.query<{ waiting: number }>(
      `SELECT (SELECT count(*) FROM predictions p, rollup_cursors c WHERE c.log = 'predictions' AND p.arrival >= c.arrival)::int
         + (SELECT count(*) FROM prediction_outcomes o, rollup_cursors c WHERE c.log = 'outcomes' AND o.arrival >= c.arrival)::int AS waiting`,
    );
    return waiting === 0 ? true : undefined;
  });

async function trainAll(): Promise<void> {
  const shop = Array.from({ length: 160 }, (_, customer) =>
    Array.from({ length: 8 }, (__, at) => [
      `c${customer}`,
      `p${(customer % 4) + 4 * ((customer * 3 + at * 7) % 8)}`,
      `2024-02-${String(1 + at * 3).padStart(2, '0')}`,
    ]),
  ).flat();
  const machines = Array.from({ length: 1500 }, () => [
    (0.4 + 0.05 * prng.nextGaussian()).toFixed(4),
    (0.01 + 0.002 * prng.nextGaussian()).toFixed(5),
  ]);
  const load = Array.from({ length: 24 * 21 }, (_, hour) => [
    new Date(Date.UTC(2024, 0, 1) + hour * 3_600_000).toISOString(),
    (0.4 + 0.15 * Math.cos((hour / 12) * Math.PI) + 0.01 * prng.nextGaussian()).toFixed(4),
  ]);
  service.file('customers.csv', learnableTable(1200));
  service.file('shop.csv', csv(['customer', 'product', 'day'], shop));
  service.file('machines.csv', csv(['cpu', 'errors'], machines));
  service.file('load.csv', csv(['at', 'cpu'], load));
  for (const model of ['customers', 'shop', 'machines', 'load']) {
    await service.run('/data/ingest', { source: `${model}.csv`, data_type: model });
    await service.run('/models/train', {
      model_type: model,
      ...(model === 'customers' ? { hyperparameters: { n_estimators: 10 } } : {}),
    });
    await service.run(`/models/${model}/deploy`, { version: 'v1.0.0', allow_unpromotable: true });
  }
}

beforeAll(async () => {
  service = await Service.start(MODELS);
  database = openDatabase(service.stack.addresses.databaseUrl, () => undefined);
  await trainAll();
});
afterAll(async () => {
  await database?.close();
  await service?.stop();
});

/** A day of a kind: its answers one after another, with a truth each. */
const dayOf = (answers: readonly Row[], truthOf: (row: Row) => Record<string, unknown>): Row[] =>
  Array.from({ length: ROWS_A_DAY }, () => {
    const row = answers[Math.floor(prng.next() * answers.length)]!;
    return { ...row, outcome: truthOf(row) };
  });

describe('a model that has answered for seven weeks', () => {
  it('is held against the same days of earlier weeks: a season raises nothing, a change does', async () => {
    const askedOf = (usage: () => number) =>
      Array.from({ length: 40 }, (_, at) => ({
        entity_id: `c${at}`,
        features: { usage: usage(), plan: ['basic', 'plus', 'pro'][at % 3] },
      }));
    // On such days usage is in the upper half, which it was not in training.
    const usual = await askAll(
      'customers',
      askedOf(() => 50 + Math.floor(prng.next() * 50)),
    );
    const other = await askAll(
      'customers',
      askedOf(() => Math.floor(prng.next() * 20)),
    );
    const truth = (row: Row) => ({ label: row.predictions['label'] });
    for (let week = 6; week >= 0; week--)
      for (const day of [CALM, CHANGED])
        await logDay('customers', day + 7 * week, dayOf(week === 0 && day === CHANGED ? other : usual, truth));
    await serveSince('customers', SEASON_DAYS);
    await summedUp();
    const calm = await findingsOf('customers', CALM);
    expectCalm(calm);
    expect(find(calm, 'input:usage').evidence.reference).toMatchObject({ kind: 'season' });
    const usage = find(await findingsOf('customers', CHANGED), 'input:usage');
    expect(LOUD, usage.summary).toContain(usage.state);
  });
});

describe('kinds that hold out no rows, held against their first week', () => {
  async function watch(
    model: string,
    usual: readonly Row[],
    other: readonly Row[],
    truths: { usual: (row: Row) => Record<string, unknown>; other: (row: Row) => Record<string, unknown> },
  ) {
    for (let day = FIRST_DAYS; day > CHANGED; day--) await logDay(model, day, dayOf(usual, truths.usual));
    await logDay(model, CHANGED, dayOf(other, truths.other));
    await serveSince(model, FIRST_DAYS);
    await summedUp();
    return { calm: await findingsOf(model, CALM), changed: await findingsOf(model, CHANGED) };
  }

  it('recommendations: other items, users of whom nothing is known, and lists that nobody takes from', async () => {
    const asked = (prefix: string) => Array.from({ length: 40 }, (_, at) => ({ user_id: `${prefix}${at}`, limit: 5 }));
    const usual = await askAll('shop', asked('c'));
    const other = await askAll('shop', asked('nobody'));
    // As in the rows held out, where the first of the list was it every time.
    const first = ({ predictions }: Row) => (predictions['items'] as { item_id: string }[])[0]!.item_id;
    const { calm, changed } = await watch('shop', usual, other, {
      usual: (row) => ({ items: first(row) }),
      other: () => ({ items: 'another' }),
    });
    expectCalm(calm);
    expect(find(calm, 'prediction:items').evidence.reference).toMatchObject({ kind: 'first_week' });
    for (const subject of ['prediction:items', 'prediction:cold_users', 'metric:items.ndcg_at_10'])
      expect(LOUD, subject).toContain(find(changed, subject).state);
    expect(find(changed, 'metric:items.ndcg_at_10').value).toBe(0);
  });

  it('anomaly detection: measurements and scores that moved, and alarms that are none', async () => {
    const asked = (cpu: number) =>
      Array.from({ length: 40 }, () => ({
        features: { cpu: cpu + 0.05 * prng.nextGaussian(), errors: 0.01 + 0.002 * prng.nextGaussian() },
      }));
    const usual = await askAll('machines', asked(0.4));
    const other = await askAll('machines', asked(0.9));
    const { calm, changed } = await watch('machines', usual, other, {
      usual: (row) => ({ is_anomaly: row.predictions['is_anomaly'] }),
      other: () => ({ is_anomaly: false }),
    });
    expectCalm(calm);
    for (const subject of [
      'input:cpu',
      'prediction:anomaly_score',
      'prediction:is_anomaly',
      'metric:is_anomaly.accuracy',
    ])
      expect(LOUD, subject).toContain(find(changed, subject).state);
  });

  it('forecasts: the level that is foreseen, and errors of the steps', async () => {
    const history = (level: number, at: number) =>
      Array.from({ length: 72 }, (_, hour) => ({
        timestamp: new Date(Date.UTC(2024, 1, 1 + at) + hour * 3_600_000).toISOString(),
        cpu: level + 0.15 * Math.cos((hour / 12) * Math.PI) + 0.01 * prng.nextGaussian(),
      }));
    const asked = (level: number) =>
      Array.from({ length: 40 }, (_, at) => ({ history: history(level, at), forecast_horizon: 6 }));
    const usual = await askAll('load', asked(0.4));
    const other = await askAll('load', asked(0.75));
    const measured = ({ predictions }: Row, off: number) => ({
      cpu_usage_forecast: (predictions['cpu_usage_forecast'] as number[]).map(
        (step) => step + off + 0.01 * prng.nextGaussian(),
      ),
    });
    const { calm, changed } = await watch('load', usual, other, {
      usual: (row) => measured(row, 0),
      other: (row) => measured(row, 0.2),
    });
    expectCalm(calm);
    for (const subject of ['prediction:cpu_usage', 'metric:cpu_usage.mae'])
      expect(LOUD, subject).toContain(find(changed, subject).state);
  });
});
