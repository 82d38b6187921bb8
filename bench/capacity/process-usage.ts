import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second, in which Linux counts the time of processes. */
let ticks: number | undefined;

/** CPU seconds that a process has used, its threads included. Linux only. */
export function cpuSecondsOf(pid: number): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold blanks: state is the first, utime and stime are the 12th and 13th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

/** The same of a process and all that it has started and that still run. Linux only. */
export function cpuSecondsOfTree(root: number): number {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name): [pid: number, parent: number] => [Number(name), parentOf(Number(name))]);
  const tree = [root];
  for (let at = 0; at < tree.length; at++)
    tree.push(...parents.filter(([, parent]) => parent === tree[at]).map(([pid]) => pid));
  return tree.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}

/** @returns -1 for a process that has ended meanwhile */
function parentOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return -1;
  }
}

/** MiB that a process has in memory, and the most that it ever had. Linux only. */
export function memoryMibOf(pid: number): { now: number; peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}
