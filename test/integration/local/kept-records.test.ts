import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { retentionFileSchema } from '../../../core/schemas/retention.js';
import type { Database } from '../../../services/database/database.js';
import { eraseFromTables, searchTables } from '../../../services/erasure/subject-in-rows.js';
import { NOT_SEARCHED } from '../../../services/erasure/table-lists.js';
import { countExpiredRows, forgetRows } from '../../../services/retention/expired-rows.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-06-01T00:00:00Z');
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS);
const { records: POLICY } = retentionFileSchema.parse({ records: { findings: 100, messages: 10 } });
const PERSON = 'ann.b';

let server: MigratedDatabase;
let database: Database;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
});
afterAll(async () => {
  await server?.stop();
});

const job = (id: string, days: number | null) => ({
  id,
  type: 'train',
  status: days === null ? 'running' : 'completed',
  request: {},
  correlationId: 'c',
  finishedAt: days === null ? null : daysAgo(days),
});
const finding = (id: string, days: number, more: object = {}) => ({
  id,
  model: 'm',
  monitor: 'drift',
  subject: 'input:plan',
  segment: '',
  windowStart: daysAgo(days),
  windowEnd: daysAgo(days),
  state: 'ok',
  severity: 'none',
  summary: 'Nothing.',
  evidence: {},
  foundAt: daysAgo(days),
  ...more,
});
const alert = (id: string, resolved: number | null, more: object = {}) => ({
  id,
  rule: 'drift',
  model: 'm',
  monitor: 'drift',
  subject: id,
  segment: '',
  severity: 'low',
  status: resolved === null ? 'open' : 'resolved',
  summary: 'It moved.',
  evidence: {},
  receivers: [],
  openedWindow: daysAgo(999),
  lastWindow: daysAgo(999),
  openedAt: daysAgo(999),
  resolvedAt: resolved === null ? null : daysAgo(resolved),
  ...more,
});
const run = (id: string, days: number, more: object = {}) => ({
  id,
  kind: 'training',
  model: 'm',
  status: 'completed',
  finishedAt: daysAgo(days),
  ...more,
});
const ids = async (table: string, column = 'id') =>
  (await database.pool.query<{ id: string }>(`SELECT ${column} AS id FROM ${table} ORDER BY 1`)).rows.map(
    ({ id }) => id,
  );

describe('rows of the database', () => {
  it('go when they are older than their days, and what says where something came from stays', async () => {
    const { prisma, pool } = database;
    await prisma.job.createMany({
      data: [job('new', 399), job('old', 401), job('of-version', 999), job('running', null)],
    });
    await prisma.idempotencyKey.createMany({
      data: ['new', 'old', 'of-version'].map((jobId) => ({
        key: jobId,
        requestHash: 'h',
        jobId,
        createdAt: daysAgo(999),
      })),
    });
    const version = { kind: 'k', digest: 'd', promotable: true, verdict: {}, parameters: {}, metrics: {} };
    await prisma.modelVersion.create({
      data: { model: 'm', version: 'v1.0.0', jobId: 'of-version', signature: {}, lineage: {}, ...version },
    });
    await prisma.run.createMany({
      data: [
        run('kept', 999, { version: 'v1.0.0' }),
        run('its-trial', 999, { parentId: 'kept' }),
        run('lost', 999, { version: 'v0.9.0' }),
        run('young', 1),
      ],
    });
    await prisma.runMetric.create({ data: { runId: 'lost', name: 'loss', step: 1, value: 1 } });
    await prisma.monitorFinding.createMany({ data: [finding('f-new', 99), finding('f-old', 101)] });
    await prisma.alert.createMany({ data: [alert('open', null), alert('just', 399), alert('over', 401)] });
    await prisma.alertEvent.createMany({
      data: ['open', 'over'].map((alertId) => ({ alertId, key: 'k', event: 'opened', by: 'system', telling: 'told' })),
    });
    const delivery = { receiver: 'r', model: 'm', body: '{}' };
    await prisma.alertDelivery.createMany({
      data: [
        { ...delivery, id: 'waits', messageId: '1' },
        { ...delivery, id: 'sent', messageId: '2', state: 'delivered', finishedAt: daysAgo(11) },
      ],
    });
    await prisma.alertAttempt.create({ data: { deliveryId: 'sent', latencyMs: 1 } });
    await pool.query(
      `INSERT INTO performance_rollups (model, span, start, version, arm, segment)
       SELECT 'm', span, $1::timestamptz, 'v', '', '' FROM unnest(ARRAY['hour', 'day']) AS span`,
      [daysAgo(401)],
    );
    const counted = (await countExpiredRows(database, POLICY, NOW)).filter(({ rows }) => rows > 0);
    expect(counted.map(({ table, days, rows }) => [table, days, rows])).toEqual([
      ['monitor_findings', 100, 1],
      ['alert_events', 400, 1],
      ['alerts', 400, 1],
      ['alert_deliveries', 10, 1],
      ['performance_rollups', 400, 1],
      ['runs', 400, 1],
      ['jobs', 400, 1],
    ]);
    const gone = await forgetRows(database, POLICY, NOW);
    // Its job had to go first.
    expect(gone).toEqual({
      ...Object.fromEntries(counted.map(({ table, rows }) => [table, rows])),
      idempotency_keys: 1,
    });
    expect(await ids('jobs')).toEqual(['new', 'of-version', 'running']);
    expect(await ids('idempotency_keys', 'key')).toEqual(['new', 'of-version']);
    expect(await ids('runs')).toEqual(['its-trial', 'kept', 'young']);
    expect(await ids('run_metrics', 'run_id')).toEqual([]);
    expect(await ids('alerts')).toEqual(['just', 'open']);
    expect(await ids('performance_rollups', 'span')).toEqual(['day']);
    expect(await ids('alert_attempts', 'delivery_id')).toEqual([]);
    expect(await forgetRows(database, POLICY, NOW), 'again it finds nothing').toEqual({});
  });
});

