import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identityOf, isRunning, type ProcessIdentity } from '../../../services/process-identity.js';
import { endOrphan, SupervisedProcess, type SupervisedOptions } from '../../../infra/local/supervised-process.js';

const SLEEPER = 'setInterval(() => undefined, 1000)';
/** Says that its handler is there, so that a signal cannot come before it. */
const DEAF = `process.on('SIGTERM', () => undefined); console.log('deaf'); ${SLEEPER}`;

let folder: string;
let supervised: SupervisedProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-supervised-'));
});
afterEach(async () => {
  await supervised?.stop();
  supervised = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const run = (script: string) => () => spawn(process.execPath, ['-e', script], { detached: true, stdio: 'ignore' });

function supervise(options: Partial<SupervisedOptions> & Pick<SupervisedOptions, 'spawn'>): SupervisedProcess {
  supervised = new SupervisedProcess({
    name: 'part',
    pidFile: join(folder, 'part.pid'),
    waitUntilReady: async () => undefined,
    stopSignal: 'SIGTERM',
    patienceMs: 2000,
    ...options,
  });
  return supervised;
}

describe('a supervised process', () => {
  it('is started again whenever it is killed, and its new identity is on record', async () => {
    const restarts: string[] = [];
    const part = supervise({ spawn: run(SLEEPER), onRestart: (name, how) => restarts.push(`${name} ${how}`) });
    await part.start();
    for (const times of [1, 2]) {
      const before = part.pid!;
      part.kill9();
      await vi.waitFor(() => expect(part.pid).not.toBe(before), { timeout: 5000 });
      expect(restarts).toEqual(Array.from({ length: times }, () => 'part SIGKILL'));
      expect(JSON.parse(readFileSync(join(folder, 'part.pid'), 'utf8'))).toEqual(identityOf(part.pid!));
    }
  });

  it('is tried again where it ends before it is ready, as often as it may be', async () => {
    let starts = 0;
    const part = (tries: number, lives: number) =>
      supervise({
        tries,
        spawn: () => run(++starts < lives ? '0' : SLEEPER)(),
        waitUntilReady: async (child, hasEnded) => {
          await vi.waitFor(() => expect(hasEnded() || starts >= lives).toBe(true), { timeout: 5000 });
          if (hasEnded()) throw new Error(`ended ${child.pid}`);
        },
      });
    await part(3, 2).start();
    expect(starts).toBe(2);
    await supervised!.stop();
    starts = 0;
    await expect(part(2, 4).start()).rejects.toThrow('ended');
    expect(starts).toBe(2);
  });

  it('waits longer each time it dies at once', async () => {
    const startsMs: number[] = [];
    const part = supervise({
      spawn: () => {
        startsMs.push(Date.now());
        return run('0')();
      },
    });
    await part.start();
    await vi.waitFor(() => expect(startsMs.length).toBeGreaterThanOrEqual(4), { timeout: 10_000 });
    const pauses = startsMs.slice(1).map((ms, index) => ms - startsMs[index]!);
    expect(pauses[1]!).toBeGreaterThan(600);
    expect(pauses[2]!).toBeGreaterThan(1200);
  });

  it.each([
    ['cannot be spawned', () => spawn(join(tmpdir(), 'no-such-program'))],
    [
      'throws',
      () => {
        throw new Error('the log folder is gone');
      },
    ],
  ])('is tried again when a restart %s', async (_case, broken) => {
    let starts = 0;
    const part = supervise({ spawn: () => (++starts === 2 ? broken() : run(SLEEPER)()) });
    await part.start();
    const first = part.pid!;
    part.kill9();
    await vi.waitFor(() => expect(starts).toBe(3), { timeout: 5000 });
    expect(part.pid).not.toBe(first);
    expect(isRunning(identityOf(part.pid!)!)).toBe(true);
  });

  it('is not started again after a stop, even in the pause before a restart', async () => {
    let starts = 0;
    const part = supervise({
      spawn: () => {
        starts++;
        return run('0')();
      },
    });
    await part.start();
    await vi.waitFor(() => expect(identityOf(part.pid!)).toBeUndefined());
    await part.stop();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(starts).toBe(1);
    expect(existsSync(join(folder, 'part.pid'))).toBe(false);
  });

  it('is killed when it does not listen to the polite signal', async () => {
    const part = supervise({
      patienceMs: 300,
      spawn: () => spawn(process.execPath, ['-e', DEAF], { stdio: ['ignore', 'pipe', 'ignore'] }),
      waitUntilReady: (child) => new Promise((resolve) => child.stdout!.once('data', () => resolve())),
    });
    await part.start();
    const identity = identityOf(part.pid!)!;
    await part.stop();
    expect(isRunning(identity)).toBe(false);
  });

  it('fails to start when it ends before it is ready', async () => {
    const part = supervise({
      spawn: run('process.exit(3)'),
      waitUntilReady: async (_child, hasEnded) => {
        await vi.waitFor(() => expect(hasEnded()).toBe(true));
        throw new Error('ended');
      },
    });
    await expect(part.start()).rejects.toThrow('ended');
  });
});

describe('what a killed supervisor has left', () => {
  const recordOf = (identity: ProcessIdentity) => {
    const path = join(folder, 'orphan.pid');
    writeFileSync(path, JSON.stringify(identity));
    return path;
  };

  it('is ended by the next start', async () => {
    // A supervisor in a process of its own starts a child, tells who it is, and is killed.
    const supervisor = spawn(
      process.execPath,
      [
        '-e',
        `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(SLEEPER)}], { detached: true, stdio: 'ignore' });
         console.log(child.pid); ${SLEEPER}`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const pid = Number(await new Promise((resolve) => supervisor.stdout.once('data', resolve)));
    const orphan = identityOf(pid)!;
    supervisor.kill('SIGKILL');
    await new Promise((resolve) => supervisor.once('exit', resolve));
    expect(isRunning(orphan)).toBe(true);
    const record = recordOf(orphan);
    expect(await endOrphan(record, 'SIGTERM', 2000)).toBe(true);
    expect(isRunning(orphan)).toBe(false);
    expect(existsSync(record)).toBe(false);
  });

  it('is not confused with a program that has got its number', async () => {
    const bystander = run(SLEEPER)();
    const identity = identityOf(bystander.pid!)!;
    try {
      expect(await endOrphan(recordOf({ ...identity, startedAt: '1' }), 'SIGKILL', 0)).toBe(false);
      expect(isRunning(identity)).toBe(true);
    } finally {
      bystander.kill('SIGKILL');
    }
  });

  it('may be nothing, or a record that is cut off', async () => {
    expect(await endOrphan(join(folder, 'absent.pid'), 'SIGTERM', 0)).toBe(false);
    writeFileSync(join(folder, 'cut.pid'), '{"pid": 1');
    expect(await endOrphan(join(folder, 'cut.pid'), 'SIGTERM', 0)).toBe(false);
  });
});
