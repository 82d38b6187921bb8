import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { projectRoot } from '../../../services/project-root.js';
import type { ReportDocument } from '../../../services/reports/report-document.js';
import { simulateFiles } from '../../support/simulate-files.js';
import { csv, eventually, Service, type ProblemBody } from './support/service.js';

/** The entry that the project itself comes with, less its draws, and some for tables of other shapes. */
const SHIPPED = readFileSync(join(projectRoot(), 'models', 'config.yaml'), 'utf8').replace(
  'exploration: 0.05',
  'exploration: 0',
);
const SHOP = 'recommend: { user: customer, item: product, time: day, attributes: [genres], exploration: 0 }';
const MODELS = `${SHIPPED}
exploring:
  kind: recommendation
  source: item_interactions
  recommend: { exploration: 0.5 }
shop:
  kind: recommendation
  source: shop
  ${SHOP}
chance:
  kind: recommendation
  source: chance
  ${SHOP}
one_item:
  kind: recommendation
  source: one_item
  ${SHOP}
wrong_column:
  kind: recommendation
  source: shop
  recommend: { user: nobody }
`;

interface Prediction {
  prediction_id: string;
  model: string;
  cached: boolean;
  predictions: { items: { item_id: string; score: number; reason: string; because_of?: string; propensity: number }[] };
  confidence_scores: { items: number };
  warnings?: { path: string; message: string }[];
}

let service: Service;
const taken = new Map<string, Set<string>>();
const typeOf = new Map<string, string>();
const recommend = (user: string, more: object = {}, model = 'recommendations') =>
  service.post<Prediction>(`/predict/${model}`, { user_id: user, ...more });
const itemsOf = (body: Prediction) => body.predictions.items.map((item) => item.item_id);

/** Customers of four tastes, `pull` times likelier to take a product of their own; products carry two genres. */
function shopTable(customers: number, pull: number, seed: number): string {
  const prng = createPrng(seed);
  const lines: (string | number)[][] = [];
  for (let customer = 0; customer < customers; customer++) {
    const weights = Float64Array.from({ length: 40 }, (_, product) => (product % 4 === customer % 4 ? pull : 1));
    for (let count = 0; count < 8; count++) {
      let left = prng.next() * weights.reduce((sum, weight) => sum + weight, 0);
      const product = Math.max(
        0,
        weights.findIndex((weight) => (left -= weight) < 0),
      );
      weights[product] = 0;
      const day = `2024-02-${String(1 + count * 3).padStart(2, '0')}`;
      lines.push([`c${customer}`, `p${product}`, day, `g${product % 4}|all`]);
    }
  }
  return csv(['customer', 'product', 'day', 'genres'], lines);
}

beforeAll(async () => {
  service = await Service.start(MODELS);
  const { folder } = simulateFiles(service.inbox, 600);
  const [, ...rows] = readFileSync(join(folder, 'item_interactions.csv'), 'utf8').trim().split('\n');
  for (const row of rows) {
    const [, user, item, type] = row.split(',') as [string, string, string, string];
    taken.set(user, (taken.get(user) ?? new Set()).add(item));
    typeOf.set(item, type);
  }
  service.file('shop.csv', shopTable(240, 12, 1));
  service.file('chance.csv', shopTable(240, 1, 2));
  service.file(
    'one_item.csv',
    csv(
      ['customer', 'product', 'day', 'genres'],
      Array.from({ length: 60 }, (_, at) => [`c${at}`, 'p', '2024-01-01', 'g']),
    ),
  );
  await Promise.all([
    service.run('/data/ingest', { source: join(folder, 'item_interactions.parquet'), data_type: 'item_interactions' }),
    ...['shop', 'chance', 'one_item'].map((name) =>
      service.run('/data/ingest', { source: `${name}.csv`, data_type: name }),
    ),
  ]);
});
afterAll(() => service?.stop());

