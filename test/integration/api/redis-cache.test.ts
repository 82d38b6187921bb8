import { createClient } from '@redis/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiProcesses, type ApiProcess } from '../../support/api-processes.js';
import { hasRedis, RedisServer } from '../../support/redis-server.js';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;

let service: Service;
let redis: RedisServer;
const processes = new ApiProcesses(() => service.stack);

const startApi = (env: Record<string, string> = {}) =>
  processes.start({ LOG_LEVEL: 'INFO', PREDICTION_CACHE_TTL: '300', REDIS_URL: redis.url(), ...env });

const predict = async ({ url }: ApiProcess, usage: number | string, query = '') => {
  const response = await fetch(`${url}/predict/customers${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ features: { usage, plan: 'pro' } }),
  });
  return { status: response.status, body: (await response.json()) as { cached: boolean; predictions: object } };
};
const metric = async ({ url }: ApiProcess, line: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? 0 : Number(found.split(' ').at(-1));
};
const lookups = (api: ApiProcess, result: string) =>
  metric(api, `mlops_prediction_cache_lookups_total{result="${result}"}`);
const redisIs = (api: ApiProcess, isUp: boolean) =>
  eventually(`Redis is ${isUp ? 'used' : 'left alone'}`, async () =>
    (await metric(api, 'mlops_prediction_cache_redis_up')) === Number(isUp) ? true : undefined,
  );

/** What was asked last: the next is another one, so that nobody has it in memory. */
let usage = 100;

/** An answer that one process has computed and another one found. On a busy machine Redis may miss its 5 ms, and is asked again later. */
const sharedAnswer = (one: ApiProcess, other: ApiProcess) =>
  eventually('an answer that two processes share', async () => {
    await redisIs(one, true);
    await redisIs(other, true);
    usage++;
    const [first, again] = [await predict(one, usage), await predict(other, usage)];
    return again.body.cached ? ([first, again] as const) : undefined;
  });

describe.skipIf(!hasRedis())('the cache in Redis', () => {
  beforeAll(async () => {
    service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false' });
    service.file('customers.csv', learnableTable(800));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  });
  beforeEach(async () => void (redis = await RedisServer.start()));
  afterEach(async () => {
    await processes.killAll();
    await redis.kill9();
  });
  afterAll(() => service?.stop());

  it('answers in one process what another has computed, to the bit, and each prediction has its own id', async () => {
    const [one, other] = [await startApi(), await startApi()];
    const [first, again] = await sharedAnswer(one, other);
    expect(first.body.cached).toBe(false);
    expect(again.body).toEqual({ ...first.body, cached: true, prediction_id: expect.any(String) as string });
    expect(again.body).not.toMatchObject({ prediction_id: (first.body as { prediction_id?: string }).prediction_id });
    expect(await lookups(other, 'redis')).toBe(1);
    // From now on it is in the memory of the process.
    expect((await predict(other, usage, '?x=1')).body.cached).toBe(true);
    expect(await lookups(other, 'memory')).toBe(1);
  });

  it('asks once for equal requests that come at once, and keeps nothing that was refused', async () => {
    const api = await startApi();
    await redisIs(api, true);
    const client = createClient({ url: redis.url() });
    client.on('error', () => undefined);
    await client.connect();
    const kept = await eventually('an answer that is kept', async () => {
      await redisIs(api, true);
      const before = (await lookups(api, 'miss')) + (await lookups(api, 'redis'));
      usage++;
      const answers = await Promise.all(Array.from({ length: 20 }, () => predict(api, usage)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect((await lookups(api, 'miss')) + (await lookups(api, 'redis')) - before).toBeLessThanOrEqual(2);
      return (await client.dbSize()) || undefined;
    });
    for (let at = 0; at < 2; at++) expect((await predict(api, 'many')).status).toBe(422);
    expect(await client.dbSize()).toBe(kept);
    client.destroy();
  });

  it('takes what is no answer of ours for not known', async () => {
    const api = await startApi();
    await redisIs(api, true);
    const client = createClient({ url: redis.url() });
    client.on('error', () => undefined);
    await client.connect();
    const { expected, key } = await eventually('an answer that is kept', async () => {
      await redisIs(api, true);
      await client.flushDb();
      const answer = await predict(api, ++usage);
      const [found] = await client.keys('*');
      return found === undefined ? undefined : { expected: answer, key: found };
    });
    const other = await startApi();
    await redisIs(other, true);
    for (const text of [
      '',
      'null',
      '{"answer":{}}',
      '{"answer":{"predictions":{},"confidence_scores":{}},"expiresMs":1}',
    ]) {
      await client.set(key, text);
      const answer = await predict(other, usage);
      expect(answer.body.predictions).toEqual(expected.body.predictions);
      expect(answer.status).toBe(200);
    }
    client.destroy();
  });

  it.each([
    ['is killed', 'SIGKILL' as const],
    ['hangs', 'SIGSTOP' as const],
  ])('when it %s costs those who wait 5 ms once, and is used again when it is back', async (_how, signal) => {
    const api = await startApi();
    await redisIs(api, true);
    redis.signal(signal);
    // All different, so that none is in memory.
    const answers = await Promise.all(Array.from({ length: 50 }, () => predict(api, usage++)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await redisIs(api, false);
    const health = (await (await fetch(`${api.url}/health`)).json()) as { status: string; dependencies: object };
    expect(health).toMatchObject({ status: 'degraded', dependencies: { redis: { status: 'down' } } });
    for (let at = 0; at < 20; at++) expect((await predict(api, usage++)).status).toBe(200);
    // Told once, not for each request.
    expect(api.log().match(/Redis cannot be used at present; predictions/g)).toHaveLength(1);
    if (signal === 'SIGSTOP') redis.signal('SIGCONT');
    else await redis.startAgain();
    await redisIs(api, true);
    expect((await predict(api, usage)).status).toBe(200);
    await sharedAnswer(api, await startApi());
  });

  it('with a wrong password is told in the log without it, and costs nothing', async () => {
    const api = await startApi({ REDIS_URL: redis.url('wrong-password') });
    expect((await predict(api, 40)).status).toBe(200);
    await eventually('the log says so', () =>
      Promise.resolve(/Redis cannot be used at present/.test(api.log()) ? true : undefined),
    );
    expect(api.log()).toMatch(/WRONGPASS|invalid username-password/);
    expect(api.log()).not.toContain('wrong-password');
    expect((await predict(api, 40)).body.cached).toBe(true);
  });
});
