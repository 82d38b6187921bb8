import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { csv, eventually, Service } from './support/service.js';

const MODELS = `refunds:
  kind: classification
  source: orders
  entity: customer
  timestamp: ordered_at
  target: refunded
  features: [amount]
  feature_views: [behaviour]
leaked:
  kind: classification
  source: orders
  entity: customer
  timestamp: ordered_at
  target: refunded
  features: [noise]
  feature_views: [next_order]
`;
const VIEW = {
  owner: 'tests',
  description: 'How a customer behaves',
  entity: 'customer',
  event_time: 'seen_at',
  available_time: 'known_at',
  ttl_seconds: 40 * 86_400,
  source: 'behaviour_log',
  features: { score: { type: 'number' }, segment: { type: 'string', expression: 'upper(segment)' } },
  request: { price: { type: 'number' } },
  on_demand: { price_per_score: { type: 'number', expression: 'price / score' } },
};
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2024, 0, 1);
const iso = (ms: number) => new Date(ms).toISOString();

interface Item {
  entity_id: string;
  features: Record<string, unknown>;
  views: Record<string, { version: number; status: string; age_seconds: number | null }>;
}

/** Who scores high now gets refunds. Each score is known a day after it was seen; some are corrected later, some come late. */
function tables(): { log: string; orders: string } {
  const prng = createPrng(11);
  const log: (string | number)[][] = [];
  const orders: (string | number)[][] = [];
  for (let at = 0; at < 1500; at++) {
    const customer = `c${at % 150}`;
    const seenMs = START_MS + Math.floor(at / 150) * 3 * DAY_MS + Math.floor(prng.next() * DAY_MS);
    const score = Math.round(prng.next() * 1000) / 10;
    const delayMs = prng.next() < 0.1 ? 5 * DAY_MS : DAY_MS;
    log.push([customer, iso(seenMs), iso(seenMs + delayMs), score, score > 50 ? 'vip' : 'plain']);
    if (prng.next() < 0.1) log.push([customer, iso(seenMs), iso(seenMs + 7 * DAY_MS), score + 1, 'corrected']);
    const isRefunded = score > 50 !== prng.next() < 0.05;
    orders.push([
      `o${at}`,
      customer,
      iso(seenMs + delayMs + 1000),
      Math.round(prng.next() * 100),
      Math.round(prng.next() * 100),
      isRefunded ? 'yes' : 'no',
    ]);
  }
  return {
    log: csv(['customer', 'seen_at', 'known_at', 'score', 'segment'], log),
    orders: csv(['order_id', 'customer', 'ordered_at', 'amount', 'noise', 'refunded'], orders),
  };
}

let service: Service;
const historical = async (views: string[], entities: object[]) =>
  (await service.post<{ items: Item[] }>('/features/historical', { views, entities })).body.items;
const online = async (body: object) => (await service.post<{ items: Item[] }>('/features/online', body)).body.items;

beforeAll(async () => {
  service = await Service.start(MODELS);
  const { log, orders } = tables();
  service.file('log.csv', log);
  service.file('orders.csv', orders);
  await service.run('/data/ingest', { source: 'log.csv', data_type: 'behaviour_log' });
  await service.run('/data/ingest', { source: 'orders.csv', data_type: 'orders' });
});
afterAll(() => service?.stop());

