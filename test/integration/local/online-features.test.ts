import pg from 'pg';
import { createClient } from '@redis/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../infra/local/free-port.js';
import { featureViewSchema } from '../../../core/schemas/feature-view.js';
import { finishMaterialization } from '../../../services/features/finish-materialization.js';
import type { MaterializationPlan } from '../../../services/features/plan-materialization.js';
import { OnlineStore } from '../../../services/features/online-store.js';
import { RedisFeatures, type RedisView } from '../../../services/features/redis-features.js';
import { createLogger } from '../../../services/telemetry/logger.js';
import { MigratedDatabase } from '../../support/migrated-database.js';
import { hasRedis, RedisServer } from '../../support/redis-server.js';

const ENTITIES = 1200;
const TTL_SECONDS = 3600;
const DEFINITION = featureViewSchema.parse({
  owner: 'tests',
  entity: 'customer',
  event_time: 'seen_at',
  ttl_seconds: TTL_SECONDS,
  source: 'log',
  features: { score: { type: 'number' } },
});
const logger = createLogger('test', 'fatal');
const entity = (at: number) => `person ${at}`;

let server: MigratedDatabase;
let redis: RedisServer;
let features: RedisFeatures;
let store: OnlineStore;
let pool: MigratedDatabase['database']['pool'];
let client: ReturnType<typeof createClient>;

/** Fills PostgreSQL as a materialization does, and finishes it. @returns the view as it is looked up afterwards */
async function materialize(
  id: string,
  mode: 'full' | 'incremental',
  score: number,
  { previous = null, entities = ENTITIES }: { previous?: string | null; entities?: number } = {},
): Promise<RedisView> {
  const endUs = String(Date.now() * 1000);
  await server.database.prisma.featureMaterialization.create({
    data: { id, view: 'behaviour', version: 1, state: 'running', mode, endUs: BigInt(endUs), inputs: {} },
  });
  await pool.query(
    `INSERT INTO feature_values (view, version, entity_id, event_us, as_of_us, content)
     SELECT 'behaviour', 1, 'person ' || n, 7, $1, $2 FROM generate_series(0, $3::int - 1) n
     ON CONFLICT (entity_id, view, version) DO UPDATE SET as_of_us = EXCLUDED.as_of_us, content = EXCLUDED.content`,
    [endUs, JSON.stringify({ score }), entities],
  );
  const plan: MaterializationPlan = {
    jobId: id,
    view: 'behaviour',
    version: 1,
    definition: DEFINITION,
    mode,
    startUs: null,
    endUs,
    inputs: {},
    previous,
  } as MaterializationPlan;
  const filled = { entities, checksum: '0', statistics: [] };
  const { store: where } = await finishMaterialization(
    { plan, filled },
    { database: server.database, redisFeatures: features, logger },
  );
  expect(where).toBe(redis.isRunning ? 'redis' : 'postgresql');
  const generation = mode === 'full' ? id : previous!;
  return { view: 'behaviour', version: 1, materialization: id, generation };
}

const scores = async (view: RedisView, of: readonly string[]) =>
  (await store.read([view], of)).rows.map(([row]) =>
    row ? (JSON.parse(row.content) as { score: number }).score : undefined,
  );