describe('recommendations on the demo platform', () => {
  it('are learned from what users did, and beat the popular items', async () => {
    const trained = await service.run('/models/train', {
      model_type: 'recommendation',
      auto_deploy: true,
      cross_validation: true,
    });
    expect(trained).toMatchObject({ promotable: true, deployment: { state: 'promoted' } });
    const { items } = trained['metrics'] as Record<string, Record<string, { value: number; lower: number }>>;
    expect(items!['ndcg_at_10']!.lower).toBeGreaterThan(items!['popular_ndcg_at_10']!.value);
    expect(items!['coverage']!.value).toBeGreaterThan(items!['popular_coverage']!.value);
    expect(trained['warnings']).toEqual([expect.objectContaining({ path: 'cross_validation' })]);
    const report = `/models/recommendation/versions/${String(trained['version'])}/report`;
    const asData = { accept: 'application/json' };
    const { status, body } = await service.call<ReportDocument>('GET', report, undefined, asData);
    expect(status).toBe(200);
    expect(body.sections.map(({ title }) => title)).toContain('Popular items and the long tail');
  });

  it('come with an id, a score and a reason, best first, and without what the user has', async () => {
    const [user, own] = [...taken].find(([, items]) => items.size >= 8)!;
    const { status, body } = await recommend(user, { limit: 5 });
    expect(status).toBe(200);
    const { items } = body.predictions;
    expect(items).toHaveLength(5);
    for (const { item_id: item, score, reason, because_of: because, propensity } of items) {
      expect(propensity).toBe(1);
      expect(own.has(item)).toBe(false);
      expect(typeOf.has(item)).toBe(true);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(['because_of_item', 'similar_content', 'popular']).toContain(reason);
      if (because !== undefined) expect(own.has(because)).toBe(true);
    }
    expect(items.some(({ reason }) => reason === 'because_of_item')).toBe(true);
    const scores = items.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(body.confidence_scores.items).toBeCloseTo(
      scores.reduce((sum, score) => sum + score, 0),
      4,
    );
    expect(body.warnings).toBeUndefined();
  });

  it('are each user’s own, also from the cache', async () => {
    const users = [...taken].filter(([, items]) => items.size >= 6).slice(0, 6);
    const first = await Promise.all(users.map(([user]) => recommend(user)));
    expect(new Set(first.map(({ body }) => itemsOf(body).join())).size).toBeGreaterThan(3);
    const again = await Promise.all(users.map(([user]) => recommend(user)));
    again.forEach(({ body }, at) => expect(body.predictions).toEqual(first[at]!.body.predictions));
  });

  it('are the popular items for a user of whom nothing is known, and say so', async () => {
    const [first, second] = await Promise.all([recommend('user_nobody'), recommend('user_nobody_either')]);
    const { items } = first.body.predictions;
    expect(items).toHaveLength(10);
    expect(items.every(({ reason }) => reason === 'popular_new_user')).toBe(true);
    expect(items).toEqual(second.body.predictions.items);
    expect(first.body.warnings?.map(({ path }) => path)).toEqual(['user_id']);
    const counts = new Map<string, number>();
    for (const own of taken.values()) for (const item of own) counts.set(item, (counts.get(item) ?? 0) + 1);
    const popular = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, 30);
    expect(popular.map(([item]) => item)).toEqual(expect.arrayContaining([items[0]!.item_id]));
  });

  it('keep to exclude, context and limit, and count what was taken since', async () => {
    const [user] = [...taken].find(([, items]) => items.size >= 8)!;
    const plain = itemsOf((await recommend(user, { limit: 100 })).body);
    const shorter = itemsOf((await recommend(user, { limit: 5, exclude: plain.slice(0, 3) })).body);
    expect(shorter).toEqual(plain.slice(3, 8));
    for (const who of [user, 'user_nobody']) {
      const templates = itemsOf((await recommend(who, { context: { item_type: 'template' } })).body);
      expect(templates.length).toBeGreaterThan(3);
      expect(templates.every((item) => typeOf.get(item) === 'template')).toBe(true);
    }
    const [item] = plain as [string];
    const fresh = (await recommend('user_nobody', { recent_items: [item] })).body;
    expect(itemsOf(fresh)).not.toContain(item);
    expect(fresh.predictions.items.some((one) => one.because_of === item)).toBe(true);
    expect(fresh.warnings).toBeUndefined();
    const odd = (await recommend(user, { context: { mood: 'good' }, recent_items: ['item_none'] })).body;
    expect(odd.warnings?.map(({ path }) => path)).toEqual(['context.mood', 'recent_items.0']);
    expect((await recommend(user, { limit: 1 })).body.predictions.items).toHaveLength(1);
  });

  it.each([
    [{}, ['user_id']],
    [{ user_id: 'u', limit: 0 }, ['limit']],
    [{ user_id: 'u', limit: 101, exclude: [7] }, ['exclude.0', 'limit']],
    [{ user_id: 'u', features: {} }, ['features']],
    [{ user_id: 'u', context: { item_type: 'spaceship' } }, ['context.item_type']],
    [{ user_id: 'u', context: { item_type: ['template'] } }, ['context.item_type']],
  ])('%j is 422 with the paths %j', async (request, paths) => {
    const { status, body } = await service.post<ProblemBody>('/predict/recommendations', request);
    expect([status, body.errors?.map(({ path }) => path).toSorted()]).toEqual([422, paths]);
  });
});

