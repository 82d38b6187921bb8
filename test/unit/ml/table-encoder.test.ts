import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_CHOICES, type ColumnChoices } from '../../../ml/preprocess/column-choices.js';
import { encodeBatch } from '../../../ml/preprocess/encode-batch.js';
import {
  decodeLabel,
  encodeLabels,
  encodeRow,
  encodeTable,
  fitLabelEncoder,
  fitTableEncoder,
  inferColumnType,
} from '../../../ml/preprocess/table-encoder.js';
import type { RawColumn, TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { rowOf } from './matrix-of.js';

const repeat = <T>(values: readonly T[], times: number): T[] => Array.from({ length: times }, () => values).flat();
const allRows = (columns: readonly RawColumn[]) => Uint32Array.from(columns[0]!.values.keys());

describe('the type of a column', () => {
  it.each([
    ['number', ['29.85', ' ', '56.95', '']],
    ['number', [1, null, 2.5]],
    ['number', [1n, 2n, 5n]],
    ['number', ['1', 'NA', '3']],
    ['boolean', [true, false, null]],
    ['boolean', ['true', 'False', '']],
    ['category', ['Yes', 'No', 'Yes']],
    ['category', ['00123', '00456', '00123']],
    ['category', [true, 'maybe', false]],
    ['date', ['2024-01-01', '2024-02-29T12:00:00Z']],
    ['date', [new Date(0), new Date(1e12)]],
    ['constant', []],
    ['constant', [null, undefined, NaN, '']],
    ['constant', ['a', 'a']],
    ['constant', [7, 7, 7]],
    ['category', ['a', 'a', null]],
    ['id', Array.from({ length: 30 }, (_, i) => `user-${i}`)],
    ['id', Array.from({ length: 30 }, (_, i) => i + 1000)],
    ['number', Array.from({ length: 30 }, (_, i) => i * 2)],
    ['text', Array.from({ length: 30 }, (_, i) => `a sentence with number ${i}`)],
    ['text', repeat([{ a: 1 }, [2]], 3)],
  ])('is %s for %o', (type, values) => {
    expect(inferColumnType(values)).toBe(type);
  });
});

const columns: RawColumn[] = [
  { name: 'tenure', values: ['1', '34.5', ' ', 2] },
  { name: 'contract', values: ['monthly', 'yearly', 'monthly', null] },
  { name: 'active', values: [true, 'false', null, 0] },
  { name: 'since', values: ['2024-02-29T13:30:00Z', '1969-12-31', null, new Date('2023-01-02T00:00:00Z')] },
  { name: '__proto__', values: [1, 2, 3, 4] },
];

describe('an encoder', () => {
  const types = { active: 'boolean' } as const;
  const encoder = fitTableEncoder(columns, allRows(columns), {
    choicesOf: () => ({ ...NO_CHOICES, encoding: 'one-hot' }),
    types,
  });

  it('names its columns', () => {
    expect(encoder.columns).toEqual([
      'tenure', 'contract=monthly', 'contract=yearly', 'active', 'since.days', 'since.weekday', 'since.month', 'since.hour',
      'since.year', 'since.day', '__proto__',
    ]); // prettier-ignore
  });

  it('makes the numbers that its names promise', () => {
    const x = encodeTable(encoder, columns);
    // Days count from the earliest date. 29 February 2024 was a Thursday, the last day of 1969 a Wednesday, 2 January 2023 a Monday.
    expect([...rowOf(x, 0)]).toEqual([1, 1, 0, 1, 19_783, 3, 2, 13, 2024, 29, 1]);
    expect([...rowOf(x, 1)]).toEqual([34.5, 0, 1, 0, 0, 2, 12, 0, 1969, 31, 2]);
    expect([...rowOf(x, 2)]).toEqual([NaN, 1, 0, NaN, NaN, NaN, NaN, NaN, NaN, NaN, 3]);
    expect([...rowOf(x, 3)]).toEqual([2, NaN, NaN, 0, 19_360, 0, 1, 0, 2023, 2, 4]);
  });

  it('learns from the training rows alone', () => {
    const learnt = fitTableEncoder(columns, Uint32Array.of(0, 2));
    expect(learnt.features.find(({ name }) => name === 'contract')).toBeUndefined();
    expect(learnt.ignored).toContainEqual({ name: 'contract', type: 'constant' });
  });

  it('gives an unseen category as none of those known, an absent column and an absent feature as missing, without a complaint', () => {
    const out = new Float64Array(encoder.columns.length);
    expect(encodeRow(encoder, { contract: 'weekly' }, out)).toEqual([]);
    expect([...out]).toEqual([NaN, 0, 0, ...repeat([NaN], 8)]);
    expect([...encodeTable(encoder, [{ name: 'tenure', values: [5] }]).values]).toEqual([5, ...repeat([NaN], 10)]);
  });

  it('says which value is wrong, where and what it must be', () => {
    const out = new Float64Array(encoder.columns.length);
    const wrong = { tenure: 'abc', contract: { a: 1 }, active: 'perhaps', since: '31.12.2024', tenyre: 3 };
    expect(encodeRow(encoder, wrong, out)).toEqual([
      { path: 'features.tenure', message: 'must be a finite number or null, got "abc"' },
      { path: 'features.contract', message: 'must be a string, number or boolean or null, got an object' },
      { path: 'features.active', message: 'must be true or false or null, got "perhaps"' },
      {
        path: 'features.since',
        message: 'must be an ISO-8601 date such as 2024-05-31T12:00:00Z or null, got "31.12.2024"',
      },
      {
        path: 'features.tenyre',
        message: 'the model knows no feature of this name: remove it or correct its spelling',
      },
    ]);
    expect(encodeRow(encoder, { tenure: Infinity }, out)).toHaveLength(1);
    expect(encodeRow(encoder, { tenure: '1e999' }, out)).toHaveLength(1);
    expect(encodeRow(encoder, { since: '2024-13-45' }, out)).toHaveLength(1);
  });

  it('takes only own properties for features, whatever their names', () => {
    const out = new Float64Array(encoder.columns.length);
    expect(encodeRow(encoder, {}, out)).toEqual([]);
    expect(out[10]).toBeNaN();
    expect(encodeRow(encoder, JSON.parse('{"__proto__": 7}') as Record<string, unknown>, out)).toEqual([]);
    expect(out[10]).toBe(7);
    expect(encodeRow(encoder, JSON.parse('{"constructor": 7}') as Record<string, unknown>, out)).toHaveLength(1);
  });

  it('takes a date apart into those parts that differ', () => {
    const days = ['2024-03-01', '2024-03-04', '2024-03-09', null];
    const learnt = fitTableEncoder([{ name: 'day', values: days }], Uint32Array.of(0, 1, 2, 3));
    expect(learnt.columns).toEqual(['day.days', 'day.weekday', 'day.day', 'day.weekend']);
    const x = encodeTable(learnt, [{ name: 'day', values: [...days, '2024-02-29T23:00:00Z'] }]);
    // A Friday, a Monday, a Saturday, nothing, and the Thursday before them all.
    expect([0, 1, 2, 3, 4].map((row) => [...rowOf(x, row)])).toEqual([
      [0, 4, 1, 0],
      [3, 0, 4, 0],
      [8, 5, 9, 1],
      [NaN, NaN, NaN, NaN],
      [-1, 3, 29, 0],
    ]);
  });

  it('keeps one part of a date or text that rows only differ in having, and ignores one that all share', () => {
    const values = ['2024-03-01', null, '2024-03-01'];
    const types = { note: 'text' } as const;
    const table = [
      { name: 'day', values },
      { name: 'note', values: ['a b', '', 'a b'] },
      { name: 'same', values: ['2024-03-01', '2024-03-01', '2024-03-01'] },
    ];
    const learnt = fitTableEncoder(table, Uint32Array.of(0, 1, 2), { types });
    expect(learnt.columns).toEqual(['day.days', 'note.characters']);
    expect([...encodeTable(learnt, table).values]).toEqual([0, NaN, 0, 3, NaN, 3]);
    expect(learnt.ignored).toEqual([{ name: 'same', type: 'constant' }]);
  });

  it('reads old encoders, which did not store the parts of a date, as they were', () => {
    const old: TableEncoder = JSON.parse(
      '{"version":1,"features":[{"name":"since","type":"date","start":0,"width":4}],"ignored":[],"columns":["since.days","since.weekday","since.month","since.hour"]}',
    );
    const x = encodeTable(old, [{ name: 'since', values: ['2024-02-29T13:30:00Z'] }]);
    expect([...x.values]).toEqual([19_782, 3, 2, 13]);
  });

  it('sums free text up by its length', () => {
    const values = Array.from({ length: 30 }, (_, i) => `  sentence  ${'very '.repeat(i % 4)} long ${i} `);
    const learnt = fitTableEncoder([{ name: 'note', values }], Uint32Array.from(values.keys()));
    expect(learnt.columns).toEqual(['note.characters', 'note.words', 'note.digits']);
    const out = new Float64Array(3);
    expect(encodeRow(learnt, { note: ' two words 12\u00a07 ' }, out)).toEqual([]);
    expect([...out]).toEqual([14, 4, 3]);
    expect(encodeRow(learnt, { note: null }, out)).toEqual([]);
    expect([...out]).toEqual([NaN, NaN, NaN]);
    expect(encodeRow(learnt, { note: {} }, out)).toEqual([
      { path: 'features.note', message: 'must be a string or null, got an object' },
    ]);
  });

  it('ignores columns of objects', () => {
    const values = Array.from({ length: 30 }, (_, i) => ({ i }));
    const learnt = fitTableEncoder([{ name: 'blob', values }], Uint32Array.from(values.keys()));
    expect(learnt.ignored).toEqual([{ name: 'blob', type: 'text' }]);
  });

  it('accepts the columns it learnt to ignore', () => {
    const withId = [...columns, { name: 'customer', values: ['a', 'a', 'a', 'a'] }];
    const learnt = fitTableEncoder(withId, allRows(withId));
    expect(encodeRow(learnt, { customer: 'b' }, new Float64Array(learnt.columns.length))).toEqual([]);
  });

  it('keeps the most frequent categories where there are too many', () => {
    const values = [...repeat(['a', 'b'], 5), 'c', 'd', 'a'];
    const learnt = fitTableEncoder([{ name: 'v', values }], Uint32Array.from(values.keys()), {
      choicesOf: () => ({ ...NO_CHOICES, mostCategories: 2 }),
    });
    expect(learnt.features[0]!.categories).toEqual([
      { value: 'a', count: 6 },
      { value: 'b', count: 5 },
    ]);
  });

  it('refuses two columns of one name and columns of different lengths', () => {
    expect(() => encodeTable(encoder, [columns[0]!, columns[0]!])).toThrow(/two columns are named "tenure"/);
    expect(() => fitTableEncoder([columns[0]!, { name: 'b', values: [1] }], Uint32Array.of(0))).toThrow(
      /"b" has 1 rows, "tenure" has 4/,
    );
  });

  it('encodes a row as it encodes the table, to the bit, fresh or restored from JSON', () => {
    const anything = fc.oneof(
      fc.double(),
      fc.boolean(),
      fc.string(),
      fc.constantFrom(null, undefined, '', ' 7 ', 'NA', '1e3', '00:00'),
      fc.date(),
      fc.bigInt(),
      fc.constant({}),
    );
    // Mostly of one kind, so that every type of column is met, and with what does not belong there.
    const kinds = [
      fc.oneof(fc.double(), fc.integer(), fc.double().map(String)),
      fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      fc.boolean(),
      fc.oneof(
        fc.date({ noInvalidDate: true }),
        fc
          .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
          .map((date) => date.toISOString()),
        fc.constantFrom('2024-02-29', '1969-12-31T23:59:59+02:00', '2024-01-01 10:00'),
      ),
      fc.lorem({ maxCount: 8 }),
      anything,
    ];
    const types = ['number', 'category', 'boolean', 'date', 'text', undefined] as const;
    const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'valueOf'));
    const column = (columnName: string, rows: number) =>
      fc.nat(kinds.length - 1).chain((kind) => {
        const value = fc.oneof(
          { weight: 9, arbitrary: kinds[kind]! as fc.Arbitrary<unknown> },
          { weight: 1, arbitrary: anything },
        );
        return fc
          .array(value, { minLength: rows, maxLength: rows })
          .map((values) => ({ name: columnName, values, type: types[kind] }));
      });
    const table = fc
      .tuple(fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 12 }))
      .chain(([names, rows]) => fc.tuple(...names.map((columnName) => column(columnName, rows))));
    const choices = fc.record({
      missing: fc.constantFrom('keep', 'drop', 'mean', 'median', 'mode', 'constant'),
      fillNumber: fc.double({ noNaN: true, noDefaultInfinity: true }),
      fillText: fc.constantFrom('missing', 'a'),
      scaling: fc.constantFrom('none', 'standard', 'minmax', 'robust'),
      encoding: fc.constantFrom('ordinal', 'one-hot', 'frequency', 'target'),
      smoothing: fc.constantFrom('auto', 0, 5),
      mostCategories: fc.constantFrom(2, 254),
      outliers: fc.constantFrom(
        undefined,
        { action: 'clip', bounds: { by: 'iqr', factor: 1.5 } },
        { action: 'clip', bounds: { by: 'quantiles', lower: 0.1, upper: 0.9 } },
      ),
    }) as fc.Arbitrary<ColumnChoices>;
    fc.assert(
      fc.property(table, choices, fc.boolean(), (raw, chosenFor, normalize) => {
        const chosen = raw.filter(({ type }) => type !== undefined).map(({ name: n, type }) => [n, type!] as const);
        const rows = raw[0]!.values.length;
        const target = { y: Float64Array.from({ length: rows }, (_, row) => row % 3), classes: 3 };
        const learnt = fitTableEncoder(raw, allRows(raw), {
          choicesOf: () => chosenFor,
          types: Object.fromEntries(chosen),
          normalize,
          target,
        });
        const restored = JSON.parse(JSON.stringify(learnt)) as TableEncoder;
        const x = encodeTable(learnt, raw);
        const out = new Float64Array(learnt.columns.length);
        for (let row = 0; row < x.rows; row++) {
          const features = Object.fromEntries(raw.map(({ name: n, values }) => [n, values[row]]));
          for (const used of [learnt, restored]) {
            encodeRow(used, features, out);
            expect([...out]).toEqual([...rowOf(x, row)]);
          }
        }
        const batch = raw.map(({ name: n, values }) => ({ name: n, kind: 'values' as const, values }));
        expect(encodeBatch(restored, batch, 0, rows).matrix.values).toEqual(x.values);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a label encoder', () => {
  it('orders classes by what they are, not by where they stand', () => {
    expect(fitLabelEncoder(['Yes', 'No', null, 'Yes']).classes).toEqual(['No', 'Yes']);
    expect(fitLabelEncoder([true, false]).classes).toEqual([false, true]);
    expect(fitLabelEncoder([10, 9, 2n, 10]).classes).toEqual([2, 9, 10]);
    expect(fitLabelEncoder(['10', '9', '2', 'b']).classes).toEqual(['2', '9', '10', 'b']);
  });

  it('finds the code of each class, and none for what it has not seen', () => {
    const encoder = fitLabelEncoder(['b', 'a']);
    expect([...encodeLabels(encoder, ['b', 'a', 'c', null])]).toEqual([1, 0, NaN, NaN]);
    expect(decodeLabel(encoder, 1)).toBe('b');
    expect(() => decodeLabel(encoder, 2)).toThrow(/no class 2/);
  });

  it('refuses an object for a class', () => {
    expect(() => fitLabelEncoder(['a', {}])).toThrow(/target of row 1 is an object/);
  });
});
