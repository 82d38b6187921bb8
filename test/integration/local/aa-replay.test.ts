import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replaySplit, type ReplayLog } from '../../../core/decisions/replay-split.js';
import { drillRequestSchema, type ReplayDrillRequest } from '../../../core/schemas/drill.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import {
  describeLog,
  readReplayLog,
  replayMany,
  replayRule,
  sumUpReplays,
} from '../../../services/drills/replay-log.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const HEADS = [{ name: 'churn', task: 'binary' }];
const REQUEST = drillRequestSchema.parse({
  kind: 'aa_replay',
  model: 'm',
  days: 2,
  windows: 24,
  replays: 300,
  // Wide enough for so short a log to show that a version is safe.
  canary: { guardrails: { error_rate: { margin: 0.05 }, slow_rate: { margin: 0.05 } } },
}) as ReplayDrillRequest;

let server: MigratedDatabase;
let database: Database;

/** 3,000 users in a day, of whom some send hundreds of requests, and whose errors and truths are their own. */
const prng = createPrng(11);
const users = Array.from({ length: 3000 }, (_, at) => ({
  entity: `e${at}`,
  requests: 1 + Math.floor(3 * Math.exp(1.6 * prng.nextGaussian())),
  errors: prng.next() < 0.1 ? 0.2 : 0,
  churn: prng.next() < 0.3,
}));
const rows = users.flatMap((user) =>
  Array.from({ length: Math.min(user.requests, 400) }, () => ({
    ...user,
    atMs: NOW - Math.floor(prng.next() * 86_400_000),
    latency: Math.round(200 * Math.exp(prng.nextGaussian())),
    answer: Math.round((user.churn ? 0.6 : 0.2) * 100 + 20 * (prng.next() - 0.5)) / 100,
    isError: prng.next() < user.errors,
    hasTruth: prng.next() < 0.5,
  })),
);

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  const lines = rows.map(({ entity, atMs, latency, answer, isError }, at) =>
    JSON.stringify({
      id: `p${at}`,
      model: 'm',
      version: 'v1.0.0',
      entity_id: entity,
      features: {},
      predictions: { churn: answer },
      latency_us: latency,
      cached: false,
      correlation_id: 'c',
      created_at: atMs,
      ...(isError ? { error: 'internal_error' } : {}),
    }),
  );
  const store = createPredictionStore(database);
  for (let start = 0; start < lines.length; start += 5000)
    await store.write(lines.slice(start, start + 5000), { firstMs: NOW - 86_400_000, lastMs: NOW });
  await database.pool.query(
    `INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome)
     SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::jsonb[])`,
    [
      rows.flatMap(({ hasTruth }, at) => (hasTruth ? [`p${at}`] : [])),
      rows.flatMap(({ hasTruth, atMs }) => (hasTruth ? [new Date(atMs)] : [])),
      rows.flatMap(({ hasTruth, churn }) => (hasTruth ? [JSON.stringify({ churn })] : [])),
    ],
  );
  // As the server does by itself within a minute; until then it believes the table to be small, and joins it row by row.
  await database.pool.query('ANALYZE prediction_outcomes');
});
afterAll(async () => {
  await server?.stop();
});

async function readLog(): Promise<{ log: ReplayLog; span: Awaited<ReturnType<typeof describeLog>> }> {
  const span = await describeLog(database, REQUEST, new Date(NOW + 1));
  return { span, log: await readReplayLog(database, REQUEST, span, HEADS) };
}

describe('a replay of the log without a difference', () => {
  it('reads the log as it is: every entity, request and event', async () => {
    const { log, span } = await readLog();
    expect(span).toMatchObject({ requests: rows.length, entities: users.length });
    expect(log.starts).toHaveLength(users.length + 1);
    const names = [...users].map(({ entity }) => entity).sort();
    const width = 2 * log.measures.length;
    for (const entity of [0, 17, 2999]) {
      const last = (log.starts[entity + 1]! - 1) * width;
      const own = rows.filter((row) => row.entity === names[entity]);
      expect(log.values[last]).toBe(own.length);
      expect(log.values[last + 1]).toBe(own.filter(({ isError }) => isError).length);
      const places = log.windowOfRow.subarray(log.starts[entity]!, log.starts[entity + 1]!);
      expect([...places]).toEqual([...places].toSorted((a, b) => a - b));
    }
    expect(log.measures.map(({ measure }) => measure)).toEqual([
      'error_rate',
      'slow_rate',
      'loss:churn',
      'calibration:churn',
    ]);
  });

  it('keeps the promise about false alarms on a log of unequal users, and says how often', async () => {
    const { log, span } = await readLog();
    const rule = replayRule(REQUEST);
    const result = sumUpReplays(log, await replayMany(log, { replays: 300, seed: 1, rule }), rule, span);
    expect(result).toMatchObject({ replays: 300, promised: 0.01 });
    // Not surely above it: splits of one log are alike, so the interval is the one of this log.
    expect(result.false_alarms.lower).toBeLessThanOrEqual(0.01);
    expect(result.false_alarms.upper).toBeLessThan(0.05);
    for (const guardrail of result.guardrails) {
      expect(guardrail.promised).toBeCloseTo(0.0025, 12);
      expect(guardrail.lower).toBeLessThanOrEqual(guardrail.promised);
      expect(guardrail.lower).toBeLessThanOrEqual(guardrail.rate);
      expect(guardrail.upper).toBeGreaterThan(guardrail.rate);
    }
    expect(result.promoted.count).toBeGreaterThan(0);
    expect(result.promoted.median_windows).toBeGreaterThanOrEqual(3);
    const again = sumUpReplays(log, await replayMany(log, { replays: 300, seed: 1, rule }), rule, span);
    expect(again).toEqual(result);
  });

  it('would find a difference: cohorts of which one has more errors are told apart', async () => {
    const usual = { ...REQUEST, canary: { ...REQUEST.canary, guardrails: {} } };
    const span = await describeLog(database, usual, new Date(NOW + 1));
    const log = await readReplayLog(database, usual, span, HEADS);
    const bad = new Set(users.filter(({ errors }) => errors > 0).map(({ entity }) => entity));
    const names = users.map(({ entity }) => entity).sort();
    const split = createPrng(5);
    // Those with errors are put into the first cohort four times out of five.
    const isOurs = names.map((name) => split.next() < (bad.has(name) ? 0.8 : 0.5));
    const end = replaySplit(log, (entity) => isOurs[entity]!, replayRule(usual));
    expect(end.rolledBackAt).toBeGreaterThan(0);
    expect(end.isHarmful[0]).toBe(true);
  });

  it('refuses a log that could not show anything, and says what is missing', async () => {
    const none = drillRequestSchema.parse({ kind: 'aa_replay', model: 'other' }) as ReplayDrillRequest;
    await expect(describeLog(database, none, new Date(NOW))).rejects.toMatchObject({
      code: 'log_insufficient',
      message: expect.stringMatching(/0 requests of 0 entities in the last 28 days, and a replay needs 1000 of 200/),
    });
  });
});
