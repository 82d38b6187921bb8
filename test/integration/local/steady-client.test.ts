import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SteadyClient } from '../../../services/database/steady-client.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;

beforeAll(async () => {
  server = await MigratedDatabase.start();
});
afterAll(() => server?.stop());

describe('a connection whose server is killed while nothing is asked', () => {
  it('fails the next statement and not the process, and the pool makes another', async () => {
    const { pool } = server.database;
    const [borrowed, own] = [await pool.connect(), new SteadyClient({ connectionString: server.url })];
    await own.connect();
    // The test runner fails for an error that nobody hears, as Node ends a process for it.
    const isTold = Promise.all([borrowed, own].map((client) => new Promise((resolve) => client.once('end', resolve))));
    await Promise.all([borrowed.query('BEGIN'), own.query('BEGIN')]);
    await server.kill9AndStartAgain();
    await isTold;
    await expect(borrowed.query('SELECT 1')).rejects.toThrow(/not queryable|Connection terminated/);
    await expect(own.query('SELECT 1')).rejects.toThrow(/not queryable|Connection terminated/);
    borrowed.release();
    expect((await pool.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('has one listener of the service, as long as it lives', async () => {
    const client = await server.database.pool.connect();
    expect(client).toBeInstanceOf(SteadyClient);
    expect(client.listenerCount('error')).toBeGreaterThan(0);
    client.release();
  });
});
