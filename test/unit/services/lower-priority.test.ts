import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compiledScript } from '../../../services/project-root.js';

/** The nineteenth field of `stat`, counted behind the name, which may have blanks. */
const NICE_OF_THREADS = `
  import { readdirSync, readFileSync } from 'node:fs';
  const { lowerPriority } = await import(process.argv[1]);
  lowerPriority();
  const threads = readdirSync('/proc/self/task').map((thread) => readFileSync('/proc/self/task/' + thread + '/stat', 'utf8'));
  console.log(JSON.stringify(threads.map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))));
`;

describe('the priority of a process that fits', () => {
  it.skipIf(process.platform !== 'linux')('is the lowest for every thread of it, also those of the engine', () => {
    const script = compiledScript('services/training/lower-priority.js');
    const told = execFileSync(process.execPath, ['--input-type=module', '-e', NICE_OF_THREADS, script], {
      encoding: 'utf8',
    });
    const nice = JSON.parse(told) as number[];
    expect(nice.length).toBeGreaterThan(4);
    expect(new Set(nice)).toEqual(new Set([19]));
  });
});
