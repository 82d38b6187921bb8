import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../services/database/database.js';
import { projectRoot } from '../../../services/project-root.js';
import { OutcomeRecorder } from '../../../services/serving/outcome-recorder.js';
import { newPredictionId } from '../../../services/serving/prediction-id.js';
import { PredictionLog } from '../../../services/serving/prediction-log.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { encodeFrame } from '../../../services/spool/frame.js';
import { createMetrics } from '../../../services/telemetry/metrics.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-03-10T12:00:00Z');

let server: MigratedDatabase;
let database: Database;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
});
afterAll(async () => {
  await server?.stop();
});
beforeEach(() => database.pool.query('TRUNCATE predictions, prediction_outcomes'));

const row = (id: string, createdMs: number, more: object = {}) =>
  JSON.stringify({
    id,
    model: 'customers',
    version: 'v1.0.0',
    features: { usage: 1.5, plan: 'päid "x"\\', absent: null },
    predictions: { label: 'stay' },
    latency_us: 12,
    cached: false,
    correlation_id: 'c',
    created_at: createdMs,
    ...more,
  });
const daysAgo = (days: number) => NOW.getTime() - days * DAY_MS;
const days = async () =>
  (
    await database.pool.query<{ day: string }>(
      `SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day FROM predictions ORDER BY 1`,
    )
  ).rows.map(({ day }) => day);

describe('the table of predictions', () => {
  it('keeps rows as they were written, each once, in the partition of its day', async () => {
    const store = createPredictionStore(database);
    const midnight = Date.parse('2026-03-10T00:00:00Z');
    const times = [midnight - 1, midnight, midnight + 1];
    const rows = times.map((ms) => row(newPredictionId(ms), ms, { entity_id: 'u' }));
    await store.write(rows, { firstMs: times[0]!, lastMs: times[2]! });
    // A shipper that died before it knew that they had arrived sends them again; another process sends them, too.
    await Promise.all(
      [store, createPredictionStore(database)].map((one) => one.write(rows, { firstMs: times[0]!, lastMs: times[2]! })),
    );
    const found = await database.pool.query<{ partition: string; features: object; entity_id: string; at: Date }>(
      'SELECT tableoid::regclass::text AS partition, features, entity_id, created_at AS at FROM predictions ORDER BY created_at',
    );
    expect(found.rows.map(({ partition }) => partition)).toEqual([
      'predictions_20260309',
      'predictions_20260310',
      'predictions_20260310',
    ]);
    expect(found.rows.map(({ at }) => at.getTime())).toEqual(times);
    expect(found.rows[0]).toMatchObject({ entity_id: 'u', features: { usage: 1.5, plan: 'päid "x"\\', absent: null } });
  });

  it('makes the partition of a day once, also when many ask for it at the same time', async () => {
    const rows = Array.from({ length: 8 }, () => row(newPredictionId(daysAgo(30)), daysAgo(30)));
    const span = { firstMs: daysAgo(30), lastMs: daysAgo(30) };
    await Promise.all(rows.map((one) => createPredictionStore(database).write([one], span)));
    expect(await days()).toHaveLength(8);
  });

  it('says which failures are about the rows, and which about the database', async () => {
    const store = createPredictionStore(database);
    const ms = NOW.getTime();
    const write = (text: string) => store.write([text], { firstMs: ms, lastMs: ms }).catch((error: unknown) => error);
    for (const bad of [
      '{"id":',
      row('a', ms, { latency_us: 'x' }),
      row('a', ms, { model: null }),
      row('a', ms, { features: '\0' }),
    ])
      expect(store.isOfRows(await write(bad)), bad).toBe(true);
    expect(store.isOfRows(new Error('connect ECONNREFUSED 127.0.0.1:1'))).toBe(false);
    expect(await days()).toEqual([]);
  });

  it('drops the days before the retention, with the outcomes reported before it, and only those', async () => {
    const store = createPredictionStore(database);
    for (const age of [0, 1, 5, 6, 40]) {
      const id = newPredictionId(daysAgo(age));
      await store.write([row(id, daysAgo(age))], { firstMs: daysAgo(age), lastMs: daysAgo(age) });
      await database.pool.query('INSERT INTO prediction_outcomes VALUES ($1, $2, $3, $2)', [
        id,
        new Date(daysAgo(age)),
        '{"label":"stay"}',
      ]);
    }
    expect(await store.applyRetention(0, NOW)).toEqual([]);
    expect(await days()).toHaveLength(5);
    expect(await store.applyRetention(5, NOW)).toEqual(
      expect.arrayContaining(['predictions_20260129', 'predictions_20260304']),
    );
    expect(await days()).toEqual(['2026-03-05', '2026-03-09', '2026-03-10']);
    expect((await database.pool.query('SELECT FROM prediction_outcomes')).rowCount).toBe(3);
    expect(await store.applyRetention(5, NOW)).toEqual([]);
    // A row that comes late for a day that was dropped finds a place again.
    await store.write([row(newPredictionId(daysAgo(6)), daysAgo(6))], { firstMs: daysAgo(6), lastMs: daysAgo(6) });
    expect(await days()).toHaveLength(4);
  });

  it('took over what the table had before it was partitioned', async () => {
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query('CREATE SCHEMA before; SET search_path TO before');
    const sql = (name: string) => readFileSync(join(projectRoot(), 'prisma/migrations', name, 'migration.sql'), 'utf8');
    await admin.query(sql('20261123000000_spine'));
    const insert = `INSERT INTO predictions VALUES ($1, 'm', 'v1.0.0', NULL, '{}', '{"label":1}', 5, false, 'c', $2)`;
    for (const at of ['2025-12-31T23:59:59.999Z', '2026-01-01T00:00:00Z', '2026-01-01T10:00:00Z'])
      await admin.query(insert, [at, at]);
    await admin.query(sql('20261124000000_partitioned_predictions'));
    const { rows } = await admin.query('SELECT id, tableoid::regclass::text AS partition FROM predictions ORDER BY id');
    expect(rows).toEqual([
      { id: '2025-12-31T23:59:59.999Z', partition: 'predictions_20251231' },
      { id: '2026-01-01T00:00:00Z', partition: 'predictions_20260101' },
      { id: '2026-01-01T10:00:00Z', partition: 'predictions_20260101' },
    ]);
    await admin.end();
  });
});

