import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Part } from '../../infra/local/local-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { createApiClient, pause } from '../support/api-client.js';
import { ApiProcesses, type ApiProcess } from '../support/api-processes.js';
import { queryDatabase } from '../support/query-database.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { simulateFiles } from '../support/simulate-files.js';

const SERVERS: Part[] = ['postgres', 'temporal'];
const CALLERS = 6;
/** The supervisor starts a killed server again at once, so that it is killed again and again to stay away. */
const KILLS = 12;
const KILL_EVERY_MS = 250;

let stack: TestStack;
let redis: RedisServer;
const processes = new ApiProcesses(() => stack);

interface Answered {
  statuses: Map<number, number>;
  ids: string[];
}

/** Single predictions and batches, some equal to former ones, one after the other. */
async function callUntil({ url }: ApiProcess, name: number, signal: AbortSignal, answered: Answered): Promise<void> {
  for (let at = 0; !signal.aborted; at++) {
    const features = { activity_score: ((name * 31 + at) % 97) / 97, project_count: at % 5 };
    const isBatch = at % 10 === 0;
    const response = await fetch(`${url}/predict/${isBatch ? 'user_behavior/batch' : 'user-behavior'}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        isBatch
          ? { instances: Array.from({ length: 20 }, (_, k) => ({ user_id: `u${k}`, features })) }
          : { user_id: `u${at % 50}`, features },
      ),
    });
    answered.statuses.set(response.status, (answered.statuses.get(response.status) ?? 0) + 1);
    const body = (await response.json()) as { prediction_id: string; results: { prediction_id: string }[] };
    if (response.status === 200)
      answered.ids.push(...(isBatch ? body.results.map((one) => one.prediction_id) : [body.prediction_id]));
  }
}

async function metric({ url }: ApiProcess, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => pattern.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

beforeAll(async () => {
  stack = await TestStack.start({ AUTO_ML_ENABLED: 'false' });
  if (hasRedis()) redis = await RedisServer.start();
  const api = createApiClient(() => stack.api);
  const { events } = simulateFiles(stack.stateDir, 600);
  await api.run('/data/ingest', { source: events, data_type: 'user_events' }, 'ingest');
  await api.run(
    '/models/train',
    { model_type: 'user_behavior', auto_deploy: true, hyperparameters: { n_estimators: 30 } },
    'train',
  );
});
afterAll(async () => {
  await processes.killAll();
  await redis?.kill9();
  await stack?.stop();
});

describe('PostgreSQL, Redis and Temporal killed at once, under load', () => {
  it.skipIf(!hasRedis())(
    'fail no prediction, and what was answered is what is logged plus what is counted as lost',
    async () => {
      const api = await processes.start({ REDIS_URL: redis.url(), PREDICTION_CACHE_TTL: '300' });
      const over = new AbortController();
      const answered: Answered = { statuses: new Map(), ids: [] };
      const load = Promise.all(
        Array.from({ length: CALLERS }, (_, name) => callUntil(api, name, over.signal, answered)),
      );
      await pause(500);
      const before = answered.ids.length;
      const away = redis.kill9();
      for (let kill = 0; kill < KILLS; kill++) {
        for (const server of SERVERS) stack.kill9(server);
        await pause(KILL_EVERY_MS);
      }
      await away;
      const during = answered.ids.length - before;
      await redis.startAgain();
      await pause(1000);
      over.abort();
      await load;

      expect([...answered.statuses.keys()]).toEqual([200]);
      expect(before).toBeGreaterThan(50);
      expect(during).toBeGreaterThan(200);
      const { ids } = answered;
      expect(new Set(ids).size).toBe(ids.length);
      await expect
        .poll(() => metric(api, /^mlops_prediction_log_buffered_rows /), { timeout: 60_000, interval: 200 })
        .toBe(0);
      const dropped = await metric(api, /^mlops_prediction_log_dropped_total /);
      const [logged] = await queryDatabase<{ rows: number }>(
        stack.addresses.databaseUrl,
        'SELECT count(*)::int AS rows FROM predictions WHERE id = ANY($1)',
        [ids],
      );
      expect(logged!.rows + dropped).toBe(ids.length);
      expect(dropped).toBe(0);
      // The counters have missed nothing, either.
      expect(await metric(api, /^mlops_predictions_total\{/)).toBe(ids.length);
      await expect
        .poll(() => metric(api, /^mlops_prediction_cache_redis_up /), { timeout: 30_000, interval: 200 })
        .toBe(1);
    },
  );
});