/** Makes the rows of PostgreSQL tell that they are from there. */
const markStored = () => pool.query(`UPDATE feature_values SET content = '{"score": -1}'`);
const untilRedisIs = async (isUsed: boolean) => {
  for (const deadline = Date.now() + 20_000; ;) {
    const read = await features.read([{ view: 'x', version: 1, materialization: '', generation: '' }], []);
    if ((read !== undefined) === isUsed) return;
    if (Date.now() > deadline) throw new Error(`Redis is still ${isUsed ? 'left alone' : 'used'}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

describe.skipIf(!hasRedis())('features in Redis', () => {
  beforeAll(async () => {
    server = await MigratedDatabase.start();
    ({ pool } = server.database);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    redis = await RedisServer.start();
    client = createClient({ url: redis.url() });
    client.on('error', () => undefined);
    await client.connect();
    features = new RedisFeatures({ redis: { url: redis.url(), tls: {} }, logger, patienceMs: 2000 });
    store = new OnlineStore({ pool, redis: features });
    await untilRedisIs(true);
  });
  afterEach(async () => {
    store.close();
    features.close();
    client.destroy();
    await redis.kill9();
    await pool.query('TRUNCATE feature_values, feature_materializations');
  });

  it('are those of PostgreSQL, for as long as they hold, under names that tell of nobody', async () => {
    const view = await materialize('m1', 'full', 1);
    await markStored();
    const all = Array.from({ length: ENTITIES }, (_, at) => entity(at));
    expect(new Set(await scores(view, all))).toEqual(new Set([1]));
    const keys = await client.keys('*');
    expect(keys).toHaveLength(ENTITIES + 1);
    expect(keys.filter((key) => key.includes('person'))).toEqual([]);
    const seconds = await client.ttl(keys.find((key) => key.startsWith('mlops:feature:'))!);
    expect(seconds).toBeGreaterThan(TTL_SECONDS);
    expect(seconds).toBeLessThanOrEqual(TTL_SECONDS + 7 * 86_400);
  });

  it('are added to by an incremental filling, and replaced by a full one, of which nothing older is left', async () => {
    await materialize('m1', 'full', 1);
    const second = await materialize('m2', 'incremental', 2, { previous: 'm1', entities: 10 });
    await markStored();
    expect(await scores(second, [entity(0), entity(11)])).toEqual([2, 1]);
    const third = await materialize('m3', 'full', 3);
    await markStored();
    expect(await scores(third, [entity(0), entity(11)])).toEqual([3, 3]);
    const keys = (await client.keys('mlops:feature:*')).slice(0, 50);
    for (const key of keys) expect(await client.hLen(key)).toBe(1);
  });

  it('are copied anew by an incremental filling where Redis does not have the one before it', async () => {
    await materialize('m1', 'full', 1);
    await client.flushAll();
    const second = await materialize('m2', 'incremental', 2, { previous: 'm1', entities: 10 });
    await markStored();
    expect(await scores(second, [entity(0), entity(11)])).toEqual([2, 1]);
  });

  it('that were dropped, one or all, or are nonsense, come from PostgreSQL', async () => {
    const view = await materialize('m1', 'full', 1);
    await markStored();
    const keys = await client.keys('mlops:feature:*');
    await client.unlink(keys[0]!);
    for (const key of keys.slice(1, 3)) await client.hSet(key, 'behaviour:m1', '["no", 1]');
    const all = Array.from({ length: ENTITIES }, (_, at) => entity(at));
    const found = await scores(view, [...all, 'nobody']);
    expect(found.filter((score) => score === -1)).toHaveLength(3);
    expect(found.filter((score) => score === 1)).toHaveLength(ENTITIES - 3);
    expect(found.at(-1)).toBeUndefined();
    await client.flushAll();
    expect(new Set(await scores(view, all))).toEqual(new Set([-1]));
  });

  it('are left alone while Redis is dead or slow, and used again by themselves', async () => {
    const view = await materialize('m1', 'full', 1);
    await markStored();
    process.kill(redis.pid!, 'SIGSTOP');
    expect(await scores(view, [entity(1)])).toEqual([-1]);
    process.kill(redis.pid!, 'SIGCONT');
    await untilRedisIs(true);
    expect(await scores(view, [entity(1)])).toEqual([1]);
    await redis.kill9();
    await untilRedisIs(false);
    expect(await scores(view, [entity(1)])).toEqual([-1]);
    const second = await materialize('m2', 'full', 2);
    expect(await scores(second, [entity(1)])).toEqual([2]);
    await redis.startAgain();
    await untilRedisIs(true);
    expect(await scores(second, [entity(1)])).toEqual([2]);
  });

  it('go on while PostgreSQL is away; what neither can tell is missing, or unknown where Redis has not all', async () => {
    const view = await materialize('m1', 'full', 1);
    const nowhere = new pg.Pool({ connectionString: `postgresql://nobody@127.0.0.1:${await freePort()}/none` });
    const away = new OnlineStore({ pool: nowhere, redis: features });
    try {
      expect(await away.read([view], [entity(1), 'nobody'])).toMatchObject({
        isAway: false,
        rows: [[{}], [undefined]],
      });
      await client.flushAll();
      expect(await away.read([view], [entity(1)])).toMatchObject({ isAway: true });
    } finally {
      away.close();
      await nowhere.end();
    }
  });

  it('of a person are gone after an erasure, with every cached prediction', async () => {
    await materialize('m1', 'full', 1);
    await client.set('mlops:prediction:1', 'x');
    expect(await features.has(entity(1))).toBe(true);
    expect(await features.forget(entity(1))).toBe(2);
    expect(await features.has(entity(1))).toBe(false);
    expect(await features.has(entity(2))).toBe(true);
  });
});
