import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.js';
import { chooseDataFolder, preparedBinaries, unprivilegedAccount, type Account } from './postgres-folders.js';
import { endProcess, identityOf, isRunning, signalProcess } from '../../services/process-identity.js';
import { SteadyClient } from '../../services/database/steady-client.js';

/** Where a prepared server is and how it is run. */
export interface PostgresInstallation {
  native: string;
  dataDir: string;
  password: string;
  port: number;
  /** Set when we are root: PostgreSQL refuses to run as root. */
  user?: Account;
}

const SUPERUSER = 'mlops';

/** Prepares the folders, once: the cluster, its password, its port. Repeatable; an interrupted initdb is started over. */
export async function installPostgres(stateDir: string, wantedPort?: number): Promise<PostgresInstallation> {
  const home = join(stateDir, 'postgres');
  mkdirSync(home, { recursive: true });
  const isRoot = process.platform !== 'win32' && userInfo().uid === 0;
  const user = isRoot ? unprivilegedAccount() : undefined;
  const native = preparedBinaries(user);
  const dataDir = chooseDataFolder(stateDir, user);
  const password = readOrMakePassword(join(home, 'password'));
  const initialised = join(home, 'initialised');
  if (!existsSync(initialised)) {
    rmSync(dataDir, { recursive: true, force: true });
    initialiseCluster({ native, dataDir, password, user });
    writeFileSync(initialised, '');
  } else if (!existsSync(join(dataDir, 'PG_VERSION'))) {
    throw new Error(
      `The database of ${stateDir} should be in ${dataDir}, but it is not there. Put that folder back, or start anew with --fresh.`,
    );
  }
  const portFile = join(home, 'port');
  const port = await freePort(
    wantedPort ?? (existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : undefined),
  );
  writeFileSync(portFile, String(port));
  return { native, dataDir, password, port, user };
}

/** Written aside and renamed: a start that is killed here leaves no empty password. */
function readOrMakePassword(path: string): string {
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, randomBytes(18).toString('base64url'), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readFileSync(path, 'utf8');
}

function initialiseCluster({ native, dataDir, password, user }: Omit<PostgresInstallation, 'port'>): void {
  mkdirSync(dirname(dataDir), { recursive: true });
  if (user) chmodSync(dirname(dataDir), 0o755);
  mkdirSync(dataDir, { mode: 0o700 });
  const secret = `${dataDir}.initdb-password`;
  writeFileSync(secret, `${password}\n`, { mode: 0o600 });
  if (user) for (const path of [dataDir, secret]) chownSync(path, user.uid, user.gid);
  const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  try {
    execFileSync(
      join(native, 'bin', 'initdb'),
      [`--pgdata=${dataDir}`, `--username=${SUPERUSER}`, `--pwfile=${secret}`, ...options],
      { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] },
    );
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw new Error(
      `PostgreSQL could not make its data folder ${dataDir}: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`,
    );
  } finally {
    rmSync(secret, { force: true });
  }
}

export function postgresUrl(
  { port, password }: Pick<PostgresInstallation, 'port' | 'password'>,
  database = 'mlops',
): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** Starts the server process; `waitForPostgres` tells when it answers. */
export function spawnPostgres(
  installation: PostgresInstallation,
  logFile: string,
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  const { native, dataDir, port, user } = installation;
  removeStalePid(dataDir);
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '64MB',
    max_wal_size: '512MB',
    log_min_messages: 'warning',
    log_statement: 'none',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = openSync(logFile, 'a');
  try {
    return spawn(join(native, 'bin', 'postgres'), ['-D', dataDir, ...args], {
      ...user,
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...env, LC_ALL: 'C', TZ: 'UTC' },
    });
  } finally {
    closeSync(log);
  }
}

/**
 * A server that was killed leaves its pid file, which PostgreSQL clears up itself (it also checks that no old backend still
 * has the shared memory). Only a number that is another program's by now would keep it from starting.
 */
function removeStalePid(dataDir: string): void {
  const path = join(dataDir, 'postmaster.pid');
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, 'utf8').split('\n', 1)[0]);
  if (identityOf(pid) && !isServerOf(dataDir, pid)) rmSync(path, { force: true });
}

/** Told by its command line, which names the folder: another PostgreSQL may have got the number as well. */
function isServerOf(dataDir: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dataDir);
  } catch {
    // Without /proc nothing is known of it, and a running server must never be taken for another program.
    return true;
  }
}

/** Waits until the server answers, through the crash recovery after a kill, and makes the database. */
export async function waitForPostgres(installation: PostgresInstallation, isGivenUp: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  for (;;) {
    const client = new SteadyClient({
      connectionString: postgresUrl(installation, 'postgres'),
      connectionTimeoutMillis: 2000,
    });
    try {
      await client.connect();
      await createDatabase(client, 'mlops');
      return;
    } catch (error) {
      if (isGivenUp() || Date.now() > deadlineMs)
        throw new Error(
          `PostgreSQL did not come up: ${(error as Error).message}. Its log is logs/postgres.log below the state folder.`,
        );
      await sleep(100);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Makes a database unless it is there. */
export async function createDatabase(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
}

/** What a killed server has left ends within a second or so; until then a new one refuses to start. */
const LEFTOVERS_MS = 10_000;

async function spawnUntilUp(installation: PostgresInstallation, logFile: string) {
  for (const deadlineMs = Date.now() + LEFTOVERS_MS; ;) {
    const child = spawnPostgres(installation, logFile);
    const identity = identityOf(child.pid ?? -1) ?? { pid: child.pid ?? -1, startedAt: '' };
    try {
      await waitForPostgres(installation, () => child.exitCode !== null);
      return identity;
    } catch (error) {
      if (child.exitCode === null || Date.now() > deadlineMs) throw error;
      await sleep(200);
    }
  }
}

/** A server of its own, for tests. */
export async function startEmbeddedPostgres(options: { stateDir: string; port?: number }) {
  const installation = await installPostgres(options.stateDir, options.port);
  mkdirSync(join(options.stateDir, 'logs'), { recursive: true });
  const identity = await spawnUntilUp(installation, join(options.stateDir, 'logs', 'postgres.log'));
  return {
    url: postgresUrl(installation),
    port: installation.port,
    pid: identity.pid,
    stop: () => endProcess(identity, 'SIGINT', 20_000),
    async kill9() {
      signalProcess(identity, 'SIGKILL');
      while (isRunning(identity)) await sleep(20);
    },
  };
}
