import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PARTS, type Part } from '../../infra/local/local-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { createPrng } from '../../ml/random/prng.js';
import { queryRows, quoteText, withDuckDb } from '../../services/duckdb.js';
import { createApiClient, pause } from '../support/api-client.js';

/** `INGEST_FAULT_ROWS=5000000 INGEST_FAULT_KILLS=20` is the full drill. */
const ROWS = Number(process.env['INGEST_FAULT_ROWS'] ?? 200_000);
const KILLS = Number(process.env['INGEST_FAULT_KILLS'] ?? 4);
const BAD_EVERY = 1000;

let stack: TestStack;
let inbox: string;
const api = createApiClient(() => stack.api);
const prng = createPrng(20_261_128);

beforeAll(async () => {
  stack = await TestStack.start({ INGEST_SLICE_MB: '1' });
  inbox = join(stack.stateDir, 'demo');
  mkdirSync(inbox, { recursive: true });
});
afterAll(() => stack?.stop());

function readDataset<Row extends object>(id: string, select: string): Promise<Row[]> {
  const files = join(stack.stateDir, 'data', 'datasets', id, 'data*.parquet');
  return withDuckDb((connection) => queryRows<Row>(connection, `${select} FROM read_parquet(${quoteText(files)})`));
}

describe('an ingestion of many slices', () => {
  it('has every row exactly once, however often its workers, Temporal, PostgreSQL and the API are killed', async () => {
    const file = join(inbox, 'many.csv');
    await withDuckDb((connection) =>
      connection.run(
        `COPY (SELECT i AS id, 'user_' || (i * 7919 % 50000) AS user_id, CASE WHEN i % ${BAD_EVERY} = 7 THEN 'n/a' ELSE CAST(i / 4 AS VARCHAR) END AS amount FROM range(${ROWS}) t(i)) TO ${quoteText(file)} (HEADER)`,
      ),
    );
    const job = await api.postUntilAccepted('/data/ingest', { source: file, data_type: 'many' }, 'many');
    const state = { isOver: false };
    const ended = api.waitForJob(job).finally(() => void (state.isOver = true));
    for (let kill = 0; kill < KILLS && !state.isOver; kill++) {
      await pause(300 + Math.floor(prng.next() * 2500));
      const part: Part = PARTS[Math.floor(prng.next() * PARTS.length)]!;
      stack.kill9(part);
    }
    const done = await ended;
    const bad = Math.floor(ROWS / BAD_EVERY);
    expect(done).toMatchObject({ status: 'completed', result: { rows: ROWS - bad, quarantined_rows: bad } });
    const id = String(done.result?.['dataset_id']);
    const [sums] = await readDataset<Record<'rows' | 'different' | 'total', number>>(
      id,
      'SELECT count(*) AS rows, count(DISTINCT id) AS different, CAST(sum(id) AS BIGINT) AS total',
    );
    const badSum = Array.from({ length: bad }, (_, at) => at * BAD_EVERY + 7).reduce((sum, row) => sum + row, 0);
    expect(sums).toEqual({ rows: ROWS - bad, different: ROWS - bad, total: (ROWS * (ROWS - 1)) / 2 - badSum });
    expect(readdirSync(join(stack.stateDir, 'data', 'datasets')).filter((name) => name !== '.staging')).toEqual([id]);
    // Nothing is left in staging once the job has ended.
    expect(readdirSync(join(stack.stateDir, 'data', 'datasets', '.staging'))).toEqual([]);
  });
});

describe('a part that cannot be read', () => {
  const three = () => {
    const folder = join(inbox, 'three');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '1.csv.gz'), gzipSync('a,b\n1,x\n2,x\n'));
    writeFileSync(join(folder, '2.csv.gz'), gzipSync('a,b\n3,x\n'.repeat(500)).subarray(0, 30));
    writeFileSync(join(folder, '3.csv.gz'), gzipSync('a,b\n4,x\n'));
    return { source: join(folder, '*.csv.gz'), data_type: 'three' };
  };

  it('fails the job with its name, or is left out and named when that was asked for', async () => {
    const failed = await api.waitForJob(await api.postUntilAccepted('/data/ingest', three(), 'fail'));
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'source_unreadable', detail: expect.stringMatching(/The part \S*2\.csv\.gz .*unreadable/) },
    });
    const skipping = { ...three(), options: { unreadable_parts: 'skip' } };
    const skipped = await api.waitForJob(await api.postUntilAccepted('/data/ingest', skipping, 'skip'));
    expect(skipped).toMatchObject({
      status: 'completed',
      result: { rows: 3, missing_parts: [expect.stringContaining('2.csv.gz')] },
    });
    const rows = await readDataset<{ a: number }>(String(skipped.result?.['dataset_id']), 'SELECT a');
    expect(rows.map((row) => row.a)).toEqual([1, 2, 4]);
  });
});