describe('the name of a person', () => {
  it('leaves findings, alerts, messages, repairs and runs, and the search looks through every table but those that say why', async () => {
    const { prisma, pool } = database;
    const summary = `New values such as ${PERSON}, ${PERSON} ann.bc.`;
    await prisma.monitorFinding.createMany({
      data: [
        finding('of-person', 1, { segment: `user=${PERSON}` }),
        finding('sample', 1, { evidence: { values: { [PERSON]: 3 } } }),
        finding('other', 1, { segment: 'user=ann.bc' }),
      ],
    });
    await prisma.alert.createMany({
      data: [
        alert('of-person', null, { segment: `user=${PERSON}` }),
        alert('names', null, { summary, evidence: { values: [PERSON, 'ann.bc'] } }),
      ],
    });
    await prisma.alertEvent.create({
      data: { alertId: 'names', key: 'k', event: 'opened', by: 'system', telling: 'told', note: summary },
    });
    await prisma.repairStep.deleteMany();
    await prisma.repair.create({
      data: {
        id: 'rep',
        model: 'm',
        state: 'repaired',
        trigger: summary,
        requestedBy: 'system',
        settings: {},
        formerVersion: 'v1.0.0',
        jobId: 'j',
      },
    });
    await prisma.run.create({ data: run('filtered', 1, { params: { filters: { user: PERSON } } }) });
    const found = (await searchTables(database, PERSON)).filter(({ rows }) => rows > 0);
    expect(found.map(({ store }) => store.replace('postgresql:', '')).toSorted()).toEqual([
      'alert_events',
      'alerts',
      'monitor_findings',
      'repairs',
      'runs',
    ]);

    const erased = (await eraseFromTables(database, PERSON)).filter(({ rows }) => rows > 0);
    expect(Object.fromEntries(erased.map(({ store, rows }) => [store.replace('postgresql:', ''), rows]))).toEqual({
      monitor_findings: 2,
      alerts: 1,
      alert_events: 1,
      repairs: 1,
      runs: 1,
    });
    const searched = await searchTables(database, PERSON);
    expect(searched.filter(({ rows }) => rows > 0)).toEqual([]);
    const { rows: all } = await pool.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace
         AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND format_type(a.atttypid, -1) IN ('text', 'jsonb'))`,
    );
    const looked = new Set(searched.map(({ store }) => store.replace('postgresql:', '')));
    expect(all.map(({ name }) => name).filter((name) => !looked.has(name) && !(name in NOT_SEARCHED))).toEqual([]);

    expect(await ids('monitor_findings')).toContain('other');
    expect(await prisma.alert.findUnique({ where: { id: 'names' } })).toMatchObject({
      summary: 'New values such as redacted, redacted ann.bc.',
      evidence: { values: ['redacted', 'ann.bc'] },
    });
    expect(await prisma.alert.findUnique({ where: { id: 'of-person' } })).toBeNull();
    expect(
      (await eraseFromTables(database, PERSON)).filter(({ rows }) => rows > 0),
      'again it finds nothing',
    ).toEqual([]);
  });

  it('that is a number is no word of a sentence', async () => {
    await database.prisma.alert.create({ data: alert('count', null, { summary: '42 rows moved.' }) });
    await eraseFromTables(database, '42');
    expect((await database.prisma.alert.findUniqueOrThrow({ where: { id: 'count' } })).summary).toBe('42 rows moved.');
  });
});
