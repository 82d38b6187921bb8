import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';

type Server = Awaited<ReturnType<typeof startEmbeddedPostgres>>;

let folder: string;
let stateDir: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-postgres-'));
  chmodSync(folder, 0o755);
  stateDir = join(folder, 'state');
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  deleteStateFolder(stateDir);
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<Server> {
  server = await startEmbeddedPostgres({ stateDir });
  return server;
}

async function query({ url }: Server, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What `initdb` leaves, and where it is. */
const dataFolderOf = async (running: Server) =>
  String((await query(running, 'SHOW data_directory'))[0]!['data_directory']);

describe('the embedded PostgreSQL', () => {
  it('keeps every committed row over a kill -9, on the same port and with the same password', async () => {
    const first = await start();
    await query(first, 'CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)');
    await first.kill9();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second, 'SELECT count(*)::int AS n, sum(n)::int AS total FROM kept')).toEqual([
      { n: 1000, total: 500_500 },
    ]);
  });

  it('is closed to everyone but this machine and the password, which only its owner can read', async () => {
    const running = await start();
    const settings = await query(
      running,
      `SELECT name, setting FROM pg_settings
       WHERE name IN ('listen_addresses', 'unix_socket_directories', 'password_encryption', 'server_encoding') ORDER BY name`,
    );
    expect(settings).toEqual([
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'password_encryption', setting: 'scram-sha-256' },
      { name: 'server_encoding', setting: 'UTF8' },
      { name: 'unix_socket_directories', setting: '' },
    ]);
    const guess = new URL(running.url);
    guess.password = 'guess';
    await expect(query({ ...running, url: guess.href }, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect(execFileSync('ls', ['-l', join(stateDir, 'postgres/password')]).toString()).toMatch(/^-rw------- /);
  });

  it('takes another port where its own is taken by now', async () => {
    const first = await start();
    await first.stop();
    const thief = createServer();
    await new Promise<void>((resolve) => thief.listen(first.port, '127.0.0.1', resolve));
    try {
      expect((await start()).port).not.toBe(first.port);
    } finally {
      thief.close();
    }
  });

  it('starts although the pid file of a crash names a program that runs now, be it a PostgreSQL of others', async () => {
    const first = await start();
    const pidFile = join(await dataFolderOf(first), 'postmaster.pid');
    const crashed = readFileSync(pidFile, 'utf8');
    await first.stop();
    // A number that is surely alive, and not the server of this folder.
    writeFileSync(pidFile, crashed.replace(/^\d+/, String(process.ppid)));
    expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('starts over when the very first start was cut off in the middle', async () => {
    mkdirSync(join(stateDir, 'postgres/data/base'), { recursive: true });
    writeFileSync(join(stateDir, 'postgres/data/PG_VERSION'), '18\n');
    expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('never replaces a database that has gone missing by an empty one without a word', async () => {
    const running = await start();
    const data = await dataFolderOf(running);
    await running.stop();
    server = undefined;
    rmSync(data, { recursive: true });
    await expect(start()).rejects.toThrow(`should be in ${data}, but it is not there`);
  });
});

describe.runIf(process.platform === 'linux' && userInfo().uid === 0)('the embedded PostgreSQL of root', () => {
  it('runs under an account without rights', async () => {
    const running = await start();
    expect(
      execFileSync('stat', ['-c', '%u', `/proc/${running.pid}`])
        .toString()
        .trim(),
    ).not.toBe('0');
  });

  it('keeps its data outside of a folder that this account cannot enter, finds it again, and leaves nothing there', async () => {
    mkdirSync(stateDir);
    chmodSync(folder, 0o700);
    const first = await start();
    const data = await dataFolderOf(first);
    expect(data).toMatch(/^\/var\/lib\/ml-pipeline-service\/[0-9a-f]{16}$/);
    await query(first, 'CREATE TABLE kept (n int)');
    await first.stop();
    // Open by now: the database is where it was all the same.
    chmodSync(folder, 0o755);
    expect(await query(await start(), 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 0 }]);
    await server!.stop();
    server = undefined;
    deleteStateFolder(stateDir);
    expect(existsSync(data)).toBe(false);
  });
});
