import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDuckDb } from '../../../services/duckdb.js';
import { NumbersFolder } from '../../../services/search/numbers-folder.js';
import { TrialPool } from '../../../services/search/trial-pool.js';
import { STAGED, type TrainingPlan } from '../../../services/training/training-plan.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-trial-pool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const plan = {
  jobId: 'train-pool',
  model: 'pool',
  kind: 'classification',
  algorithm: 'linear',
  hyperparameters: { seed: 3 },
  seed: 3,
  heads: [{ name: 'target', column: 'y', task: 'classification' }],
  features: ['a', 'b'],
  settings: { split: 'random' },
  datasetId: 'ds_pool',
  validationSplit: 0.2,
  search: { sampler: 'random', pruner: 'none', seed: 3, parallelism: 2, space: {}, resource: { least: 1, most: 5 } },
} as unknown as TrainingPlan;

describe('the trial processes of a worker', () => {
  it('read the data of a sweep once, and come to the same figures in each of them', async () => {
    const table = join(folder, STAGED.table);
    await withDuckDb((connection) =>
      connection.run(`COPY (SELECT i::VARCHAR AS _group, i % 7 AS a, i % 11 AS b, CASE WHEN i % 7 + i % 11 > 8 THEN 'yes' ELSE 'no' END AS y
        FROM range(300) t(i)) TO '${table}' (FORMAT parquet)`),
    );
    const pool = new TrialPool({ trialMb: 1024, totalMb: 8192 });
    const pids = new Set<number>();
    const run = (index: number, sweepId = 'sweep-pool') =>
      pool.run(
        { sweepId, plan, staging: folder, index, configuration: { l2_regularization: 1 }, history: [], memoryMb: 100 },
        { seconds: 60, signal: new AbortController().signal, onReport: () => pids.add(index) },
      );
    const [first, second] = await Promise.all([run(0), run(1)]);
    expect(second.measurement).toEqual(first.measurement);
    expect(first.measurement.state).toBe('completed');
    // A third process has nothing to read but what the first has left.
    renameSync(table, `${table}.away`);
    const three = await Promise.all([run(0), run(1), run(2)]);
    for (const { measurement } of three) expect(measurement).toEqual(first.measurement);
    await expect(run(0, 'another-sweep')).rejects.toThrow(STAGED.table);
  });
});

describe('numbers that processes have in common', () => {
  it('are taken as they were kept, each by its key, and not where a bit is another', async () => {
    const numbers = new NumbersFolder(folder);
    const kept = { x: Float64Array.of(1, NaN, -0), folds: Int32Array.of(4), names: ['é', null, false] };
    await numbers.keep('one', kept, 100);
    expect(await numbers.take('one')).toEqual(kept);
    expect(await numbers.take('two')).toBeUndefined();
    await numbers.keep('too large', kept, 2 ** 31);
    expect(await numbers.take('too large')).toBeUndefined();
    const [name] = readdirSync(folder);
    const bytes = readFileSync(join(folder, name!));
    bytes[bytes.length - 3]! ^= 1;
    writeFileSync(join(folder, name!), bytes);
    expect(await numbers.take('one')).toBeUndefined();
    await numbers.keep('one', kept, 100);
    expect(await numbers.take('one')).toEqual(kept);
    rmSync(folder, { recursive: true });
    await numbers.keep('one', kept, 100);
    expect(await numbers.take('one')).toBeUndefined();
  });
});
