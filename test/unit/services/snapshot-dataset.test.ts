import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawFormat } from '../../../core/schemas/ingestion.js';
import { dataTypeSchema } from '../../../core/schemas/model-config.js';
import { formatOfName } from '../../../services/sources/format-of-name.js';
import { snapshotDataset } from '../../../services/datasets/snapshot-dataset.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';

let folder: string;
let count = 0;

interface Quarantined {
  row_number: number;
  reasons: string[];
  content: string;
}

/** Takes a snapshot of a file with this content, and reads back what is good and what is not. */
async function snapshot(name: string, content: string | Buffer, more: { columns?: object; validation?: 'fail' } = {}) {
  const path = join(folder, name);
  writeFileSync(path, content);
  const datasetId = `ds_${count++}`;
  const { format, compression } = formatOfName(name, undefined);
  const manifest = await snapshotDataset(
    {
      datasetId,
      dataType: 'things',
      sourceLabel: name,
      raw: [{ path, label: name, format: format as RawFormat, compression }],
      validation: more.validation ?? 'quarantine',
      expectations: more.columns ? dataTypeSchema.parse({ columns: more.columns }) : undefined,
      folder: join(folder, 'datasets'),
      attempt: '1',
      mostBytes: 2 ** 30,
    },
    () => undefined,
  );
  const read = <Row extends object>(file: string) =>
    withDuckDb((connection) =>
      queryRows<Row>(connection, `SELECT * FROM read_parquet(${quoteText(join(folder, 'datasets', datasetId, file))})`),
    );
  return {
    manifest,
    rows: await read<Record<string, unknown>>('data*.parquet'),
    quarantine: await read<Quarantined>('quarantine.parquet'),
  };
}

