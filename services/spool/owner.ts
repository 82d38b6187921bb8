import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { identityOf, isRunning } from '../process-identity.js';

/** A process on another machine, or in another container, shows that it lives by touching its folder. */
const SILENT_AFTER_MS = 60_000;

/** The folder name of this process: no other process, now or later, has the same. */
export function ownerName(): string {
  const { pid, startedAt } = identityOf(process.pid) ?? { pid: process.pid, startedAt: '' };
  return `${encodeURIComponent(hostname())}~${pid}~${encodeURIComponent(startedAt)}`;
}

/** Whether the process that a folder belongs to has ended. */
export async function isOrphaned(owner: string, folder: string): Promise<boolean> {
  const [host, pid, startedAt] = owner.split('~');
  if (pid === undefined || startedAt === undefined) return false;
  if (host === encodeURIComponent(hostname()))
    return !isRunning({ pid: Number(pid), startedAt: decodeURIComponent(startedAt) });
  try {
    return Date.now() - (await stat(folder)).mtimeMs > SILENT_AFTER_MS;
  } catch {
    return false;
  }
}
