import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

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

/** MiB that a process has in memory, and the most that it ever had. Linux only. */
export function memoryMibOf(pid: number): { now: number; peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}
