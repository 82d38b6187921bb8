import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDatabaseAway } from '../../../services/database/database.js';
import { WatchedClient, withStatementLimit } from '../../../services/database/watched-client.js';
import { UnrulyProxy } from '../../chaos/unruly-proxy.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const LIMIT_MS = 300;

let server: MigratedDatabase;
let proxy: UnrulyProxy;
let pool: pg.Pool;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  const url = new URL(server.url);
  proxy = await UnrulyProxy.start();
  proxy.targetPort = Number(url.port);
  url.port = String(proxy.port);
  pool = new pg.Pool({ connectionString: url.href, Client: WatchedClient, statement_timeout: LIMIT_MS, max: 4 });
});
afterAll(async () => {
  await pool?.end();
  await proxy?.stop();
  await server?.stop();
});

describe('statements whose server says nothing any more', () => {
  it('fail as those of a database that is away, and the next ones have another connection', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    proxy.change('black-hole');
    const failures = await Promise.all(
      ['SELECT 1', 'COMMIT'].map(async (sql) => client.query(sql).catch((error: unknown) => error)),
    );
    expect(failures.map(isDatabaseAway)).toEqual([true, true]);
    proxy.change('clear');
    client.release();
    const { rows } = await pool.query('SELECT 1 AS one');
    expect(rows).toEqual([{ one: 1 }]);
  });

  it('are told apart from those that a living server ends at their limit, or that may take longer', async () => {
    const [usual, patient] = [await pool.connect(), await pool.connect()];
    await expect(usual.query('SELECT pg_sleep(30)')).rejects.toThrow(/statement timeout/);
    expect((await usual.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    // Longer than the limit and what is left to its news.
    const { rows } = await withStatementLimit(patient, 30_000, () => patient.query('SELECT 1 AS one, pg_sleep(5.6)'));
    expect(rows).toMatchObject([{ one: 1 }]);
    await expect(patient.query('SELECT pg_sleep(30)')).rejects.toThrow(/statement timeout/);
    for (const client of [usual, patient]) client.release();
  });
});
