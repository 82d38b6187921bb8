import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AlertEngine } from '../../../services/alerts/alert-engine.js';
import type { Database } from '../../../services/database/database.js';
import { newPredictionId } from '../../../services/serving/prediction-id.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const MINUTE_MS = 60_000;
const START_MS = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
const at = (minute: number, seconds = 0) => new Date(START_MS + minute * MINUTE_MS + seconds * 1000);

let server: MigratedDatabase;
let database: Database;
let engine: AlertEngine;
let asked = 0;
let isRedisDown = false;

const engineOfAProcess = () =>
  new AlertEngine({
    database,
    databaseUrl: server.url,
    logger: pino({ level: 'silent' }),
    settings: { webhookUrls: [], slackUrls: [], emailTo: [], emailFrom: 'ml@example.com', messagesPerHour: 100 },
    readModelsConfig: () => Promise.resolve({ models: new Map() }) as never,
    askDependencies: () => {
      asked += 1;
      const status = isRedisDown ? 'down' : 'up';
      return Promise.resolve({ redis: { status, latency_ms: 1, affects: 'the cache' } } as never);
    },
    failPoint: () => undefined,
  });

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  engine = engineOfAProcess();
});
afterAll(async () => {
  await server?.stop();
});

/** Predictions of a minute, all as slow as each other. */
const answer = (minute: number, { count, errors, ms }: { count: number; errors: number; ms: number }) =>
  createPredictionStore(database).write(
    Array.from({ length: count }, (_, index) =>
      JSON.stringify({
        id: newPredictionId(at(minute).getTime()),
        model: 'churn',
        version: 'v1.0.0',
        entity_id: null,
        features: {},
        predictions: {},
        latency_us: ms * 1000,
        cached: false,
        correlation_id: 'c',
        created_at: at(minute, 30).getTime(),
        error: index < errors ? 'kind_failed' : null,
      }),
    ),
    { firstMs: at(minute).getTime(), lastMs: at(minute + 1).getTime() },
  );
const failJobs = (count: number) =>
  database.prisma.job.createMany({
    data: Array.from({ length: count }, (_, index) => ({
      id: `job-${index}`,
      type: 'train',
      model: index === 0 ? null : 'churn',
      status: 'failed',
      request: {},
      correlationId: 'c',
      finishedAt: at(0, 30),
    })),
  });
const alerts = async (status: 'open' | 'resolved') =>
  (await database.prisma.alert.findMany({ where: { status } }))
    .map(({ rule, model, subject }) => `${rule} ${model} ${subject}`)
    .toSorted();

describe('what the service watches of itself', () => {
  it('opens an alert for failed jobs, errors, slow answers and a dependency that is away, each after its windows', async () => {
    isRedisDown = true;
    await failJobs(4);
    for (let minute = 0; minute < 3; minute++) await answer(minute, { count: 60, errors: 6, ms: 400 });
    const opened: string[][] = [];
    for (let minute = 1; minute <= 3; minute++) {
      expect(await engine.pass(at(minute, 5))).toBe(true);
      opened.push(await alerts('open'));
    }
    expect(opened).toEqual([
      ['failed-jobs  jobs'],
      ['failed-jobs  jobs', 'unanswered churn requests:errors'],
      [
        'dependency  dependency:redis',
        'failed-jobs  jobs',
        'slow-answers churn requests:latency',
        'unanswered churn requests:errors',
      ],
    ]);
    const [slow] = await database.prisma.alert.findMany({ where: { rule: 'slow-answers' } });
    expect(slow).toMatchObject({ monitor: 'platform', value: 400, threshold: 250, severity: 'medium' });
  });

  it('looks once a minute, with one query of the log, however often it is asked and whoever else has looked', async () => {
    const query = vi.spyOn(database.pool, 'query');
    const looks = () =>
      query.mock.calls.filter(([sql]: [unknown, ...unknown[]]) =>
        String((sql as { text?: string }).text ?? sql).includes('JOIN predictions'),
      ).length;
    try {
      const before = asked;
      for (const seconds of [10, 13, 59]) await engine.pass(at(3, seconds));
      expect([looks(), asked - before], 'the minute was looked at already').toEqual([0, 0]);
      await engineOfAProcess().pass(at(3, 59));
      expect(looks(), 'errors and slow answers are in one answer').toBeLessThanOrEqual(1);
      await engine.pass(at(4));
      await engine.pass(at(4, 3));
      expect(asked - before).toBe(1);
    } finally {
      query.mockRestore();
    }
  });

  it('resolves each of them when it was well for long enough', async () => {
    isRedisDown = false;
    for (let minute = 3; minute < 22; minute++) await answer(minute, { count: 60, errors: 0, ms: 5 });
    for (let minute = 5; minute <= 22; minute++) await engine.pass(at(minute));
    expect(await alerts('open'), 'an hour counts its failed jobs').toEqual(['failed-jobs  jobs']);
    await engine.pass(at(62));
    expect(await alerts('open')).toEqual([]);
    expect(await alerts('resolved')).toHaveLength(4);
  });
});
