import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import { LogFollower } from '../../../services/performance/log-follower.js';
import { readRollups, type Rollup } from '../../../services/performance/rollup-store.js';
import { newPredictionId } from '../../../services/serving/prediction-id.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 4, 20);
const HEADS = [{ name: 'churn', task: 'binary', classes: ['false', 'true'] }];

let server: MigratedDatabase;
let database: Database;
let dies = false;
const prng = createPrng(3);

const follower = () =>
  new LogFollower({
    database,
    logger: pino({ level: 'silent' }),
    readModelsConfig: () => Promise.resolve({ models: new Map() }) as never,
    failPoint: () => {
      if (dies) throw new Error('the process dies here');
    },
  });
const follow = () => follower().followToEnd();

interface Made {
  id: string;
  atMs: number;
  churn: number;
  plan: string;
  cached: boolean;
}
/** Predictions of two days. */
const make = (count: number): Made[] =>
  Array.from({ length: count }, () => {
    const atMs = START + Math.floor(prng.next() * 48 * HOUR_MS);
    return {
      id: newPredictionId(atMs),
      atMs,
      churn: Math.round(prng.next() * 1000) / 1000,
      plan: prng.next() < 0.3 ? 'free' : 'pro',
      cached: prng.next() < 0.2,
    };
  });

const write = (rows: readonly Made[], more: object = {}) =>
  createPredictionStore(database).write(
    rows.map(({ id, atMs, churn, plan, cached }) =>
      JSON.stringify({
        id,
        model: 'm',
        version: 'v1.0.0',
        entity_id: null,
        features: { plan },
        predictions: { churn },
        latency_us: 1000,
        cached,
        correlation_id: 'c',
        created_at: atMs,
        ...more,
      }),
    ),
    { firstMs: START, lastMs: START + 48 * HOUR_MS },
  );
const report = (id: string, churn: boolean, observedMs = START) =>
  database.pool.query(
    `INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome) VALUES ($1, $2, $3)
     ON CONFLICT (prediction_id, observed_at) DO UPDATE SET outcome = EXCLUDED.outcome`,
    [id, new Date(observedMs), { churn }],
  );
const read = (span: 'hour' | 'day', segment = '') =>
  readRollups(database.pool, {
    model: 'm',
    span,
    from: new Date(START),
    to: new Date(START + 48 * HOUR_MS),
    segment,
    parts: ['answers', 'outcomes'],
  });

/** What the rollups must say, from the rows themselves. */
function expectRollups(rollups: Rollup[], spanMs: number, rows: readonly Made[], truths: ReadonlyMap<string, boolean>) {
  const starts = new Set(rows.map(({ atMs }) => Math.floor(atMs / spanMs) * spanMs));
  expect(new Set(rollups.map(({ start }) => start.getTime()))).toEqual(starts);
  for (const { start, answers, outcomes } of rollups) {
    const own = rows.filter(({ atMs }) => Math.floor(atMs / spanMs) * spanMs === start.getTime());
    expect(answers).toMatchObject({ requests: own.length });
    expect(answers['cached'] ?? 0).toBe(own.filter(({ cached }) => cached).length);
    const known = own.filter(({ id }) => truths.has(id));
    expect(outcomes['labelled'] ?? 0).toBe(known.length);
    if (known.length === 0) continue;
    const loss = known.reduce((sum, { id, churn }) => sum + (churn - Number(truths.get(id))) ** 2, 0);
    const { means } = (outcomes['heads'] as Record<string, { means: Record<string, { n: number; sum: number }> }>)[
      'churn'
    ]!;
    expect(means['brier']!.n).toBe(known.length);
    expect(means['brier']!.sum).toBeCloseTo(loss, 6);
  }
}

const made = make(1500);
const truths = new Map<string, boolean>();

