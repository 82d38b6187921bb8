import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isRunning, type ProcessIdentity } from '../../services/process-identity.js';

export class StateLockedError extends Error {
  override readonly name = 'StateLockedError';
}

/**
 * Makes this process the only stack on a state folder. The lock of a process that is gone is taken over, also when its
 * number belongs to another process by now.
 * @returns a function that gives the lock back.
 * @throws StateLockedError that names the process which has it.
 */
export function lockState(stateDir: string): () => void {
  mkdirSync(stateDir, { recursive: true });
  const path = join(stateDir, 'stack.lock');
  const own = identityOf(process.pid) ?? { pid: process.pid, startedAt: '' };
  // Written first and linked then: a lock is never seen half-written.
  const prepared = `${path}.${process.pid}`;
  writeFileSync(prepared, JSON.stringify(own));
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(prepared, path);
        return () => releaseLock(path, own);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 5) throw error;
      }
      const holder = readLock(path);
      if (holder && isRunning(holder)) {
        throw new StateLockedError(
          `Another stack (process ${holder.pid}) runs on ${stateDir}. Stop it with Ctrl-C or \`kill ${holder.pid}\`, or use another folder: npm start -- --state-dir <folder>.`,
        );
      }
      removeStaleLock(path);
    }
  } finally {
    rmSync(prepared, { force: true });
  }
}

/**
 * Takes a stale lock away. Of two processes that found it stale, the slower one may get hold of the lock that the faster
 * one has made by then, so what was moved is looked at again, and put back if it is alive.
 */
function removeStaleLock(path: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
    const moved = readLock(aside);
    if (moved && isRunning(moved)) linkSync(aside, path);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readLock(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function releaseLock(path: string, own: ProcessIdentity): void {
  if (readLock(path)?.pid === own.pid) rmSync(path, { force: true });
}
