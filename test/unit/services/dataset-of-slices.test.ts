import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataTypeSchema } from '../../../core/schemas/model-config.js';
import { replayInputSchema } from '../../../core/schemas/replay.js';
import { datasetFiles } from '../../../services/datasets/dataset-files.js';
import { datasetRows } from '../../../services/datasets/dataset-rows.js';
import { queryRows, withDuckDb } from '../../../services/duckdb.js';
import { replayQuarantine } from '../../../services/quarantine/replay-quarantine.js';
import { runSandboxedSql } from '../../../services/validation/run-sandboxed-sql.js';
import { snapshotFiles } from '../../support/snapshot-file.js';

const folder = mkdtempSync(join(tmpdir(), 'mlops-slices-'));
const datasets = join(folder, 'datasets');
const ROWS = 3000;
const dataType = dataTypeSchema.parse({
  columns: { id: { type: 'integer', unique: true } },
  expectations: [
    { check: 'range', column: 'load', maximum: 100 },
    { check: 'not_null', column: 'name' },
    { check: 'unique', columns: ['name', 'day'] },
    { check: 'range', column: 'load', minimum: 5, severity: 'warning' },
  ],
});
let taken: Awaited<ReturnType<typeof snapshotFiles>>;

/** Row 1500 is too high, row 2000 has no name, row 2500 the name and day of row 3, row 2600 the id of row 4. */
function lineOf(row: number): string {
  const id = row === 2600 ? 4 : row;
  const name = row === 2000 ? '' : `n${row === 2500 ? 3 : row}`;
  return `${id},${row === 1500 ? 101 : (row % 50) / 2 + 0.5},${name},d${row === 2500 ? 3 : row % 7}`;
}

beforeAll(async () => {
  const lines = Array.from({ length: ROWS }, (_, at) => lineOf(at + 1));
  taken = await snapshotFiles(
    { 't.csv': `id,load,name,day\n${lines.join('\n')}\n` },
    { keep: folder, sliceBytes: 6000, columns: dataType.columns, expectations: dataType.expectations },
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a dataset of several slices', () => {
  it('holds each row to what the data type expects of it, whichever slices the rows lie in', async () => {
    expect((await datasetFiles(datasets, 'ds_hostile')).length).toBeGreaterThan(5);
    expect(taken.quarantine.map(({ row_number, reasons }) => [row_number, reasons])).toEqual([
      [1500, ['column load: above the maximum of 100']],
      [2000, ['column name: empty, but required']],
      [2500, ['column name, day: the value was already in an earlier row']],
      [2600, ['column id: the value was already in an earlier row']],
    ]);
    expect(taken.manifest.rows).toBe(ROWS - 4);
  });

  it('tells which columns have types that nobody has declared', () => {
    expect(taken.manifest.inferred_columns).toEqual(['load', 'name', 'day']);
  });

  it('numbers its rows from the first file to the last', async () => {
    const files = await datasetFiles(datasets, 'ds_hostile');
    const rows = await withDuckDb((connection) =>
      queryRows<{ place: number; id: number }>(
        connection,
        `SELECT file_row_number AS place, id FROM ${datasetRows(files)} ORDER BY file_row_number`,
      ),
    );
    expect(rows.map(({ place }) => place)).toEqual(Array.from({ length: ROWS - 4 }, (_, at) => at));
    expect(rows.map(({ id }) => id)).toEqual(rows.map(({ id }) => id).toSorted((a, b) => a - b));
  });

  it('gives all rows to the SELECT of a caller, and no other file', async () => {
    const files = await datasetFiles(datasets, 'ds_hostile');
    expect(await runSandboxedSql(files, `SELECT _row FROM data WHERE id > ${ROWS - 1}`, 10)).toEqual({
      rows: 1,
      places: [ROWS - 4],
    });
    const outcome = await runSandboxedSql(files, `SELECT * FROM '${join(datasets, 'ds_hostile')}/*.parquet'`, 10);
    expect(outcome).toHaveProperty('problem');
  });

  it('takes rows back from quarantine when they are right, and no value twice', async () => {
    const plan = {
      jobId: 'job',
      datasetId: 'ds_replayed',
      dataType: 'things',
      source: { datasetId: 'ds_hostile', digest: 'x', dataType: 'things', label: 'a test', inferred: ['load'] },
      columns: taken.manifest.columns.map(({ name, type }) => ({ name, type })),
      input: replayInputSchema.parse({
        dataset_id: 'ds_hostile',
        rows: [
          { row_number: 1500, values: { load: 10 } },
          { row_number: 2000, values: { id: 9999, name: 'new' } },
          { row_number: 2600, values: { id: 9999 } },
        ],
      }),
    };
    const manifest = await replayQuarantine(plan, { folder: datasets, attempt: '1', dataType });
    expect(manifest).toMatchObject({ rows: ROWS - 2, quarantined_rows: 2, inferred_columns: ['load'] });
    expect(manifest.quality.filter(({ severity }) => severity === 'error')).toEqual([
      { severity: 'error', message: 'column id: the value was already in an earlier row', rows: 1 },
      { severity: 'error', message: 'column name, day: the value was already in an earlier row', rows: 1 },
    ]);
    expect(readdirSync(join(datasets, 'ds_replayed')).toSorted()).toEqual([
      'data.parquet',
      'manifest.json',
      'quarantine.parquet',
    ]);
  });
});
