import { applyMigrations } from '../../services/database/apply-migrations.js';
import { openDatabase } from '../../services/database/database.js';
import { OnlineStore } from '../../services/features/online-store.js';
import { RedisFeatures, type RedisView } from '../../services/features/redis-features.js';
import { createLogger } from '../../services/telemetry/logger.js';

const VIEWS = 20;
const ENTITIES = 20_000;

interface Latencies {
  measured: 'online';
  store: string;
  views: number;
  lookups: number;
  p50_ms: number;
  p99_ms: number;
}

/** Latencies of looking one entity up in 20 views, one after the other. */
export async function measureOnline(
  databaseUrl: string,
  redisUrl: string | undefined,
  lookups: number,
): Promise<Latencies[]> {
  await applyMigrations(databaseUrl);
  const database = openDatabase(databaseUrl, () => undefined);
  const redis =
    redisUrl === undefined
      ? undefined
      : new RedisFeatures({ redis: { url: redisUrl, tls: {} }, logger: createLogger('bench', 'error') });
  const views = Array.from({ length: VIEWS }, (_, at): RedisView => ({
    view: `bench_${at}`,
    version: 1,
    materialization: 'bench',
    generation: 'bench',
  }));
  const content = JSON.stringify({ a: 1.5, b: 'text', c: true });
  try {
    await database.pool.query(
      `INSERT INTO feature_values (view, version, entity_id, event_us, as_of_us, content)
       SELECT 'bench_' || v, 1, 'e' || e, 0, 0, $1 FROM generate_series(0, ${VIEWS - 1}) v, generate_series(0, ${ENTITIES - 1}) e ON CONFLICT DO NOTHING`,
      [content],
    );
    await database.pool.query('ANALYZE feature_values');
    const lines = [await measure('postgresql', new OnlineStore({ pool: database.pool }), views, lookups)];
    if (!redis) return lines;
    for (const view of views) {
      for (let start = 0; start < ENTITIES; start += 1000)
        await redis.write(
          view,
          Array.from({ length: 1000 }, (_, at) => ({ entity: `e${start + at}`, eventUs: 0, content })),
          86_400,
        );
      await redis.mark(view);
    }
    return [...lines, await measure('redis', new OnlineStore({ pool: database.pool, redis }), views, lookups)];
  } finally {
    redis?.close();
    await database.pool.query(`DELETE FROM feature_values WHERE view LIKE 'bench\\_%'`);
    await database.close();
  }
}

async function measure(
  store: string,
  online: OnlineStore,
  views: readonly RedisView[],
  lookups: number,
): Promise<Latencies> {
  const latencies: number[] = [];
  for (let at = -200; at < lookups; at++) {
    const startMs = performance.now();
    const { rows, isAway } = await online.read(views, [`e${(((at * 7919) % ENTITIES) + ENTITIES) % ENTITIES}`]);
    if (isAway || rows[0]!.some((row) => row === undefined))
      throw new Error(`The ${store} lookup ${at} found less than it should.`);
    if (at >= 0) latencies.push(performance.now() - startMs);
  }
  latencies.sort((a, b) => a - b);
  const quantile = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]!;
  online.close();
  return { measured: 'online', store, views: views.length, lookups, p50_ms: quantile(0.5), p99_ms: quantile(0.99) };
}
