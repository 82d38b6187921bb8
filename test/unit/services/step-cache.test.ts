import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useFileKeys } from '../../../services/encryption/file-keys.js';
import { StepCache, tableDigest } from '../../../services/training/step-cache.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';

let root: string;
let told: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mlops-step-cache-'));
  told = [];
});
afterEach(() => {
  useFileKeys(undefined);
  rmSync(root, { recursive: true, force: true });
});

const planOf = (jobId: string, datasetDigest = 'd1') =>
  ({
    jobId,
    codeVersion: '1',
    kind: 'classification',
    heads: [],
    features: ['a'],
    filters: {},
    datasetDigest,
  }) as unknown as TrainingPlan;
const cacheOf = (more: object = {}) =>
  new StepCache({
    folder: join(root, 'cache'),
    maxBytes: 1000,
    maxAgeMs: 60_000,
    logger: { info: () => undefined, warn: (_: unknown, text: string) => told.push(text) } as never,
    ...more,
  });

/** Runs the step of a job. @returns how often the table was built, and what is staged */
async function stage(cache: StepCache, plan: TrainingPlan, content = 'rows of a table') {
  const staging = join(root, plan.jobId);
  let built = 0;
  const { rows } = await cache.stageTable(plan, staging, async () => {
    built++;
    mkdirSync(staging, { recursive: true });
    writeFileSync(join(staging, 'table.parquet'), content);
    return { rows: 7 };
  });
  return { built, rows, text: readFileSync(join(staging, 'table.parquet'), 'utf8') };
}
const entries = () => readdirSync(join(root, 'cache'));

describe('the cache of tables', () => {
  it('gives the next run of the same rows the same table, and a run of others its own', async () => {
    const cache = cacheOf();
    expect(await stage(cache, planOf('one'))).toMatchObject({ built: 1 });
    expect(await stage(cache, planOf('two'))).toEqual({ built: 0, rows: 7, text: 'rows of a table' });
    expect(await stage(cache, planOf('three', 'd2'))).toMatchObject({ built: 1 });
    expect(tableDigest(planOf('one'))).toBe(tableDigest(planOf('two')));
  });

  it('builds anew and says so where one bit of an entry, or its description, is not what it was', async () => {
    const cache = cacheOf();
    const [name] = (await stage(cache, planOf('one'))) && entries();
    const file = join(root, 'cache', name!, 'table');
    const bytes = readFileSync(file);
    bytes[3]! ^= 1;
    writeFileSync(file, bytes);
    expect(await stage(cache, planOf('two'))).toMatchObject({ built: 1, text: 'rows of a table' });
    expect(told).toEqual([expect.stringContaining('damaged')]);
    writeFileSync(join(root, 'cache', name!, 'manifest.json'), '{');
    expect(await stage(cache, planOf('three'))).toMatchObject({ built: 1 });
    expect(await stage(cache, planOf('four'))).toMatchObject({ built: 0 });
    expect(told).toHaveLength(2);
  });

  it('is sealed where there are keys, and gives the rows in the clear', async () => {
    useFileKeys([{ id: 'k1', key: Buffer.alloc(32, 7) }]);
    const cache = cacheOf();
    const [name] = (await stage(cache, planOf('one'))) && entries();
    expect(readFileSync(join(root, 'cache', name!, 'table')).includes('rows of a table')).toBe(false);
    expect(await stage(cache, planOf('two'))).toMatchObject({ built: 0, text: 'rows of a table' });
  });

  it('keeps to its size and age, the longest unused going first, and forgets all when told', async () => {
    const cache = cacheOf({ maxBytes: 20 });
    const [first] = (await stage(cache, planOf('one', 'd1'), 'a'.repeat(15))) && entries();
    const past = new Date(Date.now() - 30_000);
    utimesSync(join(root, 'cache', first!, 'manifest.json'), past, past);
    await stage(cache, planOf('two', 'd2'), 'b'.repeat(15));
    expect(entries()).toHaveLength(1);
    expect(entries()).not.toContain(first);
    await stage(cacheOf({ maxAgeMs: -1 }), planOf('three', 'd3'), 'c');
    expect(entries()).toEqual([]);
    await stage(cache, planOf('four', 'd4'), 'd'.repeat(21));
    expect(entries(), 'larger than the cache').toEqual([]);
    await stage(cache, planOf('five', 'd5'), 'e');
    await cache.clear();
    expect(await stage(cache, planOf('six', 'd5'), 'e')).toMatchObject({ built: 1 });
  });

  it('is left without half an entry by a process that is killed in the middle', async () => {
    const script = join(root, 'fill.mjs');
    const path = join(import.meta.dirname, '../../../dist/services/training/step-cache.js');
    writeFileSync(
      script,
      `import { StepCache } from ${JSON.stringify(`file://${path}`)};
       import { mkdirSync, writeFileSync } from 'node:fs';
       const cache = new StepCache({ folder: ${JSON.stringify(join(root, 'cache'))}, maxBytes: 1e12, maxAgeMs: 1e9, logger: { info() {}, warn() {} } });
       for (let at = 0; ; at++)
         await cache.stageTable({ jobId: 'x', datasetDigest: String(at % 3) + process.argv[2] }, ${JSON.stringify(join(root, 'x'))}, async () => {
           mkdirSync(${JSON.stringify(join(root, 'x'))}, { recursive: true });
           writeFileSync(${JSON.stringify(join(root, 'x/table.parquet'))}, 'z'.repeat(3_000_000));
           process.send('built');
           return { rows: 1 };
         });`,
    );
    for (let kill = 0; kill < 3; kill++) {
      const child = fork(script, [String(kill)], { stdio: 'ignore' });
      await once(child, 'message');
      await once(child, 'message');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const whole = entries().filter((name) => !name.endsWith('.partial'));
    expect(whole.length).toBeGreaterThan(0);
    for (const name of whole) expect(readFileSync(join(root, 'cache', name, 'table'))).toHaveLength(3_000_000);
    expect(told).toEqual([]);
  });
});
