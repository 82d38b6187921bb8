import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveTemporalBinary, temporalCacheDir } from '../../../infra/local/temporal-binary.js';

let folder: string;

/** An executable that answers as the Temporal CLI does. */
function writeBinary(path: string, answer = 'temporal version 1.5.1'): void {
  writeFileSync(path, `#!/bin/sh\necho "${answer}"\n`);
  chmodSync(path, 0o755);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-binary-'));
  vi.stubEnv('MLOPS_CACHE_DIR', join(folder, 'cache'));
  vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`);
  mkdirSync(join(folder, 'bin'));
  mkdirSync(temporalCacheDir(), { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

describe('the Temporal server', () => {
  it('is taken from PATH before the cache', async () => {
    writeBinary(join(folder, 'bin', 'temporal'));
    writeBinary(join(temporalCacheDir(), 'temporal'));
    expect(await resolveTemporalBinary(() => undefined)).toBe('temporal');
  });

  it('is taken from the cache when it is not on PATH', async () => {
    writeBinary(join(temporalCacheDir(), 'temporal'));
    expect(await resolveTemporalBinary(() => undefined)).toBe(join(temporalCacheDir(), 'temporal'));
  });

  it('is not taken when another program has the name', async () => {
    writeBinary(join(folder, 'bin', 'temporal'), 'a calendar of the middle ages');
    writeBinary(join(temporalCacheDir(), 'temporal'));
    expect(await resolveTemporalBinary(() => undefined)).toBe(join(temporalCacheDir(), 'temporal'));
  });

  it('is downloaded before it is built, and kept in the cache', async () => {
    const { execFileSync } = await import('node:child_process');
    writeBinary(join(folder, 'temporal'));
    execFileSync('tar', ['-czf', join(folder, 'archive.tar.gz'), '-C', folder, 'temporal']);
    const { readFileSync } = await import('node:fs');
    const fetched: string[] = [];
    vi.stubGlobal('fetch', (url: string) => {
      fetched.push(url);
      return Promise.resolve(new Response(readFileSync(join(folder, 'archive.tar.gz'))));
    });
    expect(await resolveTemporalBinary(() => undefined)).toBe(join(temporalCacheDir(), 'temporal'));
    expect(fetched).toEqual([
      expect.stringMatching(/^https:\/\/temporal\.download\/cli\/archive\/v1\.5\.1\?platform=\w+&arch=\w+$/),
    ]);
    expect(await resolveTemporalBinary(() => undefined)).toBe(join(temporalCacheDir(), 'temporal'));
    expect(fetched).toHaveLength(1);
  });

  it('says in one message what to install when there is no way to it', async () => {
    writeBinary(join(folder, 'bin', 'go'), 'go version');
    // A Go that cannot reach its proxy.
    writeFileSync(
      join(folder, 'bin', 'go'),
      '#!/bin/sh\n[ "$1" = version ] && exit 0\necho "no such host" >&2\nexit 1\n',
    );
    vi.stubGlobal('fetch', () =>
      Promise.reject(Object.assign(new TypeError('fetch failed'), { cause: { code: 'ENOTFOUND' } })),
    );
    await expect(resolveTemporalBinary(() => undefined)).rejects.toThrow(
      /could not be found or fetched[\s\S]*PATH: not there[\s\S]*cache: not there[\s\S]*download: no way to the internet \(ENOTFOUND\)[\s\S]*Go: go install ended[\s\S]*no such host[\s\S]*install the Temporal CLI[\s\S]*TEMPORAL_ADDRESS/,
    );
  });

  /** A stand-in for Go that is asked to build. */
  function writeGo(build: string): void {
    const go = join(folder, 'bin', 'go');
    writeFileSync(go, `#!/bin/sh\n[ "$1" = version ] && exit 0\ntouch "${folder}/building"\n${build}\n`);
    chmodSync(go, 0o755);
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
  }

  it('is built with Go where the download has no way out, and kept in the cache alone', async () => {
    writeBinary(join(folder, 'built'));
    writeGo(`cp "${folder}/built" "$GOBIN/temporal"`);
    const said: string[] = [];
    expect(await resolveTemporalBinary((line) => said.push(line))).toBe(join(temporalCacheDir(), 'temporal'));
    expect(said.join('\n')).toContain('with Go, once');
    expect(readdirSync(temporalCacheDir())).toEqual(['temporal']);
  });

  it('never gets into the cache when it was cut off', async () => {
    writeGo('printf "\\177ELF" > "$GOBIN/temporal"');
    await expect(resolveTemporalBinary(() => undefined)).rejects.toThrow('a build with Go');
    expect(readdirSync(temporalCacheDir())).toEqual([]);
  });

  it('is not waited for when the stack is stopped in the middle of a build', async () => {
    writeGo('exec sleep 30');
    const stopping = new AbortController();
    const resolving = resolveTemporalBinary(() => undefined, stopping.signal);
    await vi.waitFor(() => expect(existsSync(join(folder, 'building'))).toBe(true));
    const startMs = Date.now();
    stopping.abort();
    await expect(resolving).rejects.toThrow('aborted');
    expect(Date.now() - startMs).toBeLessThan(3000);
  });
});
