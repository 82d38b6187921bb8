import { execFile, spawn } from 'node:child_process';
import { chmodSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { cacheFolder, sayTime } from './step-times.mjs';

const VERSION = '1.5.1';
const GO_MODULE = `github.com/temporalio/cli/cmd/temporal@v${VERSION}`;
/** Without internet the other ways must not wait long. */
const CONNECT_MS = 5000;
const STALL_MS = 30_000;
/** How often a terminal is told how far it is. */
const TELL_MS = 1000;
const GO_CANDIDATES = ['go', '/usr/local/go/bin/go', join(homedir(), 'go', 'bin', 'go')];
const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
const run = promisify(execFile);

/** Where the server is kept between checkouts. */
export function temporalCacheDir(): string {
  return join(cacheFolder(), 'temporal', `v${VERSION}`);
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
    const archive = join(folder, 'temporal.archive');
    const body = Readable.fromWeb(response.body as never);
    timer = giveUpAfter(STALL_MS);
    const tell = tellDownload(say, Number(response.headers.get('content-length')));
    body.on('data', (chunk: Buffer) => {
      timer.refresh();
      tell(chunk.length);
    });
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

const MEGABYTE = 1e6;

/** Says now and then how many bytes have come. @param total of them, 0 where the server does not tell */
function tellDownload(say: (line: string) => void, total: number): (bytes: number) => void {
  const title = `Downloading the Temporal server ${VERSION}`;
  const startMs = Date.now();
  let got = 0;
  let saidMs = 0;
  say(title);
  return (bytes) => {
    got += bytes;
    if (Date.now() - saidMs < TELL_MS) return;
    saidMs = Date.now();
    const seconds = (saidMs - startMs) / 1000;
    const of =
      total > 0
        ? `${(got / MEGABYTE).toFixed(0)} of ${(total / MEGABYTE).toFixed(0)} MB`
        : `${(got / MEGABYTE).toFixed(0)} MB`;
    say(`${title}: ${of} (${sayTime(seconds, total > 0 ? { share: got / total } : {})})`);
  };
}

async function buildWithGo(say: (line: string) => void, go: string, signal?: AbortSignal): Promise<string> {
  const folder = workFolder();
  const startMs = Date.now();
  const title = `Building the Temporal server ${VERSION} with Go, once`;
  // Nobody knows before how much there is to compile, since Go keeps what it compiled for other programs.
  say(`${title}: some minutes on two cores`);
  let packages = 0;
  const tick = setInterval(
    () => say(`${title}: ${packages} packages compiled (${sayTime((Date.now() - startMs) / 1000)})`),
    process.stdout.isTTY ? TELL_MS : 30_000,
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(go, ['install', '-v', GO_MODULE], {
        env: { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' },
        stdio: ['ignore', 'ignore', 'pipe'],
        signal,
      });
      let tail = '';
      child.stderr.on('data', (chunk: Buffer) => {
        const text = chunk.toString();
        // `-v` names each package as it is compiled.
        packages += text.match(/^[\w./-]+$/gm)?.length ?? 0;
        tail = (tail + text).slice(-2000);
      });
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
