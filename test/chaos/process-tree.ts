import { readdirSync, readFileSync } from 'node:fs';

const read = (pid: number, name: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // It has ended meanwhile, or is not ours to look at.
    return '';
  }
};

/** The parent of each process of this machine that has not ended. */
function parents(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(Number(name), 'stat');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (parent !== undefined && state !== 'Z') found.set(Number(name), Number(parent));
  }
  return found;
}

/** A process with all that it has started, itself first. Needs /proc. */
export function processTree(root: number): number[] {
  const all = [...parents()];
  const tree = [root];
  for (let at = 0; at < tree.length; at++)
    tree.push(...all.filter(([, parent]) => parent === tree[at]).map(([pid]) => pid));
  return tree;
}

/** Processes that work on a folder, by their command or environment, and that none of `roots` has started. Needs /proc. */
export function strayProcesses(folder: string, roots: readonly number[]): { pid: number; command: string }[] {
  const known = new Set([process.pid, ...roots.flatMap(processTree)]);
  const ours = (pid: number) => read(pid, 'cmdline').includes(folder) || read(pid, 'environ').includes(`=${folder}`);
  return [...parents().keys()]
    .filter((pid) => !known.has(pid) && ours(pid))
    .map((pid) => ({ pid, command: read(pid, 'cmdline').replaceAll('\0', ' ').slice(0, 120) }));
}

/** Sends a signal to each that still runs. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

const statusBytes = (pid: number, name: string): number =>
  1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(read(pid, 'status'))?.[1] ?? 0);

/** Bytes of the addresses that a process has mapped; 0 when it has ended. */
export const mappedBytes = (pid: number): number => statusBytes(pid, 'VmSize');

/** That which holds the most memory, and which the kernel would end first. */
export const largestProcess = (pids: readonly number[]): number | undefined =>
  pids.toSorted((one, other) => statusBytes(other, 'VmRSS') - statusBytes(one, 'VmRSS'))[0];
