import { execFile, spawn } from 'node:child_process';
import { chmodSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const VERSION = '1.5.1';
const GO_MODULE = `github.com/temporalio/cli/cmd/temporal@v${VERSION}`;
/** Without internet the other ways must not wait long. */
const CONNECT_MS = 5000;
const STALL_MS = 30_000;
const GO_CANDIDATES = ['go', '/usr/local/go/bin/go', join(homedir(), 'go', 'bin', 'go')];
const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
const run = promisify(execFile);

/** Where the server is kept between checkouts. */
export function temporalCacheDir(): string {
  const base =
    process.env['MLOPS_CACHE_DIR'] ||
    join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ml-pipeline-service');
  return join(base, 'temporal', `v${VERSION}`);
}

/**
 * Finds or gets the Temporal server, in this order: `temporal` on PATH, the cache, the official download, a build with Go.
 * @param say is told what is going on when it takes long.
 * @param signal ends what is under way.
 * @returns the path of an executable that was tried.
 * @throws Error that says what to install, and why each way failed.
 */
export async function resolveTemporalBinary(say: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const failures: string[] = [];
  const ways: [string, () => Promise<string>][] = [
    ['`temporal` on PATH', () => checkBinary(EXECUTABLE)],
    ['the cache', () => checkBinary(join(temporalCacheDir(), EXECUTABLE))],
    ['the official download', () => download(say, signal)],
    ['a build with Go', async () => buildWithGo(say, await findGo(), signal)],
  ];
  for (const [name, get] of ways) {
    try {
      return await get();
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`  - ${name}: ${(error as Error).message.split('\n', 1)[0]}`);
    }
  }
  throw new Error(
    `The Temporal server could not be found or fetched.\n${failures.join('\n')}\nDo one of these and run the command again:\n` +
      `  - install the Temporal CLI (https://docs.temporal.io/cli, for instance \`brew install temporal\`), so that \`temporal\` is on PATH\n` +
      `  - install Go 1.23 or newer; the server is then built once (about 3 minutes)\n  - point TEMPORAL_ADDRESS at a server that runs already`,
  );
}

async function checkBinary(path: string): Promise<string> {
  if (path.includes('/') && !existsSync(path)) throw new Error('not there');
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 20_000 });
    if (!/temporal version/i.test(stdout)) throw new Error(`is not the Temporal CLI: ${stdout.slice(0, 60)}`);
    return path;
  } catch (error) {
    throw new Error((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not there' : (error as Error).message);
  }
}

/** Puts a tried binary into the cache under its name; two that race do each other no harm. */
async function adopt(candidate: string): Promise<string> {
  chmodSync(candidate, 0o755);
  await checkBinary(candidate);
  const path = join(temporalCacheDir(), EXECUTABLE);
  mkdirSync(dirname(path), { recursive: true });
  renameSync(candidate, path);
  return path;
}

/** A folder for one attempt, on the cache's own file system. */
function workFolder(): string {
  mkdirSync(temporalCacheDir(), { recursive: true });
  return mkdtempSync(join(temporalCacheDir(), 'work-'));
}

async function download(say: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const platform = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string];
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (!platform || !arch) throw new Error(`there is none for ${process.platform}-${process.arch}`);
  const url = `https://temporal.download/cli/archive/v${VERSION}?platform=${platform}&arch=${arch}`;
  const folder = workFolder();
  try {
    const stalled = new AbortController();
    const giveUpAfter = (ms: number) =>
      setTimeout(() => stalled.abort(new Error(`nothing came for ${ms / 1000} s`)), ms);
    let timer = giveUpAfter(CONNECT_MS);
    const response = await fetch(url, {
      signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
    }).finally(() => clearTimeout(timer));
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    say(`Downloading the Temporal server ${VERSION}`);
    const archive = join(folder, 'temporal.archive');
    const body = Readable.fromWeb(response.body as never);
    timer = giveUpAfter(STALL_MS);
    body.on('data', () => timer.refresh());
    await pipeline(body, createWriteStream(archive)).finally(() => clearTimeout(timer));
    // tar of Windows and macOS opens zip files as well.
    await run('tar', ['-xf', archive, '-C', folder]);
    return await adopt(join(folder, EXECUTABLE));
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    throw new Error(cause?.code ? `no way to the internet (${cause.code})` : (error as Error).message);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function buildWithGo(say: (line: string) => void, go: string, signal?: AbortSignal): Promise<string> {
  const folder = workFolder();
  const startMs = Date.now();
  say(`Building the Temporal server ${VERSION} with Go: about 3 minutes, once`);
  const tick = setInterval(
    () => say(`Building the Temporal server with Go (${Math.round((Date.now() - startMs) / 1000)} s)`),
    30_000,
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(go, ['install', GO_MODULE], {
        env: { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' },
        stdio: ['ignore', 'ignore', 'pipe'],
        signal,
      });
      let tail = '';
      child.stderr.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-2000)));
      child.on('error', reject);
      child.on('close', (code) =>
        code === 0
          ? resolve()
          : reject(new Error(`go install ended with code ${code}: ${tail.trim().split('\n').at(-1)}`)),
      );
    });
    return await adopt(join(folder, EXECUTABLE));
  } finally {
    clearInterval(tick);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function findGo(): Promise<string> {
  for (const candidate of GO_CANDIDATES) {
    try {
      await run(candidate, ['version'], { timeout: 20_000 });
      return candidate;
    } catch {
      continue;
    }
  }
  throw new Error('Go is not installed');
}
