import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureViewSchema } from '../../../core/schemas/feature-view.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import { findLeak } from '../../../services/features/find-leak.js';
import { OnDemandFeatures } from '../../../services/features/on-demand.js';
import { openViewRows } from '../../../services/features/view-rows.js';
import { lockConnection, sqlProblems } from '../../../services/features/view-sandbox.js';

let folder: string;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-views-'));
  await withDuckDb(async (connection) => {
    await connection.run(
      `COPY (SELECT 'u' || (n % 50) AS user_id, TIMESTAMP '2024-01-01' + INTERVAL (n) MINUTE AS placed_at, (n * 7919) % 100 AS amount FROM range(5000) t(n)) TO ${quoteText(file('orders.parquet'))}`,
    );
    await connection.run(`COPY (SELECT 1 AS secret) TO ${quoteText(file('secret.parquet'))}`);
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sqlView = (sql: string, more: object = {}) =>
  featureViewSchema.parse({
    owner: 'test',
    entity: 'user_id',
    event_time: 'placed_at',
    ttl_seconds: 86_400,
    sources: { orders: { available_time: 'placed_at' } },
    sql,
    features: { value: { type: 'number' } },
    ...more,
  });
const files = () => ({ orders: [file('orders.parquet')] });

describe('the SQL of a view', () => {
  it.each([
    ["SELECT * FROM read_parquet('/etc/passwd')", /may not read from read_parquet/],
    ["SELECT * FROM '/etc/passwd.csv'", undefined],
    ['DROP TABLE orders', /not one SELECT/],
    ['SELECT 1; SELECT 2', /must be one SELECT/],
    ["COPY orders TO 'x'", /not one SELECT/],
    ['SELECT *, random() AS value FROM orders', /uses random\(\)/],
    ['SELECT *, now() AS value FROM orders', /uses now\(\)/],
    ['SELECT *, current_date AS value FROM orders', /uses current_date/],
    ['SELECT * FROM (SELECT *, uuid() AS value FROM orders)', /uses uuid\(\)/],
    ['SELECT *, amount AS value FROM orders', undefined],
  ])('%s is judged by its syntax tree', async (sql, problem) => {
    const [found] = await withDuckDb((connection) => sqlProblems(connection, sqlView(sql)));
    if (problem) expect(found).toMatchObject({ path: 'sql', message: expect.stringMatching(problem) });
    else expect(found).toBeUndefined();
  });

  it.each([
    'sum(amount)',
    'lead(amount) OVER (ORDER BY placed_at)',
    '(SELECT max(amount) FROM orders)',
    '1) FROM orders; --',
  ])('an expression %s is refused: it must be of one row', async (expression) => {
    const view = featureViewSchema.parse({
      owner: 'test',
      entity: 'user_id',
      event_time: 'placed_at',
      ttl_seconds: 1,
      source: 'orders',
      features: { value: { type: 'number', expression } },
    });
    const problems = await withDuckDb((connection) => sqlProblems(connection, view));
    expect(problems).toMatchObject([{ path: 'features.value.expression' }]);
  });

  it('reads the files of its own data and nothing else, and writes none', async () => {
    await withDuckDb(async (connection) => {
      await lockConnection(connection, [file('orders.parquet')]);
      const name = await openViewRows(connection, sqlView('SELECT *, amount AS value FROM orders'), files(), '_rows');
      expect(await queryRows(connection, `SELECT count(*) AS rows FROM ${name}`)).toEqual([{ rows: 5000 }]);
      const stolen = sqlView(`SELECT *, amount AS value FROM orders, '${file('secret.parquet')}'`);
      await expect(openViewRows(connection, stolen, files(), '_stolen')).rejects.toThrow(/disabled by configuration/);
      await expect(connection.run('SET enable_external_access = true')).rejects.toThrow(/lock/i);
      await expect(connection.run(`COPY (SELECT 1) TO ${quoteText(file('new.parquet'))}`)).rejects.toThrow(/disabled/);
    });
  });

  it('names the columns that it lacks', async () => {
    const view = sqlView('SELECT user_id, amount AS value FROM orders');
    await withDuckDb(async (connection) => {
      await expect(openViewRows(connection, view, files(), '_rows')).rejects.toMatchObject({
        code: 'request_invalid',
        problems: [{ path: 'event_time', message: expect.stringContaining('it has user_id, value') }],
      });
    });
  });
});

describe('a leak', () => {
  const leakOf = (sql: string, more?: object) =>
    withDuckDb((connection) => findLeak(connection, sqlView(sql, more), files()));

  it('is found where SQL takes a value from a later row', async () => {
    expect(
      await leakOf(
        'SELECT user_id, placed_at, lead(amount) OVER (PARTITION BY user_id ORDER BY placed_at) AS value FROM orders',
      ),
    ).toMatch(/looks into the future/);
    expect(
      await leakOf('SELECT user_id, placed_at, avg(amount) OVER (PARTITION BY user_id) AS value FROM orders'),
    ).toMatch(/future/);
    // An event time that was moved to before it happened.
    expect(
      await leakOf('SELECT user_id, placed_at - INTERVAL 1 HOUR AS placed_at, amount AS value FROM orders'),
    ).toMatch(/future/);
  });

  it('is not seen in windows that end at the row, nor in rows that say when they were known', async () => {
    expect(
      await leakOf(
        'SELECT user_id, placed_at, sum(amount) OVER (PARTITION BY user_id ORDER BY placed_at RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) AS value FROM orders',
      ),
    ).toBeUndefined();
    expect(
      await leakOf(
        'SELECT user_id, placed_at, lead(placed_at) OVER w AS known_at, lead(amount) OVER w AS value FROM orders WINDOW w AS (PARTITION BY user_id ORDER BY placed_at)',
        { available_time: 'known_at' },
      ),
    ).toBeUndefined();
  });
});

describe('on-demand features', () => {
  it('are computed from stored features and the request, and are null where a value is missing', async () => {
    const view = sqlView('SELECT *, amount AS value FROM orders', {
      request: { price: { type: 'number' } },
      on_demand: {
        ratio: { type: 'number', expression: 'price / value' },
        label: { type: 'string', expression: "CASE WHEN price > 10 THEN 'dear' ELSE 'cheap' END" },
      },
    });
    const onDemand = new OnDemandFeatures();
    try {
      expect(await onDemand.compute(view, [{ value: 4, price: 14 }, { value: 0, price: 1 }, { price: 1 }])).toEqual([
        { ratio: 3.5, label: 'dear' },
        { ratio: null, label: 'cheap' },
        { ratio: null, label: 'cheap' },
      ]);
    } finally {
      await onDemand.close();
    }
  });
});
