import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identityOf, isRunning } from '../../../services/process-identity.js';
import { lockState } from '../../../infra/local/state-lock.js';

vi.mock(import('../../../services/process-identity.js'), async (original) => {
  const real = await original();
  return { ...real, isRunning: vi.fn<typeof real.isRunning>(real.isRunning) };
});
const isRunningHook = vi.mocked(isRunning);

let folder: string;
const lock = () => join(folder, 'stack.lock');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the lock on a state folder', () => {
  it('is held by one stack at a time and can be taken again after it was given back', () => {
    const unlock = lockState(folder);
    expect(() => lockState(folder)).toThrow(new RegExp(`Another stack \\(process ${process.pid}\\)`));
    unlock();
    expect(existsSync(lock())).toBe(false);
    lockState(folder)();
  });

  it('is taken over from a process that is gone', () => {
    writeFileSync(lock(), JSON.stringify({ pid: 2 ** 22 + 7, startedAt: '1' }));
    expect(lockState(folder)).not.toThrow();
  });

  it('is taken over when another process has the number by now', () => {
    const { pid } = identityOf(process.pid)!;
    writeFileSync(lock(), JSON.stringify({ pid, startedAt: 'long ago' }));
    expect(lockState(folder)).not.toThrow();
  });

  it('is taken over when it was torn by a power cut', () => {
    writeFileSync(lock(), '{"pid":');
    expect(lockState(folder)).not.toThrow();
  });

  it('is left alone by a stack that has lost it', () => {
    const unlock = lockState(folder);
    writeFileSync(lock(), JSON.stringify(identityOf(process.ppid)));
    unlock();
    expect(existsSync(lock())).toBe(true);
  });

  it('is not taken from the one that was faster to find it stale', () => {
    writeFileSync(lock(), JSON.stringify({ pid: 2 ** 22 + 7, startedAt: '1' }));
    const alive = JSON.stringify(identityOf(process.ppid));
    // Between this stack's look at the stale lock and its removal, another stack takes over.
    isRunningHook.mockImplementationOnce(() => {
      rmSync(lock());
      writeFileSync(lock(), alive);
      return false;
    });
    expect(() => lockState(folder)).toThrow(`Another stack (process ${process.ppid})`);
    expect(readFileSync(lock(), 'utf8')).toBe(alive);
    expect(readdirSync(folder)).toEqual(['stack.lock']);
  });
});
