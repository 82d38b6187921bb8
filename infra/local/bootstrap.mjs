// Brings a fresh clone to the point where compiled code can run. Plain Node: it runs before any dependency exists.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkRoomToInstall, explainFailure } from './explain-failure.mjs';
import { keepSeconds, sayFor, sayTime, usualSeconds } from './step-times.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LEAST_NODE = [20, 19];
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Folders and files that `dist/` is made from. */
const SOURCES = [
  'ml',
  'core',
  'services',
  'activities',
  'workflows',
  'workers',
  'commands',
  'api',
  'cli',
  'clients/typescript',
  'simulator',
  'infra/local',
  'bench',
  'console',
  'clients/typescript',
  'prisma',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'prisma.config.ts',
];
/** What a build leaves at its end; without these there has been none, whatever the stamp says. */
const RESULTS = ['dist/workflow-bundle.js', 'dist/console/index.html', 'services/database/generated'];

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  fail(
    `This needs Node ${LEAST_NODE.join('.')} or newer, but this is Node ${version}.\nInstall a newer one (https://nodejs.org, or your version manager) and run the command again.`,
  );
}

/** Installs dependencies and builds, each only when something has changed since. Two at once wait for each other. */
export async function prepare() {
  checkNode();
  const unlock = await lockCheckout().catch(explainFileFailure);
  try {
    await installDependencies();
    await build();
  } catch (error) {
    explainFileFailure(error);
  } finally {
    unlock();
  }
}

/** The same before a command whose output is for programs too: what is told of it goes to stderr. */
export async function prepareAside() {
  const write = process.stdout.write;
  process.stdout.write = (...given) => process.stderr.write(...given);
  try {
    await prepare();
  } finally {
    process.stdout.write = write;
  }
}

/** @throws Error that says what to do, where a file could not be written; else what was thrown */
function explainFileFailure(error) {
  const explained = error.syscall === undefined ? undefined : explainFailure(error.message, error.path ?? root);
  throw explained === undefined ? error : new Error(`${error.message}\n${explained}`);
}

export const REGISTRY_HINT =
  'If this machine has no way to the npm registry, set one up with\n`npm config set registry <address>` (or a proxy) and run the command again.';
/** npm itself tries for 80 seconds before it says that it cannot reach its registry. */
const PING = ['ping', '--fetch-retries=1', '--fetch-retry-mintimeout=500', '--fetch-timeout=8000', '--loglevel=error'];
const NO_WAY =
  /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network request to \S+ failed)\b/;

/**
 * How npm installs what the lock file names. Without a way to the registry it takes what it has fetched before, and fails at
 * once where that is not all.
 */
export function installArguments() {
  // The audit and the funding notes need the internet and are nobody's business here.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', PING, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (status === 0 || !NO_WAY.test(stderr ?? '')) return ['ci', '--prefer-offline', ...quiet];
  process.stdout.write('  ! The npm registry does not answer: what npm has fetched before must do.\n');
  return ['ci', '--offline', ...quiet];
}

/** The share of the packages of the lock file that are there, in [0, 1]; undefined where nothing tells. */
export function installedShare(folder) {
  const { packages = {} } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  const paths = Object.keys(packages).filter((path) => path.startsWith('node_modules/'));
  if (paths.length === 0) return undefined;
  return paths.filter((path) => existsSync(join(folder, path, 'package.json'))).length / paths.length;
}

async function installDependencies() {
  const stamp = join(root, 'node_modules', '.installed-lock');
  const wanted = hashOf(readFileSync(join(root, 'package-lock.json')));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!existsSync(join(root, 'node_modules'))) checkRoomToInstall(root);
  // The build needs the development dependencies, which NODE_ENV=production would leave out.
  await runStep('Installing dependencies', 'npm', [...installArguments(), '--include=dev'], {
    // What it runs on is in the package; its installer would fetch parts for GPUs from elsewhere.
    env: { ONNXRUNTIME_NODE_INSTALL: 'skip' },
    hint: `npm could not install the dependencies. ${REGISTRY_HINT}`,
    share: () => installedShare(root),
  });
  writeFileSync(stamp, wanted);
}

