import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main as printCeiling } from '../../../simulator/ceiling.js';
import { main } from '../../../simulator/main.js';

const SMALL = ['--users', '60', '--services', '2', '--items', '20', '--start', '2024-01-01', '--end', '2024-03-01'];
let folder: string;
let printed: { out: string; err: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulate-'));
  printed = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((printed.err += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe('simulate', () => {
  it('writes the same files when it is run twice, and leaves nothing else in the folder', async () => {
    const flags = [...SMALL, '--output', folder, '--format', 'csv,parquet'];
    expect(await main(flags)).toBe(0);
    const first = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);
    expect(await main(flags)).toBe(0);
    expect(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')])).toEqual(
      first,
    );
    expect(first.length).toBe(10);
    expect(printed.out).toMatch(/user_events +[\d,]+ rows/);
    expect(printed.out).toMatch(/in \d+\.\d s, seed 42/);
  });

  it('writes the same rows to CSV and to Parquet', async () => {
    await main([...SMALL, '--output', folder, '--format', 'csv,parquet']);
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    for (const table of ['users', 'user_events', 'projects', 'resource_metrics', 'item_interactions']) {
      const parquet = `SELECT * FROM read_parquet('${folder}/${table}.parquet')`;
      const types = (await connection.runAndReadAll(`DESCRIBE ${parquet}`))
        .getRows()
        .map((row) => `'${String(row[0])}': '${String(row[1])}'`);
      const csv = `SELECT * FROM read_csv('${folder}/${table}.csv', columns = {${types.join(', ')}}, timestampformat = '%Y-%m-%dT%H:%M:%S.%gZ')`;
      const difference = await connection.runAndReadAll(
        `(${parquet} EXCEPT ALL ${csv}) UNION ALL (${csv} EXCEPT ALL ${parquet})`,
      );
      expect({ table, rows: difference.getRows() }).toEqual({ table, rows: [] });
    }
    connection.closeSync();
  });

  it.each([
    [['--users', 'many', '--output', '.'], '--users is a whole number, not "many".'],
    [['--users', '0', '--output', '.'], '--users is a whole number from 1 to'],
    [['--end', 'soon', '--output', '.'], '--end is a date such as 2024-01-31'],
    [['--format', 'xml', '--output', '.'], '--format is a list of csv and parquet, not "xml".'],
    [['--format', 'csv'], '--format needs --output'],
    [['--colour', 'red'], "Unknown option '--colour'"],
    [[], 'Say where to write'],
  ])('ends with 2 and says what to change: %j', async (flags, message) => {
    expect(await main(flags)).toBe(2);
    expect(printed.err).toContain(message);
    expect(printed.err).toContain('--help');
  });

  it('ends with 1 when the database is away, and writes no files', async () => {
    expect(await main([...SMALL, '--output', folder, '--database-url', 'postgresql://nobody@127.0.0.1:1/none'])).toBe(
      1,
    );
    expect(printed.err).toContain('ECONNREFUSED');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('explains itself with --help', async () => {
    expect(await main(['--help'])).toBe(0);
    for (const flag of [
      '--users',
      '--seed',
      '--start',
      '--end',
      '--services',
      '--items',
      '--database-url',
      '--output',
      '--format',
    ]) {
      expect(printed.out).toContain(flag);
    }
  });
});

describe('ceiling', () => {
  it('prints the ceilings as JSON', () => {
    expect(printCeiling(['--users', '40', '--start-date', '2024-01-01', '--active-users-only'])).toBe(0);
    expect(JSON.parse(printed.out)).toMatchObject({
      parameters: { users: 40 },
      userBehavior: { history: { churn: { accuracy: expect.any(Number) } } },
      projectSuccess: { success: { accuracy: expect.any(Number) } },
    });
  });

  it('ends with 1 on a flag that it cannot use', () => {
    expect(printCeiling(['--every-days', '0'])).toBe(1);
    expect(printed.err).toContain('--every-days');
  });
});
