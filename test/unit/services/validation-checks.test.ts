import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectationSchema } from '../../../core/schemas/expectation.js';
import type { ColumnType } from '../../../services/datasets/column-types.js';
import { quoteText, withDuckDb } from '../../../services/duckdb.js';
import { checkRowExpectations } from '../../../services/validation/check-row-expectations.js';
import { checkDistribution } from '../../../services/validation/check-distribution.js';
import { checkVolume } from '../../../services/validation/check-whole-dataset.js';
import { rowCondition, type RowExpectation } from '../../../services/validation/row-conditions.js';
import { runSandboxedSql } from '../../../services/validation/run-sandboxed-sql.js';

const folder = mkdtempSync(join(tmpdir(), 'mlops-validation-'));
const file = join(folder, 'data.parquet');
const secret = join(folder, 'secret.csv');
const types = new Map<string, ColumnType>([
  ['id', 'integer'],
  ['score', 'number'],
  ['name', 'string'],
  ['at', 'timestamp'],
]);

beforeAll(async () => {
  writeFileSync(secret, 'a\n1\n');
  await withDuckDb((connection) =>
    connection.run(
      `COPY (SELECT CASE WHEN i = 5 THEN 4 ELSE i END::BIGINT AS id, CASE WHEN i % 4 = 0 THEN NULL ELSE i / 10.0 END::DOUBLE AS score,
         CASE i WHEN 1 THEN '' WHEN 2 THEN 'B-02' ELSE 'a-' || i END AS name, TIMESTAMP '2026-01-01' + to_days(i::INTEGER) AS at
       FROM range(20) AS r(i)) TO ${quoteText(file)} (FORMAT parquet)`,
    ),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Checks the twenty rows; gives each result, and the reasons by row. */
const check = (...asked: Record<string, unknown>[]) =>
  withDuckDb(async (connection) => {
    await connection.run(
      `CREATE VIEW data AS SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number) FROM read_parquet(${quoteText(file)}, file_row_number = true)`,
    );
    const expectations = asked.map((one) => expectationSchema.parse(one) as RowExpectation);
    const conditions = expectations.map((one) =>
      rowCondition(one, { types, reference: '(SELECT unnest([1, 2, 3])::VARCHAR AS value)' }),
    );
    return checkRowExpectations(connection, expectations, conditions);
  });

describe('a check of rows', () => {
  it.each([
    [{ check: 'not_null', column: 'score' }, 20, 5],
    [{ check: 'not_null', column: 'name' }, 20, 1],
    [{ check: 'range', column: 'score', minimum: 0.2, maximum: 1.5 }, 15, 4],
    [{ check: 'range', column: 'at', minimum: '2026-01-03' }, 20, 2],
    [{ check: 'set', column: 'id', values: [0, 1, 2] }, 20, 17],
    [{ check: 'pattern', column: 'name', pattern: '[a-z]-[0-9]+' }, 20, 2],
    [{ check: 'unique', columns: ['id'] }, 20, 1],
    [{ check: 'unique', columns: ['id', 'name'] }, 20, 0],
    [{ check: 'references', column: 'id', data_type: 'others' }, 20, 17],
    [{ check: 'type', column: 'score', type: 'integer' }, 15, 14],
    [{ check: 'type', column: 'id', type: 'number' }, 20, 0],
    [{ check: 'type', column: 'name', type: 'number' }, 20, 20],
  ])('%j counts the rows that it is about and those that fail', async (asked, checked, failed) => {
    const [result] = await check(asked);
    expect([result!.rows_checked, result!.rows_failed]).toEqual([checked, failed]);
    expect(result!.status).toBe(failed === 0 ? 'passed' : 'failed');
  });

  it('passes while mostly enough rows hold, and shows values that do not', async () => {
    const [enough, few] = await check(
      { check: 'not_null', column: 'score', mostly: 0.75 },
      { check: 'pattern', column: 'name', pattern: 'a.*', mostly: 0.95 },
    );
    expect(enough!.status).toBe('passed');
    expect(few).toMatchObject({ status: 'failed', share: 0.9, examples: ['', 'B-02'] });
  });

  it('takes a pattern that would keep a backtracking matcher busy for years', async () => {
    const [result] = await check({ check: 'pattern', column: 'name', pattern: '(a+)+(a|aa)*(.*)*x' });
    expect(result!.rows_failed).toBe(20);
  });

  it('cannot be made code by names and values', async () => {
    const [result] = await check({ check: 'set', column: 'name', values: [`x'); DROP VIEW data; --`] });
    expect(result!.rows_failed).toBe(20);
  });
});

describe('the SELECT of a caller', () => {
  it('counts the rows that fail, and knows their numbers', async () => {
    expect(await runSandboxedSql([file], 'SELECT _row, id FROM data WHERE id > 17;', 10)).toEqual({
      rows: 2,
      places: [19, 20],
    });
    expect(await runSandboxedSql([file], 'SELECT 1 FROM data WHERE id > 17 -- only these', 10)).toEqual({
      rows: 2,
      places: [],
    });
    expect(
      await runSandboxedSql([file], 'WITH t AS (SELECT avg(score) AS m FROM data) SELECT * FROM t WHERE m < 0', 10),
    ).toEqual({
      rows: 0,
      places: [],
    });
  });

  it.each([
    ['another file', `SELECT * FROM read_csv('${secret}')`],
    ['another file by its name alone', `SELECT * FROM '${secret}'`],
    ['the text of a file', `SELECT * FROM read_text('${secret}')`],
    ['a folder', `SELECT * FROM glob('${folder}/*')`],
    ['the network', `SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')`],
    ['a write', `COPY (SELECT 1) TO '${folder}/out.csv'`],
    ['a database', `ATTACH '${folder}/x.duckdb'`],
    ['an extension', 'INSTALL httpfs'],
    ['an extension by loading', 'LOAD httpfs'],
    ['a setting', 'SET enable_external_access = true'],
    ['a pragma', 'PRAGMA database_list'],
    ['a change', 'DROP VIEW data'],
    ['two statements', 'SELECT 1; SELECT 2'],
    ['a way out of the brackets', 'SELECT 1) AS x, (SELECT 2'],
    ['a setting within a query', `SELECT * FROM query('SET lock_configuration = false')`],
    ['no statement', '   '],
    ['what is no SQL', 'SELEKT 1'],
  ])('cannot reach %s', async (_, sql) => {
    const outcome = await runSandboxedSql([file], sql, 10);
    expect(outcome).toHaveProperty('problem');
    expect(JSON.stringify(outcome)).not.toContain(file);
    expect(existsSync(join(folder, 'out.csv'))).toBe(false);
  });
});

describe('checks against history', () => {
  const volume = expectationSchema.parse({ check: 'volume' });

  it('take a count for unusual only beyond what the snapshots before have varied by', () => {
    if (volume.check !== 'volume') throw new Error('unreachable');
    const earlier = [1000, 1040, 980, 1010, 5000, 990];
    expect(checkVolume(volume, 1100, earlier).status).toBe('passed');
    expect(checkVolume(volume, 300, earlier).status).toBe('failed');
    expect(checkVolume(volume, 1190, [1000, 1000, 1000]).status).toBe('passed');
    expect(checkVolume(volume, 1210, [1000, 1000, 1000]).status).toBe('failed');
    expect(checkVolume(volume, 1, [1000, 1000]).status).toBe('skipped');
  });

  it('call a distribution changed when it is far from the one before, not when many rows show a trifle', async () => {
    const compare = (sql: string, type: ColumnType) =>
      withDuckDb(async (connection) => {
        await connection.run(
          `CREATE TABLE data AS SELECT ${sql.replaceAll('$shift', '0')} AS v FROM range(200000) AS r(i)`,
        );
        await connection.run(
          `CREATE TABLE before AS SELECT ${sql.replaceAll('$shift', '$')} AS v FROM range(200000) AS r(i)`.replaceAll(
            '$',
            '0.02',
          ),
        );
        const asked = expectationSchema.parse({ check: 'distribution', column: 'v' });
        if (asked.check !== 'distribution') throw new Error('unreachable');
        const near = await checkDistribution(connection, asked, type, { relation: 'before', datasetId: 'ds_before' });
        await connection.run(
          `CREATE TABLE far AS SELECT ${sql.replaceAll('$shift', '0.3')} AS v FROM range(200000) AS r(i)`,
        );
        const far = await checkDistribution(connection, asked, type, { relation: 'far', datasetId: 'ds_far' });
        return [near, far];
      });
    for (const [sql, type] of [
      [`(hash(i) % 10000) / 10000.0 + $shift`, 'number'],
      [`CASE WHEN (hash(i) % 10000) / 10000.0 < 0.3 + $shift THEN 'a' ELSE 'b' END`, 'string'],
      [`TIMESTAMP '2026-01-01' + to_seconds((hash(i) % 10000) + 10000 * $shift)`, 'timestamp'],
    ] as const) {
      const [near, far] = await compare(sql, type);
      expect(near).toMatchObject({ status: 'passed' });
      expect(near!.message).toContain('no chance, but less than 0.1');
      expect(far).toMatchObject({ status: 'failed' });
      expect(far!.observed!['effect']).toBeCloseTo(0.3, 2);
    }
  });
});