describe('a feature view', () => {
  it('is a version for each definition, and is refused where it cannot be right', async () => {
    const put = (body: object) => service.call<{ version: number }>('PUT', '/features/views/behaviour', body);
    expect((await put(VIEW)).body.version).toBe(1);
    expect((await put(VIEW)).body.version).toBe(1);
    expect((await put({ ...VIEW, description: 'Another text' })).body.version).toBe(2);
    const { body } = await service.get<{ versions: object[] }>('/features/views/behaviour');
    expect(body.versions).toHaveLength(2);
    for (const [wrong, path] of [
      [{ ...VIEW, event_time: 'nowhere' }, 'event_time'],
      [{ ...VIEW, source: undefined }, 'source'],
      [{ ...VIEW, features: { score: { type: 'number', expression: 'random()' } } }, 'features.score.expression'],
      [{ ...VIEW, features: { score: { type: 'number', expression: 'no_such_column + 1' } } }, 'features'],
      [{ ...VIEW, on_demand: { bad: { type: 'number', expression: 'missing_name * 2' } } }, 'on_demand.bad.expression'],
      [{ ...VIEW, surprise: 1 }, 'surprise'],
    ] as const) {
      const refused = await service.call<{ errors: { path: string }[] }>('PUT', '/features/views/behaviour', wrong);
      expect(refused.status, refused.text).toBe(422);
      expect(refused.body.errors.map((error) => error.path)).toContain(path);
    }
    expect((await service.call('PUT', '/features/views/Bad-Name', VIEW)).status).toBe(422);
    expect((await service.get('/features/views/none')).status).toBe(404);
    expect((await service.post('/features/online', { view: 'none', entity_ids: ['c1'] })).status).toBe(404);
    expect((await service.post('/features/views/none/materialize')).status).toBe(404);
    expect((await service.post('/features/historical', { views: ['behaviour'], entities: [] })).status).toBe(422);
  });

  it('whose SQL looks into the future is refused', async () => {
    const refused = await service.call<{ errors: { path: string; message: string }[] }>(
      'PUT',
      '/features/views/next_order',
      {
        owner: 'tests',
        entity: 'customer',
        event_time: 'ordered_at',
        ttl_seconds: 1e7,
        sources: { orders: { available_time: 'ordered_at' } },
        sql: 'SELECT customer, ordered_at, lead(refunded) OVER (PARTITION BY customer ORDER BY ordered_at) AS after FROM orders',
        features: { after: { type: 'string' } },
      },
    );
    expect(refused.body.errors).toMatchObject([
      { path: 'sql', message: expect.stringContaining('looks into the future') },
    ]);
  });

  it('is answered online as it is offline for the same moment', async () => {
    const end = iso(START_MS + 20 * DAY_MS);
    const first = await service.run('/features/views/behaviour/materialize', { end: iso(START_MS + 9 * DAY_MS) });
    expect(first).toMatchObject({ mode: 'full', entities: 150, store: 'postgresql' });
    const second = await service.run('/features/views/behaviour/materialize', { end });
    expect(second).toMatchObject({ mode: 'incremental', entities: 150 });
    const rows = await service.query<{ entity_id: string; event_us: string; content: string }>(
      `SELECT entity_id, event_us, content FROM feature_values WHERE view = 'behaviour' ORDER BY entity_id`,
    );
    const offline = await historical(
      ['behaviour'],
      rows.map((row) => ({ entity_id: row.entity_id, as_of: end })),
    );
    for (const [at, row] of rows.entries()) {
      const content = JSON.parse(row.content) as Record<string, unknown>;
      expect(offline[at]!.features).toMatchObject({
        behaviour__score: content['score'],
        behaviour__segment: content['segment'],
      });
      expect(offline[at]!.views['behaviour']!.age_seconds).toBeCloseTo(
        Date.parse(end) / 1000 - Number(row.event_us) / 1e6,
        3,
      );
    }
    expect((await service.fail('/features/views/behaviour/materialize', { end: '2024-01-02' })).problems).toMatchObject(
      [{ path: 'end' }],
    );
    expect((await service.fail('/features/views/behaviour/materialize', { end: '2999-01-01' })).problems).toMatchObject(
      [{ path: 'end' }],
    );
    const [item, unknown] = await online({ view: 'behaviour', entity_ids: ['c1', 'nobody'], request: { price: 10 } });
    // All of it lies years back.
    expect(item).toMatchObject({ features: { behaviour__score: null }, views: { behaviour: { status: 'expired' } } });
    expect(unknown!.views['behaviour']).toEqual({ version: 2, status: 'missing', age_seconds: null });
  });

  it('computes features on demand by the same expression on both sides', async () => {
    const fresh = { ...VIEW, ttl_seconds: 100 * 366 * 86_400, description: 'For ever' };
    await service.call('PUT', '/features/views/behaviour', fresh);
    await service.run('/features/views/behaviour/materialize');
    const entities = ['c1', 'c2', 'c3'];
    const [request, as_of] = [{ price: 12.5 }, iso(Date.now())];
    const offline = await historical(
      ['behaviour'],
      entities.map((entity_id) => ({ entity_id, as_of, request })),
    );
    await eventually('the new version', async () => {
      const items = await online({ view: 'behaviour', entity_ids: entities, request });
      return items[0]!.views['behaviour']!.version === 3 ? items : undefined;
    });
    const items = await online({ views: ['behaviour'], entity_ids: entities, request });
    expect(items.map((item) => item.features)).toEqual(offline.map((item) => item.features));
    for (const { features } of items)
      expect(features['behaviour__price_per_score']).toBe(12.5 / (features['behaviour__score'] as number));
  });
});

