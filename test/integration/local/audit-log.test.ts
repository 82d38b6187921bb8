import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertRuleSchema } from '../../../core/schemas/alert.js';
import { createRuleCatalogue } from '../../../services/alerts/rule-catalogue.js';
import { createSilenceStore } from '../../../services/alerts/silence-store.js';
import { createAuditLog, type AuditEntry } from '../../../services/audit/audit-log.js';
import { DeniedCalls } from '../../../services/audit/denied-calls.js';
import { verifyAudit } from '../../../services/audit/verify-audit.js';
import type { Database } from '../../../services/database/database.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;
let vandal: pg.Client;

const note = (action: string, more = {}) =>
  createAuditLog(database).note({ kind: 'call', action, subject: 'ada', ...more });
const verify = (anchor?: { seq: number; hash: string }) => verifyAudit(database, anchor);
const entries = async () => (await createAuditLog(database).list({}, { limit: 500 })).items;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  vandal = new pg.Client({ connectionString: server.url });
  await vandal.connect();
});
afterAll(async () => {
  await vandal?.end();
  await server?.stop();
});

/** Somebody who owns the database, and so can turn its triggers off. @returns what the check says afterwards */
async function tamper(sql: string) {
  await vandal.query(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`);
  return verify();
}

describe('the audit log', () => {
  it('is one chain without gaps, however many write at once and however their transactions end', async () => {
    const clients = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        return client;
      }),
    );
    const insert = `INSERT INTO audit_inbox (kind, action, subject) VALUES ('call', $1, 'x'), ('call', $1, 'y')`;
    await Promise.all(
      clients.map(async (client, writer) => {
        for (let i = 0; i < 30; i++) {
          await client.query('BEGIN');
          await client.query(insert, [`${writer}.${i}`]);
          await client.query(i % 5 === 0 ? 'ROLLBACK' : 'COMMIT');
        }
        await client.end();
      }),
    );
    expect(await verify()).toMatchObject({ intact: true, entries: 8 * 24 * 2 });
    const { rows } = await vandal.query('SELECT 1 FROM audit_inbox');
    expect(rows).toEqual([]);
    const all = (await entries()).toReversed();
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, at) => at + 1));
    expect(all.map(({ at }) => at)).toEqual(all.map(({ at }) => at).toSorted());
  });

  it('hashes the same bytes as the first releases did, whatever an entry says', async () => {
    await note('odd "quotes" \\ \n\t\u0001 \u2028 €', {
      status: 1,
      detail: { a: [1.5, null, true, { 'é"': '\\' }], b: 1e21 },
    });
    const { rows } = await vandal.query<{ same: string; all: string }>(
      `SELECT count(*) FILTER (WHERE hash = sha256(previous || convert_to(jsonb_build_array(seq, extract(epoch FROM at), kind, action, subject, role, address,
         model, target, status, correlation_id, detail)::text, 'UTF8'))) AS same, count(*) AS all FROM audit_log`,
    );
    expect(rows[0]!.same).toBe(rows[0]!.all);
  });

  it('holds nobody up who has not committed yet', async () => {
    await vandal.query(`BEGIN; INSERT INTO audit_inbox (kind, action, subject) VALUES ('call', 'slow', 'x')`);
    await note('quick');
    await vandal.query('COMMIT');
    expect((await entries()).slice(0, 2).map(({ action }) => action)).toEqual(['slow', 'quick']);
  });

  it('has a change in the transaction of the change: both are there, or neither', async () => {
    const token = `INSERT INTO service_tokens (id, name, prefix, hash, role, created_by) VALUES ('tok-1', 'one', 'mlps_x', 'h', 'viewer', 'ada')`;
    await vandal.query(`BEGIN; ${token}; ROLLBACK`);
    expect((await entries())[0]?.action).toBe('slow');
    await vandal.query(token);
    const [entry] = await entries();
    expect(entry).toMatchObject({ kind: 'change', action: 'token.created', subject: 'ada', target: 'tok-1' });
    expect(entry!.detail).toMatchObject({ name: 'one', role: 'viewer' });
    expect(JSON.stringify(entry)).not.toContain('"h"');
  });

  it('has who set up, silenced and ended alerts, and what was repaired, without what they wrote', async () => {
    const silences = createSilenceStore(database);
    const rules = createRuleCatalogue({
      database,
      readModelsConfig: () => Promise.resolve({ models: new Map() } as never),
    });
    await vandal.query(`
      INSERT INTO alerts (id, rule, model, monitor, subject, segment, severity, status, summary, evidence, receivers, opened_window, last_window)
        VALUES ('alt-1', 'drift', 'm', 'drift', 'input:x', '', 'high', 'open', 'text', '{}', '[]', now(), now());
      INSERT INTO alert_events (alert_id, key, event, by, note, telling) VALUES ('alt-1', 'opened', 'opened', 'system', NULL, 'never'),
        ('alt-1', 'resolved', 'resolved', 'bob', 'a secret', 'never');
      INSERT INTO repairs (id, model, state, trigger, requested_by, settings, former_version, job_id)
        VALUES ('rep-1', 'm', 'running', 'a secret', 'bob', '{}', 'v1.0.0', 'job-1');
      UPDATE repairs SET settings = '{"a": 1}';
      UPDATE repairs SET state = 'failed', reason = 'a secret'`);
    await silences.end(
      (await silences.create({ model: 'm', reason: 'a secret', ends_at: '2099-01-01T00:00:00Z' }, 'bob')).silence_id,
      'carol',
    );
    await rules.put('late', alertRuleSchema.parse({ when: { monitor: 'drift' }, description: 'a secret' }), 'bob');
    await rules.remove('late', 'carol');
    const told = (await entries()).slice(0, 8).toReversed();
    expect(told.map(({ subject, action, target, model }) => [subject, action, target, model])).toEqual([
      ['system', 'alert.opened', 'alt-1', 'm'],
      ['bob', 'alert.resolved', 'alt-1', 'm'],
      ['bob', 'repair.created', 'rep-1', 'm'],
      ['system', 'repair.changed', 'rep-1', 'm'],
      ['bob', 'silence.created', expect.stringMatching(/^sil-/), null],
      ['carol', 'silence.changed', expect.stringMatching(/^sil-/), null],
      ['bob', 'alert_rule.created', 'late', null],
      ['carol', 'alert_rule.removed', 'late', null],
    ]);
    expect(JSON.stringify(told)).not.toContain('a secret');
    expect(told.map(({ kind }) => kind)).toEqual(Array(8).fill('change'));
    expect((await verify()).intact).toBe(true);
  });

  it('lets nobody change, remove or add rows past it', async () => {
    for (const sql of [
      `UPDATE audit_log SET subject = 'eve'`,
      'DELETE FROM audit_log',
      'TRUNCATE audit_log',
      'INSERT INTO audit_log SELECT * FROM audit_log LIMIT 1',
      'UPDATE audit_head SET seq = 0',
      'DELETE FROM audit_head',
      'DELETE FROM audit_inbox',
    ])
      await expect(vandal.query(sql), sql).rejects.toThrow(/never changed or removed|written by the audit log itself/);
    expect((await verify()).intact).toBe(true);
  });

  it('tells which entry was changed, removed, moved or put in by somebody who owns the database', async () => {
    const { head, entries: count } = await verify();
    const keep =
      'CREATE TEMP TABLE kept AS SELECT * FROM audit_log; CREATE TEMP TABLE kept_head AS SELECT * FROM audit_head';
    await vandal.query(keep);
    const mend =
      'TRUNCATE audit_log, audit_head; INSERT INTO audit_log SELECT * FROM kept; INSERT INTO audit_head SELECT * FROM kept_head';
    const cases: [string, number, RegExp][] = [
      [`UPDATE audit_log SET subject = 'eve' WHERE seq = 17`, 17, /changed/],
      [`UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = 18`, 18, /changed/],
      [
        `UPDATE audit_log l SET subject = 'eve', hash = (SELECT audit_hash(ROW(l.seq, l.at, l.kind, l.action, 'eve', l.role, l.address, l.model, l.target, l.status, l.correlation_id, l.detail, l.previous, l.hash)::audit_log)) WHERE seq = 19`,
        20,
        /follow/,
      ],
      ['DELETE FROM audit_log WHERE seq = 1', 1, /missing/],
      ['DELETE FROM audit_log WHERE seq IN (20, 21)', 20, /missing/],
      [
        'DELETE FROM audit_log WHERE seq = 30; UPDATE audit_log SET seq = -seq WHERE seq > 30; UPDATE audit_log SET seq = -seq - 1 WHERE seq < 0; UPDATE audit_head SET seq = seq - 1',
        30,
        /changed/,
      ],
      [
        `UPDATE audit_log SET seq = -seq WHERE seq IN (40, 41); UPDATE audit_log SET seq = 81 + seq WHERE seq < 0`,
        40,
        /changed/,
      ],
      [`DELETE FROM audit_log WHERE seq > ${count - 2}`, count - 1, /missing/],
      [`DELETE FROM audit_log WHERE seq > ${count - 2}; UPDATE audit_head SET seq = ${count - 2}`, count - 2, /head/],
    ];
    for (const [sql, seq, reason] of cases) {
      expect(await tamper(sql), sql).toMatchObject({
        intact: false,
        first_broken: { seq, reason: expect.stringMatching(reason) },
      });
      expect((await tamper(mend)).intact).toBe(true);
    }
    // A chain that was cut and closed again is whole in itself; the hash that was kept elsewhere tells.
    const cut = `DELETE FROM audit_log WHERE seq > 50; UPDATE audit_head SET seq = 50, hash = (SELECT hash FROM audit_log WHERE seq = 50)`;
    expect((await tamper(cut)).intact).toBe(true);
    expect(await verify(head)).toMatchObject({ intact: false, first_broken: { seq: head.seq } });
    await tamper(mend);
    expect((await verify(head)).intact).toBe(true);
  });

  it('is listed newest first by filters, page by page, and walked oldest first', async () => {
    for (let i = 0; i < 5; i++) await note('page', { target: `t${i}`, model: 'm', detail: { i } });
    const { list, walk } = createAuditLog(database);
    const first = await list({ action: 'page', model: 'm' }, { limit: 3 });
    const second = await list({ action: 'page', model: 'm' }, { limit: 3, cursor: first.next_cursor! });
    expect([...first.items, ...second.items].map(({ target }) => target)).toEqual(['t4', 't3', 't2', 't1', 't0']);
    expect(second.next_cursor).toBeNull();
    expect((await list({ action: 'page', to: new Date(0).toISOString() }, { limit: 3 })).items).toEqual([]);
    await expect(list({}, { limit: 3, cursor: 'x; DROP TABLE audit_log' })).rejects.toThrow(/cursor/);
    const walked: AuditEntry[] = [];
    for await (const chunk of walk({ action: 'page' })) walked.push(...chunk);
    expect(walked.map(({ detail }) => detail['i'])).toEqual([0, 1, 2, 3, 4]);
  });

  it('has the first of many denied calls at once, and the others as a number', async () => {
    const denied = new DeniedCalls({ audit: createAuditLog(database), logger: pino({ level: 'silent' }) });
    const call = { action: 'GET /audit', subject: 'eve', status: 403 };
    for (let i = 0; i < 1000; i++) await denied.note(call);
    const of = async () => (await createAuditLog(database).list({ subject: 'eve' }, { limit: 10 })).items;
    expect(await of()).toHaveLength(1);
    await denied.stop();
    const [last] = await of();
    expect(last).toMatchObject({ kind: 'denied', status: 403, detail: { times: 999 } });
  });
});
