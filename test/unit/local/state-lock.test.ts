import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../../infra/local/process-identity.js';
import { lockState } from '../../../infra/local/state-lock.js';

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
});
