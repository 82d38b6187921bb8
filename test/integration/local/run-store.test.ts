import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runsQuerySchema } from '../../../core/schemas/run.js';
import type { Database } from '../../../services/database/database.js';
import { createLogger } from '../../../services/telemetry/logger.js';
import { createRunRecorder } from '../../../services/tracking/run-recorder.js';
import { createRunStore, type RunStore } from '../../../services/tracking/run-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;
let store: RunStore;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  store = createRunStore(database);
  await database.prisma.run.createMany({
    data: [
      run('a', { max_depth: 10, algorithm: 'random_forest', warm: true, note: "it's" }, { roc_auc: 0.8 }),
      run('b', { max_depth: 3, algorithm: 'linear', warm: false }, { roc_auc: 0.9 }),
      run('c', { max_depth: '10', hidden_units: [64, 32], empty: null }, { 'label.rmse': 2 }),
      run('d', {}, { roc_auc: 0.9 }),
    ],
  });
});
afterAll(async () => {
  await server?.stop();
});

function run(id: string, params: object, metrics: object) {
  const createdAt = new Date(Date.UTC(2026, 0, 1 + id.charCodeAt(0) - 97));
  return { id, kind: 'training', model: 'customers', params, metrics, createdAt };
}

async function idsOf(query: Record<string, unknown>): Promise<string> {
  const { items } = await store.list(runsQuerySchema.parse({ model: 'customers', ...query }));
  return items.map((item) => item.run_id).join('');
}

describe('runs', () => {
  it.each([
    ['metrics.roc_auc > 0.8', 'db'],
    ['metrics.roc_auc >= 0.8 and params.max_depth = 10', 'a'],
    ["params.max_depth = '10'", 'c'],
    ['params.max_depth != 10', 'b'],
    ['not params.max_depth = 10', 'dcb'],
    ['params.warm = true', 'a'],
    ["params.note = 'it''s'", 'a'],
    ['params.empty is null', 'dcba'],
    ['params.algorithm is not null', 'ba'],
    ["params.algorithm contains 'forest' or params.hidden_units contains '64'", 'ca'],
    ['params.max_depth in (3, 10)', 'ba'],
    ["run_id in ('a', 'd') and status = 'running'", 'da'],
    ["created_at < '2026-01-02T00:00:00Z'", 'a'],
    ['wall_seconds = 0', 'dcba'],
    ['metrics.`label.rmse` = 2', 'c'],
    ["model = 'x'' or 1 = 1 --'", ''],
  ])('that fit %s are found', async (filter, expected) => {
    expect(await idsOf({ filter })).toBe(expected);
  });

  it.each(['metrics.roc_auc desc', 'metrics.roc_auc asc', 'params.max_depth', 'created_at', 'params.max_depth desc'])(
    'sorted by %s come once each, page by page, those without a value last',
    async (order) => {
      const all = await idsOf({ order_by: order });
      let cursor: string | undefined;
      let seen = '';
      do {
        const page = await store.list(runsQuerySchema.parse({ order_by: order, limit: 1, cursor }));
        seen += page.items.map((item) => item.run_id).join('');
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
      expect(seen).toBe(all);
      if (order.startsWith('metrics')) expect(all.at(-1)).toBe('c');
    },
  );

  it('keep each step once however often it is told, and sum up what all attempts have cost', async () => {
    const logger = createLogger('test', 'silent');
    const points = Array.from({ length: 1000 }, (_, at) => ({ name: 'loss', step: at + 1, value: 1 / (at + 1) }));
    for (const attempt of ['1-1', '2-7', '2-7']) {
      const recorder = createRunRecorder('a', { step: 'fit', attempt }, { database, logger });
      recorder.measured(points.slice(0, 600));
      recorder.measured(points.slice(400));
      await recorder.ended({ wallSeconds: 2, cpuSeconds: 3, peakMemoryBytes: attempt === '1-1' ? 5 : 4 });
    }
    const [curve] = await store.curves(['a'], { points: 10_000 });
    expect(curve!.points).toHaveLength(1000);
    const [thinned] = await store.curves(['a'], { points: 11 });
    expect(thinned!.points.map(({ step }) => step)).toEqual([1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 1000]);
    const found = await store.get('a');
    expect(found.cost).toEqual({ wall_seconds: 4, cpu_seconds: 6, peak_memory_bytes: 5 });
    expect(found.environment).toMatchObject({ node: process.versions.node, packages: { express: expect.any(String) } });
  });

  it('end with their job, once', async () => {
    const job = { id: 'b', type: 'train', status: 'running', request: {}, correlationId: 'c' };
    await database.prisma.job.create({ data: job });
    await database.prisma.job.update({
      where: { id: 'b' },
      data: { status: 'failed', error: { code: 'x', detail: 'y' } },
    });
    expect(await store.get('b')).toMatchObject({ status: 'failed', error: { code: 'x' } });
    await database.prisma.job.update({ where: { id: 'b' }, data: { status: 'completed' } });
    expect((await store.get('b')).status).toBe('failed');
  });
});