describe('a model with feature views', () => {
  it('learns from what was known at the time of each row, and is answered from the online store', async () => {
    const version = await service.run('/models/train', {
      model_type: 'refunds',
      hyperparameters: { n_estimators: 30 },
    });
    const { body } = await service.get<{
      lineage: Record<string, unknown>;
      metrics: { label: { roc_auc: { value: number } } };
    }>(`/models/refunds/versions/${String(version['version'])}`);
    expect(body.lineage['feature_views']).toMatchObject([
      { view: 'behaviour', version: 3, inputs: { behaviour_log: {} } },
    ]);
    expect(body.metrics.label.roc_auc.value).toBeGreaterThan(0.85);
    await service.run('/models/refunds/deploy', { version: version['version'] });
    const { body: answer } = await service.post('/predict/refunds', {
      entity_id: 'c7',
      features: { amount: 5, price: 3 },
    });
    expect(answer['features_from_store']).toEqual([
      'behaviour__score',
      'behaviour__segment',
      'behaviour__price_per_score',
    ]);
    const [stored] = await online({ view: 'behaviour', entity_ids: ['c7'] });
    const { body: same } = await service.post('/predict/refunds', {
      entity_id: 'c7',
      features: {
        ...stored!.features,
        behaviour__price_per_score: 3 / (stored!.features['behaviour__score'] as number),
        amount: 5,
      },
    });
    expect(same['predictions']).toEqual(answer['predictions']);
    expect(same['features_from_store']).toEqual([]);
    const { body: nobody } = await service.post<{ warnings: { message: string }[] }>('/predict/refunds', {
      entity_id: 'nobody',
      features: { amount: 5 },
    });
    expect(nobody.warnings[0]!.message).toContain('has nothing of this entity');
    const { body: batch } = await service.post<{ results: Record<string, unknown>[] }>('/predict/refunds/batch', {
      instances: [
        { entity_id: 'c7', features: { amount: 5, price: 3 } },
        { entity_id: 'c8', features: { amount: 5 } },
      ],
    });
    expect(batch.results[0]!['predictions']).toEqual(answer['predictions']);
    expect(batch.results[1]!['features_from_store']).toContain('behaviour__score');
    const { body: view } = await service.get<{ consumers: object[] }>('/features/views/behaviour');
    expect(view.consumers).toMatchObject([{ model: 'refunds', version: version['version'], view_version: 3 }]);
  });

  it('is the same to the bit when it is trained twice on the same snapshots', async () => {
    const body = { model_type: 'refunds', hyperparameters: { n_estimators: 10, seed: 5 } };
    const [one, two] = [await service.run('/models/train', body), await service.run('/models/train', body)];
    expect(one['digest']).toBe(two['digest']);
    expect(one['version']).not.toBe(two['version']);
  });

  it('has no skill from a feature of the next order, which was not known yet', async () => {
    // Each row is about the next order, and says honestly that it was known after it.
    await service.call('PUT', '/features/views/next_order', {
      owner: 'tests',
      entity: 'customer',
      event_time: 'ordered_at',
      available_time: 'known_at',
      ttl_seconds: 1e8,
      sources: { orders: { available_time: 'ordered_at' } },
      sql: `SELECT customer, ordered_at, lead(ordered_at) OVER w + INTERVAL 1 SECOND AS known_at, lead(refunded) OVER w AS after FROM orders
        WINDOW w AS (PARTITION BY customer ORDER BY ordered_at)`,
      features: { after: { type: 'string' } },
    });
    const version = await service.run('/models/train', { model_type: 'leaked', hyperparameters: { n_estimators: 30 } });
    const { roc_auc: auc } = (
      version['metrics'] as { label: { roc_auc: { value: number; lower: number; upper: number } } }
    ).label;
    expect(auc.lower).toBeLessThan(0.5);
    expect(auc.upper).toBeGreaterThan(0.5);
    expect(auc.value).toBeLessThan(0.6);
  });

  it('is refused when a view means something else by now, and goes on while the database is away', async () => {
    await service.call('PUT', '/features/views/behaviour', { ...VIEW, ttl_seconds: 1e9, description: 'Compatible' });
    expect((await service.post('/predict/refunds', { entity_id: 'c7', features: { amount: 5 } })).status).toBe(200);
    await service.call('PUT', '/features/views/behaviour', {
      ...VIEW,
      features: { ...VIEW.features, score: { type: 'number', expression: 'score * 2' } },
    });
    await eventually('the refusal', async () => {
      const { status, body } = await service.post<{ type: string }>('/predict/refunds', {
        entity_id: 'c7',
        features: { amount: 5 },
      });
      return status === 409 && body.type === 'urn:problem:feature_view_changed' ? true : undefined;
    });
    const given = { behaviour__score: 70, behaviour__segment: 'VIP', behaviour__price_per_score: null, amount: 5 };
    expect((await service.post('/predict/refunds', { entity_id: 'c7', features: given })).status).toBe(200);
    const { body } = await service.get<{ items: { version: string; state: string }[] }>('/models/refunds/versions');
    const other = body.items.find(({ state }) => state !== 'production')!;
    expect((await service.post<{ type: string }>('/models/refunds/deploy', { version: other.version })).body.type).toBe(
      'urn:problem:feature_view_changed',
    );
    await service.call('PUT', '/features/views/behaviour', { ...VIEW, ttl_seconds: 1e9, description: 'As before' });
    await service.run('/features/views/behaviour/materialize');
    await eventually('the values', async () => {
      const { body: answer } = await service.post<{ features_from_store?: string[] }>('/predict/refunds', {
        entity_id: 'c7',
        features: { amount: 5 },
      });
      return answer.features_from_store?.includes('behaviour__score') ? true : undefined;
    });
    service.stack.kill9('postgres');
    const told = await eventually('a prediction without the store', async () => {
      const { status, body: away } = await service.post<{ warnings?: { message: string }[] }>('/predict/refunds', {
        entity_id: 'c7',
        features: { amount: 5 },
      });
      expect(status).toBe(200);
      return away.warnings?.[0]?.message;
    });
    expect(told).toContain('cannot be asked at present');
    await eventually('the store again', async () => {
      const { status, body: answer } = await service.post<{ features_from_store?: string[] }>('/predict/refunds', {
        entity_id: 'c7',
        features: { amount: 5 },
      });
      expect(status).toBe(200);
      return answer.features_from_store?.includes('behaviour__score') ? true : undefined;
    });
  });
});