async function expectExact(): Promise<void> {
  expectRollups(await read('hour'), HOUR_MS, made, truths);
  expectRollups(await read('day'), 24 * HOUR_MS, made, truths);
}

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  await database.prisma.modelVersion.create({
    data: {
      model: 'm',
      version: 'v1.0.0',
      kind: 'user_behavior',
      jobId: 'j',
      digest: 'd',
      promotable: true,
      verdict: {},
      parameters: {},
      metrics: { heads: {} },
      signature: { heads: HEADS },
      lineage: {},
    },
  });
  await database.prisma.monitor.create({
    data: { model: 'm', settings: { performance: { segments: ['plan'] } }, updatedBy: 'test' },
  });
});
afterAll(async () => {
  await server?.stop();
});

describe('rollups of the log', () => {
  it('count each row once, however it arrives', async () => {
    await write(made.slice(0, 500));
    await follow();
    await write(made.slice(400, 900));
    await write(made.slice(0, 100));
    await follow();
    // Rows of earlier releases come before all others; here they come late.
    await write(made.slice(900));
    await Promise.all([follow(), follow()]);
    await follow();
    await expectExact();
    const plans = await read('day', 'plan');
    const free = plans
      .filter(({ segment }) => segment === 'plan=free')
      .reduce((sum, row) => sum + Number(row.answers['requests']), 0);
    expect(free).toBe(made.filter(({ plan }) => plan === 'free').length);
    expect(await read('day', 'plan=pro')).toHaveLength(2);
  });

  it('take a row whose transaction is under way when it has ended, and no other twice', async () => {
    const client = await database.pool.connect();
    const late = { ...make(1)[0]!, plan: 'pro' };
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO predictions (id, model, version, features, predictions, latency_us, cached, correlation_id, created_at)
       VALUES ($1, 'm', 'v1.0.0', '{"plan":"pro"}', $2, 1000, $3, 'c', $4)`,
      [late.id, { churn: late.churn }, late.cached, new Date(late.atMs)],
    );
    const between = make(1);
    await write(between);
    await follow();
    await client.query('COMMIT');
    client.release();
    await follow();
    made.push(late, ...between);
    await expectExact();
    expect((await read('day')).reduce((sum, { answers }) => sum + Number(answers['requests']), 0)).toBe(made.length);
  });

  it('hold truths that come late, twice, corrected or in the wrong order', async () => {
    for (const [at, { id }] of made.slice(0, 300).entries()) {
      await report(id, at % 3 === 0);
      truths.set(id, at % 3 === 0);
    }
    await follow();
    await expectExact();
    for (const { id } of made.slice(0, 40)) await report(id, true, START + 5);
    for (const { id } of made.slice(0, 40)) truths.set(id, true);
    // An older report changes nothing; the same one again with another truth does.
    for (const { id } of made.slice(20, 60)) await report(id, false, START - 5);
    await report(made[100]!.id, true);
    truths.set(made[100]!.id, true);
    // First reports in the same hours as corrected ones.
    for (const { id } of made.slice(300, 500)) {
      await report(id, false);
      truths.set(id, false);
    }
    await follow();
    await expectExact();
    expect((await read('day')).reduce((sum, { outcomes }) => sum + Number(outcomes['labelled']), 0)).toBe(truths.size);
  });

  it('are what they were where a process dies before it commits', async () => {
    const more = make(200);
    await write(more);
    for (const { id } of more.slice(0, 50)) await report(id, true);
    dies = true;
    await expect(follow()).rejects.toThrow('dies here');
    dies = false;
    await expectExact();
    await follow();
    made.push(...more);
    for (const { id } of more.slice(0, 50)) truths.set(id, true);
    await expectExact();
  });

  it('stay where retention drops the log', async () => {
    const before = await read('hour');
    await createPredictionStore(database).applyRetention(1, new Date(START + 24 * HOUR_MS + 24 * HOUR_MS));
    await database.pool.query(`INSERT INTO rollup_corrections VALUES ('m', $1)`, [new Date(START)]);
    await follow();
    expect(await read('hour')).toEqual(before);
  });
});
