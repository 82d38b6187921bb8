// Brings a fresh clone to the point where compiled code can run. Plain Node: it runs before any dependency exists.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LEAST_NODE = [20, 19];

/** Folders and files that `dist/` is made from. */
const SOURCES = [
  'ml',
  'core',
  'services',
  'activities',
  'workflows',
  'workers',
  'api',
  'simulator',
  'infra/local',
  'bench',
  'prisma',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
];

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
  const unlock = await lockCheckout();
  try {
    await installDependencies();
    await build();
  } finally {
    unlock();
  }
}

async function installDependencies() {
  const stamp = join(root, 'node_modules', '.installed-lock');
  const wanted = hashOf(readFileSync(join(root, 'package-lock.json')));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // The audit and the funding notes need the internet and are nobody's business here.
  await runStep('Installing dependencies', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    hint: 'npm could not install the dependencies. If this machine has no way to the npm registry, set one up with\n`npm config set registry <address>` (or a proxy) and run the command again.',
  });
  writeFileSync(stamp, wanted);
}

async function build() {
  const stamp = join(root, 'dist', '.built-from');
  const wanted = hashOf(SOURCES.map(describeSource).join('\n'));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  await runStep('Building', process.execPath, [join(root, 'infra/local/build.mjs')], {
    hint: 'The build failed; the messages above say where.',
  });
  writeFileSync(stamp, wanted);
}

/** A text that changes when a source does. */
function describeSource(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return `${path} absent`;
  if (!statSync(absolute).isDirectory()) return `${path} ${hashOf(readFileSync(absolute))}`;
  return readdirSync(absolute, { withFileTypes: true })
    .filter((entry) => entry.name !== 'generated' && entry.name !== 'node_modules')
    .map((entry) => describeSource(join(path, entry.name)))
    .join('\n');
}

const hashOf = (content) => createHash('sha256').update(content).digest('hex');

/** Runs a command quietly with a line that ticks; its output is shown only when it fails. */
export function runStep(title, command, args, { hint, env } = {}) {
  return new Promise((resolve, reject) => {
    const startMs = Date.now();
    const seconds = () => `${Math.round((Date.now() - startMs) / 1000)} s`;
    const isTerminal = process.stdout.isTTY;
    const tick = isTerminal
      ? setInterval(() => process.stdout.write(`\r  … ${title} (${seconds()})`), 1000)
      : undefined;
    if (!isTerminal) process.stdout.write(`  … ${title}\n`);
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32' && command === 'npm',
    });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => {
      clearInterval(tick);
      reject(new Error(`${command} could not be started (${error.code}). ${hint ?? ''}`));
    });
    child.on('close', (code) => {
      clearInterval(tick);
      if (code === 0) {
        process.stdout.write(`${isTerminal ? '\r' : ''}  ✓ ${title} (${seconds()})          \n`);
        return resolve();
      }
      process.stderr.write(`\n${Buffer.concat(output).toString('utf8').slice(-6000)}\n`);
      reject(new Error(`${title} failed (exit code ${code}). ${hint ?? ''}`));
    });
  });
}

/** One bootstrap at a time in a checkout: the second waits for the first and then finds everything done. */
async function lockCheckout() {
  const path = join(root, 'node_modules', '.bootstrap-lock');
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      // `npm ci` empties node_modules and this file with it; then there is nothing left to remove.
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(Number(safeRead(path)))) rmSync(path, { force: true });
    else if (!waited) process.stdout.write('  … waiting for another start in this folder\n');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function safeRead(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

export function fail(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}
