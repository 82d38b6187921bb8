import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** When it was started, as the system counts it. */
  startedAt: string;
}

/** The identity of a running process, or undefined when there is none with this number. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold spaces and brackets, so fields are counted behind the last one. 20 of them: the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return { pid, startedAt: fields[19] ?? '' };
  } catch {
    if (process.platform === 'linux') return undefined;
    return identityFromPs(pid);
  }
}

function identityFromPs(pid: number): ProcessIdentity | undefined {
  try {
    const startedAt = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return startedAt ? { pid, startedAt } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the very process still runs, not another that got its number. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startedAt === identity.startedAt;
}

/** Sends a signal to the very process; one that has ended meanwhile needs none. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Ends the very process: first the polite signal, after `patienceMs` SIGKILL. Returns when it is gone. */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  signalProcess(identity, signal);
  while (isRunning(identity)) {
    if (Date.now() > deadlineMs) signalProcess(identity, 'SIGKILL');
    await sleep(50);
  }
}
