import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { uniqueNames } from '../../../services/datasets/csv-header.js';
import { snapshotFiles } from '../../support/snapshot-file.js';

// Hundreds of small snapshots take a while where other work shares the cores.
vi.setConfig({ testTimeout: 240_000 });

/** A cell as RFC 4180 has it; nothing at all is no value, an empty text is quoted. */
const csvCell = (cell: string | null) =>
  cell === null ? '' : cell === '' || /[",;\r\n\t|]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
const good = (count: number) => Array.from({ length: count }, (_, at) => `${at},x\n`).join('');

/** The client of DuckDB leaves out a byte order mark at the beginning of a text that it reads. */
const unmarked = (text: unknown) => (typeof text === 'string' ? text.replace(/^\ufeff+/, '') : text);

const nasty = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '"',
    '""',
    '\n',
    '\r\n',
    '\r',
    ',',
    ';',
    'a"b',
    "it's",
    '\\N',
    'NULL',
    '\ufeff',
    '😀',
    '=1+1',
    'NaN',
  ),
  fc.constantFrom('9007199254740993', '1e400', '-0', '2024-02-30', '__proto__', '\u2028', '\u0085', '\u001f', '\t'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a', ' '), maxLength: 8 }),
);
const cell = fc.option(nasty, { nil: null, freq: 6 });

describe('tables of any nastiness', () => {
  it('as CSV come back as they were or are in quarantine, wherever they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .integer({ min: 1, max: 4 })
          .chain((width) =>
            fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 3, maxLength: 25 }),
          ),
        fc.constantFrom('\n', '\r\n', 'both'),
        fc.integer({ min: 40, max: 400 }),
        fc.boolean(),
        async (table, newline, sliceBytes, isMarked) => {
          const names = table[0]!.map((_, at) => `c${at}`);
          const end = (at: number) => (newline === 'both' ? (at % 2 ? '\n' : '\r\n') : newline);
          const lines = [names, ...table].map((row, at) => row.map(csvCell).join(',') + end(at));
          const columns = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
          const { rows, quarantine, manifest } = await snapshotFiles(
            { 't.csv': `${isMarked ? '\ufeff' : ''}${lines.join('')}` },
            { columns, sliceBytes },
          );
          const bad = new Set(quarantine.map((row) => row.row_number));
          const expected = table.filter((_, at) => !bad.has(at + 1));
          expect(rows.map((row) => names.map((name) => unmarked(row[name])))).toEqual(
            expected.map((row) => row.map(unmarked)),
          );
          expect(manifest.rows + manifest.quarantined_rows).toBe(table.length);
          for (const row of quarantine) expect(row.reasons.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 30, seed: 5 },
    );
  });

  it('as NDJSON and as a JSON array come back as they were or are in quarantine', async () => {
    const key = fc.oneof(
      fc.constantFrom('a', 'A', '', '/', '~', 'a/b', '__proto__', 'constructor', '"', "'", '0', '$.x', 'é'),
      fc.string({ unit: 'grapheme', maxLength: 5 }),
    );
    const record = fc.array(fc.tuple(key, nasty), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 4, maxLength: 15 }),
        fc.integer({ min: 100, max: 400 }),
        fc.boolean(),
        async (records, sliceBytes, isArray) => {
          const texts = records.map(
            (pairs) =>
              `{${pairs.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(', ')}}`,
          );
          const isTwice = (pairs: [string, string][]) => new Set(pairs.map(([name]) => name)).size < pairs.length;
          if (records.filter(isTwice).length * 2 > records.length) return;
          const content = isArray ? `[\n${texts.join(',\n')}\n]` : `${texts.join('\n')}\n`;
          const { rows, quarantine } = await snapshotFiles(
            { [isArray ? 't.json' : 't.ndjson']: content },
            { sliceBytes },
          );
          const bad = new Set(quarantine.map((row) => row.row_number));
          expect(rows.length + quarantine.length).toBe(records.length);
          const keys = [...new Set(records.flatMap((pairs) => pairs.map(([name]) => name)))];
          const names = new Map(uniqueNames(keys).map((name, at) => [keys[at]!, name]));
          const kept = records.filter((_, at) => !bad.has(at + 1));
          for (const [at, pairs] of kept.entries())
            for (const [name, value] of pairs) {
              const stored = rows[at]![names.get(name)!];
              if (typeof stored === 'string' && !/^\d{4}-/.test(value)) expect(unmarked(stored)).toBe(unmarked(value));
            }
          for (const at of bad)
            expect(isTwice(records[at - 1]!) || /[\0\ud800-\udfff]/.test(texts[at - 1]!)).toBe(true);
        },
      ),
      { numRuns: 12, seed: 7 },
    );
  });
});

