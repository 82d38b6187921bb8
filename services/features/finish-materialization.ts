import type { Pool } from 'pg';
import type { Database } from '../database/database.js';
import type { Logger } from '../telemetry/logger.js';
import type { FilledView } from './materialize-view.js';
import type { MaterializationPlan } from './plan-materialization.js';
import type { RedisFeatures, RedisView, StoredRow } from './redis-features.js';

/** Rows that travel to Redis at once. */
const BATCH_ROWS = 1000;
/** Full materializations whose rows Redis may still have; older ones went when those after them came. */
const GENERATIONS_SEEN = 8;

/**
 * Makes a filled view what is served: the watermark moves, the rows of former versions go, and Redis gets what it lacks. A Redis that is
 * away costs nothing but its speed: the view is read from PostgreSQL until the next time. Repeatable.
 */
export async function finishMaterialization(
  { plan, filled }: { plan: MaterializationPlan; filled: FilledView },
  {
    database,
    redisFeatures: redis,
    logger,
  }: { database: Database; redisFeatures: RedisFeatures | undefined; logger: Logger },
) {
  const { prisma, pool } = database;
  await prisma.featureMaterialization.update({
    where: { id: plan.jobId },
    data: {
      state: 'completed',
      entities: filled.entities,
      checksum: filled.checksum,
      statistics: filled.statistics as never,
      finishedAt: new Date(),
    },
  });
  await pool.query('DELETE FROM feature_values WHERE view = $1 AND version < $2', [plan.view, plan.version]);
  let store: 'postgresql' | 'redis' = 'postgresql';
  if (redis) {
    try {
      await copyToRedis(plan, redis, database);
      store = 'redis';
    } catch (error) {
      logger.warn({ err: error, view: plan.view }, 'a view could not be copied to Redis; it is read from PostgreSQL');
    }
  }
  const { jobId: _, definition: __, previous: ___, startUs, endUs, ...rest } = plan;
  const timeOf = (us: string) => new Date(Number(BigInt(us) / 1000n)).toISOString();
  return {
    ...rest,
    start: startUs === null ? null : timeOf(startUs),
    end: timeOf(endUs),
    entities: filled.entities,
    checksum: filled.checksum,
    store,
  };
}

/**
 * An incremental one adds to what Redis has; where that is not the one before it, all rows go there, under a name of their own, and those under
 * former names go once nobody looks for them.
 */
async function copyToRedis(plan: MaterializationPlan, redis: RedisFeatures, { pool }: Database): Promise<void> {
  const { view, version, jobId } = plan;
  const { rows: found } = await pool.query<{ generation: string; version: number }>(
    `SELECT id AS generation, version FROM feature_materializations WHERE view = $1 AND state = 'completed' AND mode = 'full'
     ORDER BY created_at DESC LIMIT ${GENERATIONS_SEEN}`,
    [view],
  );
  const generation = found.find((one) => one.version === version)?.generation ?? jobId;
  const target: RedisView = { view, version, materialization: jobId, generation };
  const former = found.map((one) => one.generation).filter((one) => one !== generation);
  const marker = await redis.marker(view);
  const isEnough = plan.mode === 'incremental' && (marker === plan.previous || marker === jobId);
  const since = isEnough ? plan.endUs : '0';
  for await (const rows of pagesOf(plan, since, pool)) await redis.write(target, rows, plan.definition.ttl_seconds);
  await redis.mark(target);
  if (isEnough || former.length === 0) return;
  for await (const rows of pagesOf(plan, since, pool))
    await redis.drop(
      view,
      former,
      rows.map(({ entity }) => entity),
    );
}

async function* pagesOf(
  { view, version }: MaterializationPlan,
  sinceUs: string,
  pool: Pool,
): AsyncGenerator<StoredRow[]> {
  for (let after = ''; ;) {
    const { rows } = await pool.query<{ entity_id: string; event_us: string; content: string }>(
      `SELECT entity_id, event_us, content FROM feature_values WHERE view = $1 AND version = $2 AND entity_id > $3 AND as_of_us >= $4
       ORDER BY entity_id LIMIT ${BATCH_ROWS}`,
      [view, version, after, sinceUs],
    );
    if (rows.length === 0) return;
    yield rows.map((row) => ({ entity: row.entity_id, eventUs: Number(row.event_us), content: row.content }));
    after = rows.at(-1)!.entity_id;
  }
}

/** A filling that did not come to its end lets the next one in. */
export async function abandonMaterialization(jobId: string, { database }: { database: Database }): Promise<void> {
  await database.prisma.featureMaterialization.updateMany({
    where: { id: jobId, state: 'running' },
    data: { state: 'failed', finishedAt: new Date() },
  });
}
