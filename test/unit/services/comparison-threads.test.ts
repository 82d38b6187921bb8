import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Worker threads cannot run TypeScript, so the sources are compiled here and the comparisons run in a process of their own. */
const PROGRAM = `
import { compareNumberWindows } from './ml/drift/compare-number-windows.js';
import { createPrng } from './ml/random/prng.js';
import { withComparisonThreads } from './services/drift/comparison-threads.js';

const sample = (rows, seed, shift = 0) => {
  const prng = createPrng(seed);
  return { values: Float64Array.from({ length: rows }, () => shift + prng.nextGaussian()), missing: seed };
};
const windows = (at) => ({
  column: 'c' + at,
  reference: [1, 2, 3].map((seed) => sample(20_000, 10 * at + seed, seed / 10)),
  current: sample(5000, 10 * at, 0.2),
});
const columns = [0, 1, 2, 3, 4];
const here = columns.map((at) => compareNumberWindows(windows(at)));
const there = await withComparisonThreads((compare) =>
  Promise.all(columns.map((at) => compare({ windows: windows(at), isKept: at === 0 }))));
const failure = await withComparisonThreads((compare) =>
  compare({ windows: { ...windows(0), leastRows: () => 1 }, isKept: false })).catch((error) => error.name);
const verdicts = (found) => found.map(({ drift, usual }) => ({ drift, usual }));
console.log(JSON.stringify({
  here: verdicts(here),
  there: verdicts(there),
  kept: there.map(({ current }) => current?.values.length ?? 0),
  isSorted: there[0].reference.values.every((value, at, all) => at === 0 || all[at - 1] <= value),
  failure,
}));
`;

interface Answer {
  here: object[];
  there: object[];
  kept: number[];
  isSorted: boolean;
  failure: string;
}

describe('columns of many numbers, compared in threads', () => {
  const root = resolve('.');
  const folder = mkdtempSync(join(tmpdir(), 'comparison-threads-'));
  let answer: Answer;

  beforeAll(() => {
    const run = (args: string[], cwd: string): string => {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
      if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
      return stdout;
    };
    const options =
      '--ignoreConfig --noCheck --target es2023 --module nodenext --skipLibCheck --types node --rootDir'.split(' ');
    const files = ['services/drift/comparison-threads.ts', 'ml/random/prng.ts'];
    run([join(root, 'node_modules/typescript/bin/tsc'), ...options, root, '--outDir', folder, ...files], root);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'program.js'), PROGRAM);
    answer = JSON.parse(run(['program.js'], folder)) as Answer;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are judged as in one thread, to the bit', () => {
    expect(answer.there).toHaveLength(5);
    expect(answer.there).toEqual(answer.here);
  });

  it('come back sorted where they are needed, and only there', () => {
    expect(answer.kept).toEqual([5000, 0, 0, 0, 0]);
    expect(answer.isSorted).toBe(true);
  });

  it('tell the caller of what a thread could not do', () => {
    expect(answer.failure).toBe('DataCloneError');
  });
});