describe('recommendations that explore', () => {
  it('say what was drawn and how likely it was, the same however often they are asked for', async () => {
    await service.run('/models/train', { model_type: 'exploring', auto_deploy: true });
    const users = [...taken].filter(([, items]) => items.size >= 6).slice(0, 20);
    let drawn = 0;
    let last: Prediction | undefined;
    for (const [user, own] of users) {
      const exclude = ['item_1', 'item_2', 'item_3'];
      const { body } = await recommend(user, { exclude }, 'exploring');
      const { items } = body.predictions;
      expect(new Set(items.map(({ item_id: item }) => item)).size).toBe(10);
      for (const { item_id: item, reason, propensity } of items) {
        expect(own.has(item) || exclude.includes(item)).toBe(false);
        if (reason === 'exploration') drawn++;
        // Of some 400 items a few dozen are the user's, excluded or in the list already.
        if (reason === 'exploration') expect(propensity).toBeCloseTo(0.5 / (typeOf.size - 10), 3);
        else expect(propensity).toBe(0.5);
      }
      const again = await recommend(user, { exclude, model_version: 'v1.0.0' }, 'exploring');
      expect(again.body.predictions).toEqual(body.predictions);
      last = body;
    }
    // What is logged carries the propensities: estimates are made from the log alone.
    const [row] = await eventually('the prediction in the database', async () => {
      const sql = 'SELECT predictions FROM predictions WHERE id = $1';
      const rows = await service.query<{ predictions: object }>(sql, [last!.prediction_id]);
      return rows.length > 0 ? rows : undefined;
    });
    expect(row!.predictions).toEqual(last!.predictions);
    // 200 places at one half each: four standard errors are 28.
    expect(Math.abs(drawn - 100)).toBeLessThan(28);
  });
});

describe('recommendations on anyone’s own table', () => {
  it('work with other columns, times without hours, several values in a cell and no actions', async () => {
    const trained = await service.run('/models/train', {
      model_type: 'shop',
      auto_deploy: true,
      hyperparameters: { n_estimators: 5, seed: 3 },
    });
    expect(trained).toMatchObject({ promotable: true });
    const paths = (trained['warnings'] as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(['hyperparameters.n_estimators', 'model_type']);
    const { body } = await recommend('c1', { limit: 4, context: { genres: 'g1' } }, 'shop');
    expect(itemsOf(body).every((product) => Number(product.slice(1)) % 4 === 1)).toBe(true);
    const { body: free } = await recommend('c2', { limit: 2 }, 'shop');
    expect(itemsOf(free).every((product) => Number(product.slice(1)) % 4 === 2)).toBe(true);
  });

  it.each(['chance', 'one_item'])('are not promotable where there is nothing to learn (%s)', async (model) => {
    const trained = await service.run('/models/train', { model_type: model });
    expect(trained).toMatchObject({ promotable: false });
    expect(trained['warnings']).toContainEqual(expect.objectContaining({ path: 'training_data' }));
    const answer = await service.post<Prediction>(`/predict/${model}`, {
      user_id: 'c1',
      model_version: trained['version'],
    });
    expect(answer.status).toBe(200);
    expect(answer.body.predictions.items.every(({ reason }) => reason.startsWith('popular'))).toBe(true);
  });

  it('are refused before the training where a column is missing', async () => {
    const { status, body } = await service.post<ProblemBody>('/models/train', { model_type: 'wrong_column' });
    expect(status).toBe(422);
    expect(new Set(body.errors?.map(({ path }) => path))).toEqual(new Set(['model_type']));
    expect(body.errors?.[0]?.message).toMatch(/column nobody/);
  });

  it('need 20 events within the dates', async () => {
    const training_data = { start_date: '2024-02-20', end_date: '2024-02-21' };
    expect(await service.fail('/models/train', { model_type: 'shop', training_data })).toMatchObject({
      code: 'training_data_insufficient',
    });
  });
});
