import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preprocessRequestSchema } from '../../../core/schemas/preprocessing.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import type { ColumnType } from '../../../services/datasets/column-types.js';
import { planColumns, type PreprocessingPlan } from '../../../services/preprocessing/plan-preprocessing.js';
import { preprocessDataset } from '../../../services/preprocessing/preprocess-dataset.js';

const folder = mkdtempSync(join(tmpdir(), 'mlops-preprocess-'));
const ROWS = 5000;
const COLUMNS: { name: string; type: ColumnType }[] = [
  { name: 'id', type: 'integer' },
  { name: 'load', type: 'number' },
  { name: 'size', type: 'integer' },
  { name: 'plan', type: 'string' },
  { name: 'note', type: 'string' },
  { name: 'at', type: 'timestamp' },
  { name: 'ok', type: 'boolean' },
  { name: 'label', type: 'string' },
];

beforeAll(async () => {
  mkdirSync(join(folder, 'ds_raw'));
  await withDuckDb(async (connection) => {
    await connection.run(`SELECT setseed(0.25)`);
    await connection.run(
      `COPY (SELECT i::BIGINT AS id,
          CASE WHEN i % 10 = 3 THEN NULL WHEN i = 77 THEN 1e6 ELSE (i * 7919 % 1000) / 10.0 END AS load,
          (i * 31 % 17)::BIGINT AS size,
          CASE WHEN i % 25 = 0 THEN '' ELSE ['free', 'pro', 'team'][1 + i * 13 % 3] END AS plan,
          'row number ' || i || ' of many' AS note,
          TIMESTAMP '2026-01-01' + to_hours(i::INTEGER) AS at, i % 3 = 0 AS ok,
          CASE WHEN (i * 13 % 3 = 1) = (i % 5 > 0) THEN 'yes' ELSE 'no' END AS label
        FROM range(${ROWS}) AS r(i)) TO ${quoteText(join(folder, 'ds_raw', 'data.parquet'))} (FORMAT parquet)`,
    );
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function planFor(datasetId: string, body: Record<string, unknown>): PreprocessingPlan {
  const request = preprocessRequestSchema.parse({ dataset_id: 'ds_raw', ...body });
  return {
    jobId: `preprocess-${datasetId}`,
    datasetId,
    dataType: 'rows_preprocessed',
    source: { datasetId: 'ds_raw', digest: 'abc', dataType: 'rows' },
    rows: ROWS,
    config: request.preprocessing_config,
    target: request.target,
    columns: planColumns(request, COLUMNS),
  };
}

const run = (datasetId: string, body: Record<string, unknown>) =>
  preprocessDataset(planFor(datasetId, body), { folder, attempt: '1' }, () => {});

const select = <Row extends object>(datasetId: string, sql: string, file = 'data') =>
  withDuckDb((connection) =>
    queryRows<Row>(connection, sql.replace('$data', `read_parquet('${join(folder, datasetId, file)}.parquet')`)),
  );

describe('preparing a dataset', () => {
  it('fills, scales and leaves ids, times and texts alone, as the seed asks for it', async () => {
    const manifest = await run('ds_a', {
      preprocessing_config: { handle_missing: 'median', feature_scaling: 'standard' },
    });
    expect(manifest).toMatchObject({
      rows: ROWS,
      quarantined_rows: 0,
      lineage: { operation: 'preprocess', parents: [{ dataset_id: 'ds_raw', digest: 'abc' }] },
    });
    expect(manifest.columns.map(({ name, type }) => [name, type])).toEqual([
      ['id', 'integer'], ['plan', 'string'], ['note', 'string'], ['at', 'timestamp'], ['ok', 'boolean'], ['label', 'string'],
      ['load', 'number'], ['size', 'number'],
    ]); // prettier-ignore
    const [sums] = await select<Record<string, number>>(
      'ds_a',
      `SELECT avg(load) AS mean, stddev_pop(load) AS spread, count(load) AS filled, avg(size) AS mean2, stddev_pop(size) AS spread2,
         count(*) FILTER (plan = '') AS blank, min(id) AS first FROM $data`,
    );
    expect(sums!['mean']).toBeCloseTo(0, 9);
    expect(sums!['spread']).toBeCloseTo(1, 9);
    expect(sums!['mean2']).toBeCloseTo(0, 9);
    expect(sums!['spread2']).toBeCloseTo(1, 9);
    expect(sums).toMatchObject({ filled: ROWS, blank: 0, first: 0 });
  });

  it('accounts for each row that it leaves out, with every reason', async () => {
    const manifest = await run('ds_b', {
      preprocessing_config: { handle_missing: 'drop', columns: { load: { outliers: { method: 'remove' } } } },
      keep: ['note'],
    });
    const left = await select<{ row_number: number; reasons: string[]; content: string }>(
      'ds_b',
      'SELECT * FROM $data',
      'quarantine',
    );
    expect(manifest.rows + left.length).toBe(ROWS);
    const both = left.filter(({ reasons }) => reasons.length === 2);
    expect(both.length).toBe(0);
    expect(left.find(({ row_number: row }) => row === 78)!.reasons[0]).toMatch(/^column load: an outlier/);
    expect(
      left.filter(({ reasons }) => reasons.includes('column plan: empty, and handle_missing is drop')),
    ).toHaveLength(ROWS / 25);
    expect(JSON.parse(left[0]!.content)).toEqual({
      id: 0,
      load: 0,
      size: 0,
      plan: '',
      note: 'row number 0 of many',
      at: '2026-01-01 00:00:00',
      ok: true,
      label: expect.any(String) as string,
    });
  });

  it('encodes categories, times and texts, and tells no row its own truth', async () => {
    const manifest = await run('ds_c', {
      preprocessing_config: {
        encode: 'one_hot',
        dates: 'parts',
        text: 'lengths',
        columns: { plan: { encode: { method: 'target', smoothing: 0 } } },
      },
      target: 'label',
    });
    const names = manifest.columns.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['plan', 'note.characters', 'at.hour', 'label']));
    const distinct = await select<{ values: number }>(
      'ds_c',
      `SELECT count(DISTINCT plan) AS values FROM $data WHERE plan IS NOT NULL`,
    );
    // Three plans, five folds: each fold has figures of its own.
    expect(distinct[0]!.values).toBeGreaterThan(3);
    expect(distinct[0]!.values).toBeLessThanOrEqual(15);
  });

  it('brings rows to the length 1 where asked', async () => {
    await run('ds_d', {
      preprocessing_config: { handle_missing: 'mean', feature_scaling: 'minmax', normalize: true },
      keep: ['id'],
    });
    const [lengths] = await select<{ low: number; high: number }>(
      'ds_d',
      'SELECT min(sqrt(load * load + size * size)) AS low, max(sqrt(load * load + size * size)) AS high FROM $data WHERE size <> 0 OR load <> 0',
    );
    expect(lengths!.low).toBeCloseTo(1, 12);
    expect(lengths!.high).toBeCloseTo(1, 12);
  });

  it('gives the same file again, and adopts a finished one', async () => {
    const first = await run('ds_e', { preprocessing_config: { handle_missing: 'mode', encode: 'frequency' } });
    const again = await run('ds_f', { preprocessing_config: { handle_missing: 'mode', encode: 'frequency' } });
    expect(again.digest).toBe(first.digest);
    expect(await run('ds_e', { preprocessing_config: {} })).toEqual(first);
  });

  it('refuses to leave nothing, and two columns of one name', async () => {
    mkdirSync(join(folder, 'ds_raw', 'twin'));
    await withDuckDb((connection) =>
      connection.run(
        `COPY (SELECT ['free', 'pro'][1 + i % 2] AS plan, 'x' AS "plan=PRO", NULL::DOUBLE AS load FROM range(100) AS r(i))
         TO ${quoteText(join(folder, 'ds_raw', 'twin', 'data.parquet'))} (FORMAT parquet)`,
      ),
    );
    const twin = (body: Record<string, unknown>) => {
      const plan = planFor('ds_g', body);
      const columns: typeof COLUMNS = [
        { name: 'plan', type: 'string' },
        { name: 'plan=PRO', type: 'string' },
        { name: 'load', type: 'number' },
      ];
      const request = preprocessRequestSchema.parse({ dataset_id: 'ds_raw', ...body });
      const source = { ...plan.source, datasetId: 'ds_raw/twin' };
      return preprocessDataset(
        { ...plan, rows: 100, source, columns: planColumns(request, columns) },
        { folder, attempt: '1' },
        () => {},
      );
    };
    await expect(twin({ preprocessing_config: { handle_missing: 'drop' } })).rejects.toThrow(/No row of .* is left/);
    await expect(twin({ preprocessing_config: { encode: 'one_hot' } })).rejects.toThrow(/would be called "plan=pro"/);
  });
});