describe('a hostile file', () => {
  it('has its line of 40 MB set aside with its place and its length, and keeps the others', async () => {
    const long = Buffer.alloc(40 * 2 ** 20, 'y');
    const content = Buffer.concat([Buffer.from(`a,b\n${good(50)}`), long, Buffer.from(`\n${good(50)}`)]);
    const { rows, quarantine } = await snapshotFiles({ 't.csv': content });
    expect(rows).toHaveLength(100);
    expect(quarantine).toMatchObject([
      { row_number: 51, reasons: [`the line has ${long.length + 1} bytes; at most 8388608 are read`] },
    ]);
    expect(quarantine[0]!.content.length).toBeLessThan(2 ** 21);
  });

  it('may have cells of megabytes', async () => {
    const cells = ['p'.repeat(7 * 2 ** 20), 'q'.repeat(5 * 2 ** 20)];
    const { rows } = await snapshotFiles({ 't.csv': `a,b\n1,${cells[0]}\n2,"${cells[1]}"\n` });
    expect(rows.map((row) => String(row['b']).length)).toEqual(cells.map((text) => text.length));
  });

  it('loses one line to a quote that is never closed, and one to text behind a quote', async () => {
    const { rows, quarantine } = await snapshotFiles({ 't.csv': `a,b\n1,x\n2,"z"w\n3,y\n4,"open\n5,v\n6,t\n` });
    expect(rows.map((row) => row['a'])).toEqual([1, 3, 5, 6]);
    expect(quarantine.map((row) => [row.row_number, row.reasons[0], row.content])).toEqual([
      [2, 'text stands after a closing quote', '2,"z"w'],
      [4, 'a quote is opened and never closed', '4,"open'],
    ]);
  });

  it('has rows with NUL, with bytes that are no UTF-8 and with too few or many cells set aside, each in its place', async () => {
    const content = Buffer.concat([
      Buffer.from('a,b\n1,x\n2,\0\n'),
      Buffer.from('3,\xff\xfe\n', 'latin1'),
      Buffer.from('4\n5,y\n6,z,z\nseven,w\n'),
      Buffer.from(Array.from({ length: 40 }, (_, at) => `${at + 8},ok\n`).join('')),
    ]);
    const { rows, quarantine } = await snapshotFiles({ 't.csv': content }, { columns: { a: { type: 'integer' } } });
    expect(rows).toHaveLength(42);
    expect(quarantine.map((row) => [row.row_number, row.reasons[0]!.split(':')[0]])).toEqual([
      [2, 'it has a NUL character'],
      [3, 'the bytes are not UTF-8'],
      [4, 'MISSING COLUMNS'],
      [6, 'TOO MANY COLUMNS'],
      [7, 'column a'],
    ]);
  });

  it.each([
    ['UTF-16 with its mark', Buffer.from('\ufeffa,b\n1,é\n', 'utf16le')],
    ['UTF-16, the other way round', Buffer.from('\ufeffa,b\n1,é\n', 'utf16le').swap16()],
    ['UTF-8 with its mark', Buffer.from('\ufeffa,b\n1,é\n')],
  ])('may be in %s', async (_title, content) => {
    expect((await snapshotFiles({ 't.csv': content })).rows).toEqual([{ a: 1, b: 'é' }]);
  });

  it('may have headers that are missing, empty, there twice, or names of JavaScript', async () => {
    const { rows } = await snapshotFiles({ 't.csv': 'a,,A,a,__proto__,constructor,"x""y"\n1,2,3,4,5,6,7\n' });
    expect(Object.entries(rows[0]!)).toEqual([
      ['a', 1],
      ['column_2', 2],
      ['A_1', 3],
      ['a_2', 4],
      ['__proto__', 5],
      ['constructor', 6],
      ['x"y', 7],
    ]);
  });

  it('keeps whole numbers of any length exactly, also beside fractions and in JSON', async () => {
    const csv = await snapshotFiles({
      't.csv': 'a,b,c\n9007199254740993,9007199254740993,123456789012345678901\n1,0.5,2\n',
    });
    expect(csv.rows[0]).toEqual({ a: '9007199254740993', b: '9007199254740993', c: '123456789012345678901' });
    expect(csv.manifest.columns.map((column) => column.type)).toEqual(['integer', 'string', 'string']);
    const json = await snapshotFiles({
      't.ndjson': '{"a":9007199254740993,"b":12345678901234567890123}\n{"a":1,"b":2}\n',
    });
    expect(json.rows[0]).toEqual({ a: '9007199254740993', b: '12345678901234567890123' });
    const declared = await snapshotFiles(
      { 't.csv': `n\n0.5\n9007199254740993\n9007199254740992\n1e17\n1_000\nnan\n7\n8\n` },
      { columns: { n: { type: 'number' } } },
    );
    expect(declared.rows.map((row) => row['n'])).toEqual([0.5, 9007199254740992, 1e17, 7, 8]);
    expect(declared.quarantine[0]!.reasons[0]).toMatch(/too long to be kept as a number without loss/);
  });

  it('of JSON sets aside what is nested too deep, without a parser that recurses', async () => {
    const deep = `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
    const lines = ['{"a":1}', deep, '{"a":2}', '{"a":3}'];
    for (const [name, content] of [
      ['t.ndjson', lines.join('\n')],
      ['t.json', `[${lines.join(',')}]`],
    ] as const) {
      const { rows, quarantine } = await snapshotFiles({ [name]: content });
      expect(rows).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
      expect(quarantine).toMatchObject([{ row_number: 2, reasons: ['nested deeper than 64 levels'] }]);
    }
  });

  it('may have hundreds of columns, and is refused with too many', async () => {
    const wide = (count: number, rows = 1) =>
      `${Array.from({ length: count }, (_, at) => `c${at}`).join(',')}\n${`${'text,'.repeat(count - 1)}1\n`.repeat(rows)}`;
    // So many texts do not fit into what is enough for a usual table.
    const { rows } = await snapshotFiles({ 't.csv': wide(500, 400) });
    expect(rows).toHaveLength(400);
    expect(Object.keys(rows[0]!)).toHaveLength(500);
    await expect(snapshotFiles({ 't.csv': wide(5000) })).rejects.toThrow(/5000 columns; at most 4096/);
  });

  it('that explodes when it is unpacked is refused while it does, and one that is cut off is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 2 ** 20, 'a,b\n'));
    await expect(snapshotFiles({ 't.csv.gz': bomb })).rejects.toThrow(/more than 268435456 when it is unpacked/);
    await expect(snapshotFiles({ 't.csv.gz': gzipSync(good(1000)) }, { mostBytes: 1000 })).rejects.toThrow(
      /more than 1000 when it is unpacked/,
    );
    await expect(snapshotFiles({ 't.csv.gz': gzipSync(good(1000)).subarray(0, 100) })).rejects.toMatchObject({
      code: 'source_unreadable',
    });
  });
});

describe('a source of several slices and parts', () => {
  it('has the types, rows, order and places that it has in one piece', async () => {
    const text = `id,n\n${Array.from({ length: 3000 }, (_, at) => `${at},${at % 500 === 7 ? 'x' : at / 4}\n`).join('')}`;
    const whole = await snapshotFiles({ 't.csv': text });
    const cut = await snapshotFiles({ 't.csv': text }, { sliceBytes: 5000 });
    expect(cut.manifest.files!.length).toBeGreaterThan(5);
    expect(cut.rows).toEqual(whole.rows);
    expect(cut.quarantine).toEqual(whole.quarantine);
    expect(cut.manifest.columns).toEqual(whole.manifest.columns);
    const again = await snapshotFiles({ 't.csv': text }, { sliceBytes: 5000 });
    expect(again.manifest.digest).toBe(cut.manifest.digest);
  });

  it('holds a unique column over all of them, and says where the later rows stand', async () => {
    const columns = { id: { type: 'integer', unique: true } };
    const { rows, quarantine } = await snapshotFiles(
      { 'a.csv': 'id,b\n1,x\n2,x\nbad,x\n3,x\n', 'b.csv': 'b,id\ny,3\ny,4\ny,1\ny,5\n' },
      { columns },
    );
    expect(rows.map((row) => [row['id'], row['b']])).toEqual([
      [1, 'x'],
      [2, 'x'],
      [3, 'x'],
      [4, 'y'],
      [5, 'y'],
    ]);
    expect(quarantine.map((row) => [row.row_number, row.reasons[0]])).toEqual([
      [3, 'column id: "bad" is not a whole number'],
      [5, 'column id: the value was already in an earlier row'],
      [7, 'column id: the value was already in an earlier row'],
    ]);
  });
});
