import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/local/free-port.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { ApiProcesses } from '../support/api-processes.js';
import { createApiClient, pause } from '../support/api-client.js';
import { queryDatabase } from '../support/query-database.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { simulateFiles } from '../support/simulate-files.js';

let stack: TestStack;
let redis: RedisServer | undefined;
const processes = new ApiProcesses(() => stack);

const FEATURES = { activity_score: 0.5, project_count: 3 };
/** On a connection of its own: one that a killed process has left says nothing of the others. */
const predict = (url: string, user: string) =>
  fetch(`${url}/predict/user-behavior`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ user_id: user, features: FEATURES }),
  });

const tellOutcome = (url: string, id: string) =>
  fetch(`${url}/predictions/${id}/feedback`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ outcome: { churn_probability: true }, observed_at: '2026-01-02T00:00:00Z' }),
  });

/** Sends predictions from several callers at once until the signal. @param ids receives those that were answered */
async function predictUntil(url: () => string, signal: AbortSignal, ids: string[]): Promise<void> {
  const caller = async (name: number) => {
    while (!signal.aborted) {
      try {
        const response = await predict(url(), `user_${name}`);
        const body = (await response.json()) as { prediction_id?: string };
        if (response.status === 200) ids.push(body.prediction_id!);
      } catch {
        await pause(20);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, name) => caller(name)));
}

const query = <Row extends object>(sql: string, values?: unknown[]) =>
  queryDatabase<Row>(stack.addresses.databaseUrl, sql, values);

/** Each id is in the log exactly once, as soon as what was spooled has arrived. */
async function expectLogged(ids: readonly string[]): Promise<void> {
  expect(ids.length).toBeGreaterThan(0);
  expect(new Set(ids).size).toBe(ids.length);
  const sql = 'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM predictions WHERE id = ANY($1)';
  let found = { rows: 0, ids: 0 };
  for (let tries = 0; tries < 150 && found.ids < ids.length; tries++) {
    // A database that was killed is not back at once.
    [found = found] = await query<{ rows: number; ids: number }>(sql, [ids]).catch(() => []);
    if (found.ids < ids.length) await pause(200);
  }
  expect(found).toEqual({ rows: ids.length, ids: ids.length });
}

beforeAll(async () => {
  redis = hasRedis() ? await RedisServer.start() : undefined;
  stack = await TestStack.start({
    // Almost every prediction asks Redis first, where there is one.
    PREDICTION_CACHE_TTL: redis ? '1' : '0',
    AUTO_ML_ENABLED: 'false',
    ...(redis ? { REDIS_URL: redis.url() } : {}),
  });
  const api = createApiClient(() => stack.api);
  const { events } = simulateFiles(stack.stateDir, 600);
  await api.run('/data/ingest', { source: events, data_type: 'user_events' }, 'ingest');
  await api.run(
    '/models/train',
    { model_type: 'user_behavior', auto_deploy: true, hyperparameters: { n_estimators: 30 } },
    'train',
  );
});
afterEach(() => processes.killAll());
afterAll(async () => {
  await redis?.kill9();
  await stack?.stop();
});

describe('the log of predictions', () => {
  it('has every prediction that was answered, through kills of the API in the middle of the load', async () => {
    const over = new AbortController();
    const ids: string[] = [];
    const load = predictUntil(() => stack.api, over.signal, ids);
    const answered = async (count: number) => {
      for (let tries = 0; tries < 600 && ids.length < count; tries++) await pause(50);
    };
    for (let kill = 1; kill <= 3; kill++) {
      await answered(ids.length + 30);
      stack.kill9('api');
    }
    await answered(ids.length + 30);
    over.abort();
    await load;
    expect(ids.length).toBeGreaterThan(100);
    await expectLogged(ids);
  });

  it('has every prediction and every outcome once that were taken while PostgreSQL, Temporal and Redis were killed at once', async () => {
    // The API was killed in the test before.
    for (let tries = 0; tries < 150 && !(await predict(stack.api, 'u').catch(() => undefined))?.ok; tries++)
      await pause(200);
    const over = new AbortController();
    const failed: number[] = [];
    const ids: string[] = [];
    const told: string[] = [];
    const states = new Set<string>();
    const load = (async () => {
      while (!over.signal.aborted) {
        const response = await predict(stack.api, 'u');
        if (response.status !== 200) {
          failed.push(response.status);
          continue;
        }
        const { prediction_id: id } = (await response.json()) as { prediction_id: string };
        ids.push(id);
        if (ids.length % 4 > 0) continue;
        const feedback = await tellOutcome(stack.api, id);
        if (!feedback.ok) failed.push(feedback.status);
        told.push(id);
        states.add(((await feedback.json()) as { state: string }).state);
      }
    })();
    await pause(300);
    stack.kill9('postgres');
    stack.kill9('temporal');
    await redis?.kill9();
    await pause(1500);
    over.abort();
    await load;
    expect(failed).toEqual([]);
    expect(states).toContain('waiting');
    await expectLogged(ids);
    const outcomes = () =>
      query<{ rows: number; ids: number }>(
        'SELECT count(*)::int AS rows, count(DISTINCT prediction_id)::int AS ids FROM prediction_outcomes WHERE prediction_id = ANY($1)',
        [told],
      );
    for (let tries = 0; tries < 150 && (await outcomes())[0]!.ids < told.length; tries++) await pause(200);
    expect(await outcomes()).toEqual([{ rows: told.length, ids: told.length }]);
  });
});

