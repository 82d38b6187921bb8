import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { mappedBytes } from './process-tree.js';

const MIB = 2 ** 20;
const BALLAST = 'ballast';

const run = (program: string, args: readonly string[]): boolean => {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Small disks for folders of a stack. Only root may mount them: for others there are none, and `limitFiles` takes their place. */
export class SmallDisks {
  readonly #mounted = new Set<string>();

  /** @returns whether the folder is a disk of its own now */
  mount(folder: string, megabytes: number): boolean {
    if (userInfo().uid !== 0) return false;
    mkdirSync(folder, { recursive: true });
    const isMounted = run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', folder]);
    if (isMounted) this.#mounted.add(folder);
    return isMounted;
  }

  has(folder: string): boolean {
    return this.#mounted.has(folder);
  }

  /** Takes every byte that is left. @returns gives them back */
  fill(folder: string): () => void {
    const path = join(folder, BALLAST);
    const file = openSync(path, 'w');
    try {
      for (const size of [MIB, 4096]) writeUntilFull(file, Buffer.alloc(size, 1));
    } finally {
      closeSync(file);
    }
    if (statfsSync(folder).bavail > 1) throw new Error(`${folder} is not full after all.`);
    return () => rmSync(path, { force: true });
  }

  unmountAll(): void {
    for (const folder of this.#mounted) run('umount', ['--lazy', folder]);
    this.#mounted.clear();
  }
}

function writeUntilFull(file: number, bytes: Buffer): void {
  try {
    while (writeSync(file, bytes) === bytes.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** Whether limits of running processes can be changed here. */
export const canLimit = (): boolean => run('prlimit', ['--pid', String(process.pid), '--data']);

/** No write of these processes beyond the first bytes of a file succeeds. @returns takes the limit off again */
export function limitFiles(pids: readonly number[]): () => void {
  for (const pid of pids) run('prlimit', ['--pid', String(pid), '--fsize=16384:']);
  return () => pids.forEach((pid) => run('prlimit', ['--pid', String(pid), '--fsize=unlimited:']));
}

/** These processes, and those that they start, get no more memory than they have: what they ask for is refused. */
export function limitMemory(pids: readonly number[]): void {
  for (const pid of pids) run('prlimit', ['--pid', String(pid), `--as=${mappedBytes(pid)}:`]);
}

export function liftMemory(pids: readonly number[]): void {
  for (const pid of pids) run('prlimit', ['--pid', String(pid), '--as=unlimited:']);
}