async function build() {
  const stamp = join(root, 'dist', '.built-from');
  const wanted = hashOf(SOURCES.map(describeSource).join('\n'));
  const isComplete = RESULTS.every((path) => existsSync(join(root, path)));
  if (isComplete && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // A build that is killed leaves a mixture, which must not pass for the one before.
  rmSync(stamp, { force: true });
  await runStep('Building', process.execPath, [join(root, 'infra/local/build.mjs')], {
    hint: 'The build failed; the messages above say where.',
  });
  writeFileSync(stamp, wanted);
}

/** A text that changes when a source does. */
export function describeSource(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return `${path} absent`;
  if (!statSync(absolute).isDirectory()) return `${path} ${hashOf(readFileSync(absolute))}`;
  return readdirSync(absolute, { withFileTypes: true })
    .filter((entry) => !['generated', 'node_modules', 'dist'].includes(entry.name))
    .map((entry) => describeSource(join(path, entry.name)))
    .join('\n');
}

export const hashOf = (content) => createHash('sha256').update(content).digest('hex');

/**
 * Runs a command quietly with a line that ticks; its output is shown only when it fails.
 * @param share tells how much of the work is done, in [0, 1]
 */
export function runStep(title, command, args, { hint, env, share = () => undefined } = {}) {
  return new Promise((resolve, reject) => {
    const startMs = Date.now();
    const usual = usualSeconds(title);
    const elapsed = () => (Date.now() - startMs) / 1000;
    const isTerminal = process.stdout.isTTY;
    const say = () => `  … ${title} (${sayTime(elapsed(), { share: share(), usual })})`;
    // A terminal gets a line that counts the seconds, a log a line now and then.
    const tick = isTerminal
      ? setInterval(() => process.stdout.write(`\r\x1b[2K${say()}`), 1000)
      : setInterval(() => process.stdout.write(`${say()}\n`), 20_000);
    if (!isTerminal) process.stdout.write(`  … ${title}${usual >= 1 ? ` (about ${sayFor(usual)})` : ''}\n`);
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32' && command === 'npm',
    });
    // A terminal tells the child of Ctrl-C by itself; any other signal must be passed on, or npm would work on alone.
    const passOn = (signal) => {
      child.kill(signal);
      stoppedBy = signal;
    };
    let stoppedBy;
    for (const signal of STOP_SIGNALS) process.on(signal, passOn);
    const finish = () => {
      clearInterval(tick);
      for (const signal of STOP_SIGNALS) process.removeListener(signal, passOn);
    };
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => {
      finish();
      reject(new Error(`${command} could not be started (${error.code}). ${hint ?? ''}`));
    });
    child.on('close', (code) => {
      finish();
      if (stoppedBy) return reject(new Error(`${title} was stopped (${stoppedBy}).`));
      if (code === 0) {
        keepSeconds(title, elapsed());
        process.stdout.write(`${isTerminal ? '\r\x1b[2K' : ''}  ✓ ${title} (${sayFor(elapsed())})\n`);
        return resolve();
      }
      const text = Buffer.concat(output).toString('utf8');
      process.stderr.write(`\n${text.slice(-6000)}\n`);
      reject(new Error(`${title} failed (exit code ${code}). ${explainFailure(text, root) ?? hint ?? ''}`));
    });
  });
}

/**
 * One bootstrap at a time in a checkout: the second waits for the first and then finds everything done. The lock lies
 * outside of the checkout, since `npm ci` empties node_modules and would take the lock with it.
 */
async function lockCheckout() {
  const path = join(tmpdir(), `ml-pipeline-service-${process.getuid?.() ?? 0}-${hashOf(root).slice(0, 16)}.lock`);
  const own = identityOf(process.pid);
  // Written first and linked then: nobody ever reads a lock that is half-written.
  const prepared = `${path}.${process.pid}`;
  writeFileSync(prepared, own);
  try {
    for (let waited = false; ;) {
      try {
        linkSync(prepared, path);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const holder = readIfThere(path);
      if (holder !== '' && !isAlive(holder)) {
        removeStaleLock(path);
        continue;
      }
      if (!waited) process.stdout.write('  … waiting for another start in this folder\n');
      waited = true;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  } finally {
    rmSync(prepared, { force: true });
  }
}

/** Of two that find a lock stale, the slower one may move the lock of the faster one, and then puts it back. */
function removeStaleLock(path) {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
    if (isAlive(readIfThere(aside))) linkSync(aside, path);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A process and when it was started, so that a later one with its number is another. */
function identityOf(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
}

function isAlive(identity) {
  const pid = Number(identity.split(' ')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return identityOf(pid) === identity;
}

/** @param code 2 for a command that was written wrongly */
export function fail(message, code = 1) {
  process.stderr.write(`\n${message}\n`);
  process.exit(code);
}
