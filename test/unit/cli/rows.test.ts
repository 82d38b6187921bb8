import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatOf, readRows, type RowFormat } from '../../../cli/input-rows.js';
import { openOutput, type AnsweredRow } from '../../../cli/output-rows.js';
import { instanceOf, unusedColumns } from '../../../cli/row-instance.js';

const folder = mkdtempSync(join(tmpdir(), 'mlops-rows-'));
const wanted = {
  kind: 'classification',
  features: [
    { name: 'usage', type: 'number' },
    { name: 'plan', type: 'string' },
    { name: 'active', type: 'boolean' },
  ],
};

async function read(name: string, text: string, format?: RowFormat) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const rows = [];
  for await (const row of readRows(path, format ?? formatOf(path))) rows.push(row);
  return rows;
}

async function write(name: string, rows: AnsweredRow[][]): Promise<string> {
  const path = join(folder, name);
  const writer = openOutput(path, formatOf(path));
  for (const batch of rows) await writer.write(batch);
  await writer.close();
  return readFileSync(path, 'utf8');
}

const good = (at: number): AnsweredRow => ({
  at,
  answer: {
    prediction_id: 'p',
    model_version: 'v1',
    predictions: { label: 'a,b', items: [1] },
    confidence_scores: { label: 0.5 },
  },
});
const bad = (at: number): AnsweredRow => ({
  at,
  answer: { error: { detail: 'The request has 1 problem.', errors: [{ path: 'features.x', message: 'is "odd"' }] } },
});

describe('rows of a file', () => {
  it('are the same from CSV, NDJSON and JSON', async () => {
    const csv = await read('a.csv', '\uFEFFusage,plan\r\n3,"pro, yearly"\r\n,free\r\n');
    expect(csv).toEqual([
      { at: 1, row: { usage: '3', plan: 'pro, yearly' } },
      { at: 2, row: { usage: '', plan: 'free' } },
    ]);
    expect(await read('a.ndjson', '{"usage":3}\n\n{"usage":4}')).toEqual([
      { at: 1, row: { usage: 3 } },
      { at: 2, row: { usage: 4 } },
    ]);
    expect(await read('a.json', '[{"usage":3}]')).toEqual([{ at: 1, row: { usage: 3 } }]);
  });

  it.each([
    ['ragged.csv', 'a,b\n1,2\n1,2,3\n', 'row 2'],
    ['cut.ndjson', '{"a":1}\n{"a"', 'row 2'],
    ['list.ndjson', '[1]', 'row 1: is no JSON object'],
    ['text.json', 'hello', 'row 1'],
  ])('that cannot be read are named: %s', async (name, text, told) => {
    await expect(read(name, text)).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(told) });
  });

  it('say what a file is by its name, and ask where that does not tell', () => {
    expect(['-', 'a.CSV', 'b.jsonl', 'c.json'].map(formatOf)).toEqual(['ndjson', 'csv', 'ndjson', 'json']);
    expect(() => formatOf('table.xlsx')).toThrow('The format of table.xlsx');
  });
});

describe('the instance of a row', () => {
  it('has the columns that the version knows, in its types, and leaves empty cells out', () => {
    const row = { customer: 7, usage: '3.5', plan: '42', active: 'true', outcome: 'stay' };
    expect(instanceOf(row, wanted, 'customer')).toEqual({
      entity_id: '7',
      features: { usage: 3.5, plan: '42', active: true },
    });
    expect(unusedColumns(row, wanted, 'customer')).toEqual(['outcome']);
    expect(instanceOf({ usage: '', plan: '' }, wanted, undefined)).toEqual({ features: {} });
  });

  it('leaves what is no number to the service, which says so', () => {
    expect(instanceOf({ usage: 'many' }, wanted, undefined)).toEqual({ features: { usage: 'many' } });
  });

  it('is the row itself where that has features, and the entity alone of a recommendation', () => {
    expect(instanceOf({ user_id: 'u', features: { x: 1 } }, wanted, undefined)).toEqual({
      user_id: 'u',
      features: { x: 1 },
    });
    expect(instanceOf({ user_id: 'u', more: 1 }, { kind: 'recommendation', features: [] }, undefined)).toEqual({
      user_id: 'u',
    });
  });
});

describe('the file of answers', () => {
  it('has the columns of the first row that was answered, also when rows before it were not', async () => {
    expect(await write('out.csv', [[bad(1)], [good(2), bad(3)]])).toBe(
      [
        'row,prediction_id,model_version,label,items,confidence_label,error',
        '1,,,,,,"The request has 1 problem. features.x: is ""odd"""',
        '2,p,v1,"a,b",[1],0.5,',
        '3,,,,,,"The request has 1 problem. features.x: is ""odd"""',
        '',
      ].join('\n'),
    );
    expect(await write('none.csv', [[bad(1)]])).toMatch(/^row,error\n1,/);
  });

  it('is JSON from its first to its last byte, with no rows too', async () => {
    expect(JSON.parse(await write('out.json', [[good(1)], [bad(2)]]))).toMatchObject([
      { row: 1 },
      { row: 2, error: {} },
    ]);
    expect(await write('empty.json', [])).toBe('[]\n');
  });

  it('appears when it is complete, and not at all when it is given up', async () => {
    const writer = openOutput(join(folder, 'cut.ndjson.out'), 'ndjson');
    await writer.write([good(1)]);
    await writer.abandon();
    expect(readdirSync(folder).filter((name) => name.startsWith('cut.ndjson.out'))).toEqual([]);
  });
});