const numbers = (n: number) => Array.from({ length: n }, (_, index) => `${index},x`).join('\n');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-snapshot-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a snapshot', () => {
  it('sets aside rows with a wrong type, and says which cell', async () => {
    const { rows, quarantine, manifest } = await snapshot('types.csv', `n,t\n${numbers(100)}\nabc,x\n`);
    expect(rows).toHaveLength(100);
    expect(quarantine).toEqual([
      { row_number: 101, reasons: ['column n: "abc" is not a whole number'], content: '{"n":"abc","t":"x"}' },
    ]);
    expect(manifest).toMatchObject({ rows: 100, quarantined_rows: 1 });
  });

  it('sets aside lines that are no rows, with the line itself', async () => {
    const { rows, quarantine } = await snapshot('ragged.csv', `a,b\n${numbers(10)}\n5\n6,y,z\n`);
    expect(rows).toHaveLength(10);
    expect(quarantine.map((row) => [row.row_number, row.content])).toEqual([
      [11, '5'],
      [12, '6,y,z'],
    ]);
    expect(quarantine[0]!.reasons[0]).toMatch(/MISSING COLUMNS/);
  });

  it('sets aside lines in another encoding, and keeps the others', async () => {
    const { rows, quarantine } = await snapshot(
      'latin.csv',
      Buffer.from('id,name\n1,caf\xe9\n2,ok\n3,fine\n', 'latin1'),
    );
    expect(rows).toEqual([
      { id: 2, name: 'ok' },
      { id: 3, name: 'fine' },
    ]);
    expect(quarantine[0]!.reasons[0]).toMatch(/utf-8/i);
  });

  it('sets aside lines of NDJSON that are no object', async () => {
    const { rows, quarantine } = await snapshot('lines.ndjson', '{"a":1,"b":"q"}\nnot json\n[1]\n\n{"a":2,"b":null}\n');
    expect(rows).toEqual([
      { a: 1, b: 'q' },
      { a: 2, b: null },
    ]);
    expect(quarantine.map((row) => row.content)).toEqual(['not json', '[1]']);
  });

  it('keeps texts of JSON without their quotes, and objects as JSON', async () => {
    const { rows } = await snapshot('mixed.json', '[{"a":1,"b":{"c":2}},{"a":"two","b":null}]');
    expect(rows).toEqual([
      { a: '1', b: '{"c":2}' },
      { a: 'two', b: null },
    ]);
  });

  it('loses nothing of codes and of numbers past 2^53', async () => {
    const { rows } = await snapshot('codes.csv', 'zip,id,n\n01234,12345678901234567890,1.5\n98765,1,2\n');
    expect(rows).toEqual([
      { zip: '01234', id: '12345678901234567890', n: 1.5 },
      { zip: '98765', id: '1', n: 2 },
    ]);
  });

  it('reads a BOM, semicolons, quotes, line breaks in quotes, CRLF and gzip as they are meant', async () => {
    expect((await snapshot('bom.csv', '\ufeffid,name\n1,é\n')).rows).toEqual([{ id: 1, name: 'é' }]);
    expect((await snapshot('semicolon.csv', 'a;b\n1;"x;y"\n2;z\n')).rows).toEqual([
      { a: 1, b: 'x;y' },
      { a: 2, b: 'z' },
    ]);
    expect((await snapshot('quotes.csv', 'a,b\n1,"one\ntwo"\n2,"q""uote"\n')).rows).toEqual([
      { a: 1, b: 'one\ntwo' },
      { a: 2, b: 'q"uote' },
    ]);
    expect((await snapshot('crlf.csv', 'a,b\r\n1,x\r\n')).rows).toEqual([{ a: 1, b: 'x' }]);
    expect((await snapshot('packed.csv.gz', gzipSync('a,b\n1,x\n'))).rows).toEqual([{ a: 1, b: 'x' }]);
    expect((await snapshot('tabs.tsv', 'a\tb\n1\tx\n')).rows).toEqual([{ a: 1, b: 'x' }]);
  });

  it('takes a column called __proto__ like any other', async () => {
    const { rows } = await snapshot('proto.csv', '__proto__,b\n1,2\n');
    expect(Object.entries(rows[0]!)).toEqual([
      ['__proto__', 1],
      ['b', 2],
    ]);
    expect(({} as Record<string, unknown>)['b']).toBeUndefined();
  });

  it('holds rows to what is expected of their columns, and lists every reason', async () => {
    const columns = {
      id: { type: 'string', required: true, unique: true },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      plan: { values: ['free', 'pro'] },
      mail: { pattern: '[^@]+@[^@]+' },
    };
    const good = Array.from({ length: 6 }, (_, index) => `g${index},30,free,a@b`).join('\n');
    const { rows, quarantine } = await snapshot(
      'rules.csv',
      `id,age,plan,mail\n${good}\ng0,30,free,a@b\n,200,gold,nobody\n`,
      { columns },
    );
    expect(rows).toHaveLength(6);
    expect(quarantine.map((row) => row.reasons)).toEqual([
      ['column id: the value was already in an earlier row'],
      [
        'column id: empty, but required',
        'column age: above the maximum of 120',
        'column plan: not one of free, pro',
        'column mail: does not match [^@]+@[^@]+',
      ],
    ]);
  });

  it('is refused when a required column is missing, when most rows are bad, when there are none, and when any is bad with "fail"', async () => {
    await expect(snapshot('lost.csv', 'a\n1\n', { columns: { id: { required: true } } })).rejects.toMatchObject({
      code: 'dataset_rejected',
      problems: [{ path: 'columns.id', message: 'is required and missing' }],
    });
    await expect(snapshot('most.csv', 'a\nx\ny\n3\n', { columns: { a: { type: 'integer' } } })).rejects.toThrow(
      /2 of 3 rows failed their checks: more than half/,
    );
    await expect(snapshot('empty.csv', '')).rejects.toMatchObject({ code: 'dataset_rejected' });
    await expect(snapshot('header.csv', 'a,b\n')).rejects.toThrow(/no usable row/);
    await expect(snapshot('strict.csv', `n,t\n${numbers(100)}\nabc,x\n`, { validation: 'fail' })).rejects.toThrow(
      /1 of 101 rows failed/,
    );
    expect(readdirSync(join(folder, 'datasets', '.staging'))).toEqual([]);
  });

  it('has the same digest whenever the same rows are read', async () => {
    const content = `a,b\n${numbers(5000)}\n`;
    const [one, two] = [await snapshot('same.csv', content), await snapshot('same.csv', content)];
    expect(one.manifest.digest).toBe(two.manifest.digest);
    expect((await snapshot('same.csv', `${content}1,y\n`)).manifest.digest).not.toBe(one.manifest.digest);
  });
});