describe('an outcome that a killed process has left on disk', () => {
  it('waits for its prediction, which may be on the disk of another one', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'mlops-outcome-'));
    const owner = `${encodeURIComponent(hostname())}~999999999~1`;
    mkdirSync(join(stateDir, 'spool', 'outcomes', owner), { recursive: true });
    // Made a while ago, so that nobody takes it for one that is on its way at this moment.
    const createdMs = Date.now() - 60_000;
    const [id, early] = [newPredictionId(createdMs), newPredictionId(createdMs)];
    const store = createPredictionStore(database);
    const span = { firstMs: createdMs, lastMs: createdMs };
    await store.write([row(early, createdMs)], span);
    const reported = [id, early].map((predictionId) => ({
      predictionId,
      outcome: { label: 'leave' },
      observedAt: new Date(createdMs),
    }));
    const payload = Buffer.from(reported.map((outcome) => `${JSON.stringify(outcome)}\n`).join(''));
    writeFileSync(join(stateDir, 'spool', 'outcomes', owner, 'a.spool'), encodeFrame({ rows: 2, ...span, payload }));
    const shared = { stateDir, spoolMegabytes: 16, logger: pino({ level: 'silent' }), metrics: createMetrics() };
    const log = new PredictionLog({ ...shared, store });
    const outcomes = new OutcomeRecorder({ ...shared, database, log });
    const stored = async () =>
      (await database.pool.query<{ id: string }>('SELECT prediction_id AS id FROM prediction_outcomes')).rows.map(
        (one) => one.id,
      );
    // The other outcome does not wait for this one.
    await expect.poll(stored, { timeout: 10_000 }).toEqual([early]);
    await store.write([row(id, createdMs)], span);
    await expect.poll(async () => (await stored()).sort(), { timeout: 20_000 }).toEqual([id, early].sort());
    const dropped = await shared.metrics.registry.getSingleMetric('mlops_outcomes_dropped_total')!.get();
    expect(dropped.values).toMatchObject([{ value: 0 }]);
    await outcomes.stop();
    await log.stop();
    rmSync(stateDir, { recursive: true });
  });
});