describe('an API process that can reach neither PostgreSQL nor Temporal', () => {
  const nothing = async () => ({
    DATABASE_URL: `postgresql://nobody@127.0.0.1:${await freePort()}/none`,
    TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
  });

  it.each([1, 2])('starts and answers, and nothing of it is lost when it is killed: %i processes', async (count) => {
    const { url, child } = await processes.start({ ...(await nothing()), API_WORKERS: String(count) });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, user) => predict(url, `user_${user}`)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as {
      prediction_id: string;
      model_version: string;
    }[];
    expect(new Set(bodies.map(({ model_version: version }) => version))).toEqual(new Set(['v1.0.0']));
    const ids = bodies.map((body) => body.prediction_id);
    const feedback = await tellOutcome(url, ids[0]!);
    expect(feedback.status).toBe(202);
    expect(await feedback.json()).toEqual({
      prediction_id: ids[0],
      observed_at: '2026-01-02T00:00:00.000Z',
      outcome: { churn_probability: true },
      metrics: {},
      state: 'waiting',
    });
    child.kill('SIGKILL');
    // The API of the stack finds what a process has left that is gone.
    await expectLogged(ids);
    const outcomes = () => query('SELECT outcome FROM prediction_outcomes WHERE prediction_id = $1', [ids[0]]);
    for (let tries = 0; tries < 150 && (await outcomes()).length === 0; tries++) await pause(200);
    expect(await outcomes()).toEqual([{ outcome: { churn_probability: true } }]);
  });

  it('leaves what it could not ship on disk when it is stopped, and says so in its metrics', async () => {
    const { url, child } = await processes.start(await nothing());
    const { prediction_id: id } = (await (await predict(url, 'u')).json()) as { prediction_id: string };
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^mlops_prediction_log_buffered_rows 1$/m);
    expect(metrics).toMatch(/^mlops_prediction_log_dropped_total 0$/m);
    child.kill('SIGTERM');
    await once(child, 'exit');
    await expectLogged([id]);
  });
});

describe('several API processes on one port', () => {
  it('count as one, agree on the version, and are each started again', async () => {
    const { url, child } = await processes.start({ API_WORKERS: '2', PREDICTION_CACHE_TTL: '0' });
    const ids: string[] = [];
    for (let at = 0; at < 20; at++)
      ids.push(((await (await predict(url, 'u')).json()) as { prediction_id: string }).prediction_id);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^mlops_predictions_total\{model="user_behavior",version="v1\.0\.0",cached="false"\} 20$/m);
    expect(metrics).toMatch(/^mlops_served_version_info\{model="user_behavior",version="v1\.0\.0"\} 1$/m);
    const model = (await (await fetch(`${url}/models/user_behavior`)).json()) as { serving: object };
    expect(model.serving).toEqual({ version: 'v1.0.0', loaded_version: 'v1.0.0' });

    const workers = childrenOf(child.pid!);
    expect(workers).toHaveLength(2);
    process.kill(workers[0]!, 'SIGKILL');
    // The other goes on meanwhile. A request that was in the killed one may fail; each new connection is answered.
    await pause(100);
    for (let at = 0; at < 10; at++) expect((await predict(url, 'u')).status).toBe(200);
    for (let tries = 0; tries < 100 && childrenOf(child.pid!).length < 2; tries++) await pause(100);
    expect(childrenOf(child.pid!)).toHaveLength(2);
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
    await expectLogged(ids);
    // Each process has tidied up behind itself, and another behind the killed one.
    const folders = () => readdirSync(join(stack.stateDir, 'spool', 'predictions')).length;
    for (let tries = 0; tries < 100 && folders() > 1; tries++) await pause(100);
    expect(folders()).toBe(1);
  });
});

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}
function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
