import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Worker threads cannot run TypeScript, so the sources are compiled here and the fits run in a process of their own. Its answer: a
 * digest of the model's bytes by loss and count of threads.
 */
const PROGRAM = `
import { createHash } from 'node:crypto';
import { encodeBoosting } from './ml/ensemble/boosting-format.js';
import { defaultGradientBoostingParameters, fitGradientBoosting } from './ml/ensemble/gradient-boosting.js';
import { createPrng } from './ml/random/prng.js';
import { createTreeThreads } from './services/training/tree-threads.js';

const prng = createPrng(1);
const rows = 30011;
const columns = 7;
const values = Float64Array.from({ length: rows * columns }, (_, at) =>
  at < rows ? prng.nextInt(20) : prng.next() < 0.1 ? NaN : prng.nextGaussian());
const x = { rows, columns, values };
const z = (row) => (values[row] % 3) + values[rows + row] * values[2 * rows + row] || 0;
const weights = Float64Array.from({ length: rows }, (_, row) => 0.5 + (row % 3));
const cases = [
  ['logistic', { loss: { kind: 'logistic' } }],
  ['drawn', { loss: { kind: 'logistic' }, changes: { rowSubsample: 0.6, columnSubsample: 0.3 } }],
  ['weighted', { loss: { kind: 'squared' }, weights }],
  ['softmax', { loss: { kind: 'softmax', classes: 3 } }],
  ['monotone', { loss: { kind: 'squared' }, monotone: Int8Array.of(0, 1, 0, -1, 0, 0, 0) }],
];
const answers = {};
for (const threads of [1, 2, 3]) {
  const crew = threads > 1 ? createTreeThreads(threads) : undefined;
  for (const [name, { loss, changes, ...rest }] of cases) {
    const y = Float64Array.from({ length: rows }, (_, row) =>
      loss.kind === 'squared' ? z(row) : loss.kind === 'softmax' ? Math.max(0, Math.min(2, Math.round(z(row)))) : +(z(row) > 0.5));
    const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 4, ...changes };
    const model = fitGradientBoosting({ x, y, loss, parameters, categorical: [0], ...rest }, crew);
    (answers[name] ??= []).push(createHash('sha256').update(encodeBoosting(model)).digest('hex'));
  }
  crew?.close();
}
console.log(JSON.stringify(answers));
`;

describe('threads of a fit', () => {
  const root = resolve(import.meta.dirname, '../../..');
  const folder = mkdtempSync(join(tmpdir(), 'boosting-threads-'));
  let answers: Record<string, string[]> = {};

  function run(args: string[], cwd: string): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
    if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  beforeAll(() => {
    const options = [
      '--ignoreConfig',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--types',
      'node',
    ];
    const files = [
      'services/training/tree-threads.ts',
      'ml/ensemble/gradient-boosting.ts',
      'ml/ensemble/boosting-format.ts',
    ];
    run(
      [join(root, 'node_modules/typescript/bin/tsc'), ...options, '--rootDir', root, '--outDir', folder, ...files],
      root,
    );
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'program.js'), PROGRAM);
    answers = JSON.parse(run(['program.js'], folder)) as Record<string, string[]>;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['logistic', 'drawn', 'weighted', 'softmax', 'monotone'])(
    'one, two and three give the same model to the bit (%s)',
    (name) => {
      expect(answers[name]).toHaveLength(3);
      expect(new Set(answers[name]).size).toBe(1);
    },
  );

  it('the cases are different models', () => {
    expect(new Set(Object.values(answers).flat()).size).toBe(5);
  });
});
