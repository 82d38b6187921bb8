import { describe, expect, it } from 'vitest';
import { castExpression, chooseType, countTypes, type ColumnType } from '../../../services/datasets/column-types.js';
import {
  isBadExpression,
  reasonsExpression,
  rowRules,
  typedCell,
  type ColumnCheck,
} from '../../../services/datasets/check-rows.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';

const table = (name: string, cells: readonly (string | null)[]) =>
  `CREATE TABLE ${name} AS SELECT row_number() OVER () AS _mlops_row, c FROM (VALUES ${cells.map((cell) => `(${cell === null ? 'NULL' : quoteText(cell)})`).join(', ')}) AS t(c)`;

async function infer(cells: readonly (string | null)[]): Promise<ColumnType | undefined> {
  return withDuckDb(async (connection) => {
    await connection.run(table('t', cells));
    return chooseType((await countTypes(connection, 't', [{ cell: 'c' }]))[0]!);
  });
}

async function cast(cells: readonly (string | null)[], type: ColumnType): Promise<unknown[]> {
  return withDuckDb(async (connection) => {
    await connection.run(table('t', cells));
    const rows = await queryRows<{ v: unknown }>(
      connection,
      `SELECT ${castExpression('c', type)} AS v FROM t ORDER BY _mlops_row`,
    );
    return rows.map((row) => row.v);
  });
}

describe('the type of a text column', () => {
  const many = (cell: string, count = 19) => Array.from({ length: count }, () => cell);
  it.each<[string, (string | null)[], ColumnType]>([
    ['whole numbers', ['1', '-2', ' 3 ', '', null], 'integer'],
    ['whole numbers and a fraction', ['1', '2.5', '3'], 'number'],
    ['numbers in scientific notation', ['1e3', '2.5E-4'], 'number'],
    ['codes with leading zeros', ['01234', '99999'], 'string'],
    ['ids of 19 digits', ['1234567890123456789', '1234567890123456788'], 'string'],
    ['truth values', ['true', 'FALSE', ''], 'boolean'],
    ['zeros and ones', ['0', '1', '1'], 'integer'],
    ['days', ['2024-02-29', '1900-01-01'], 'date'],
    ['times, some of them midnight', ['2024-02-29 12:30', '2024-03-01'], 'timestamp'],
    ['a day that no calendar has', ['2024-02-30', '2024-13-01'], 'string'],
    ['nothing at all', ['', null, ' '], 'string'],
    ['words', ['a', 'b', '1'], 'string'],
    ['19 numbers and one word', [...many('7'), 'x'], 'integer'],
    ['18 numbers and two words', [...many('7', 18), 'x', 'y'], 'string'],
    ['numbers that are none', ['nan', 'inf', '-infinity'], 'string'],
  ])('of %s', async (_title, cells, type) => {
    expect(await infer(cells)).toBe(type);
  });
});

describe('a cell as a type', () => {
  it.each<[ColumnType, (string | null)[], unknown[]]>([
    [
      'integer',
      ['9223372036854775807', '9223372036854775808', '1.0', '+7', '', ' 5 ', '0x10'],
      ['9223372036854775807', null, null, 7, null, 5, null],
    ],
    ['number', ['1.5', 'nan', 'inf', '1e400', '-0'], [1.5, null, null, null, -0]],
    ['boolean', ['yes', 'F', '1', 'maybe', ''], [true, false, true, null, null]],
    ['date', ['2024-02-29', '2023-02-29', 'infinity', ''], ['2024-02-29T00:00:00.000Z', null, null, null]],
    [
      'timestamp',
      ['2024-03-31T03:30:00+02:00', '2024-03-31 03:30', 'infinity', '-infinity', 'soon'],
      ['2024-03-31T01:30:00.000Z', '2024-03-31T03:30:00.000Z', null, null, null],
    ],
    ['json', ['{"a": [1]}', '{', '"x"'], ['{"a": [1]}', null, '"x"']],
    ['string', ['', ' x ', null], ['', ' x ', null]],
  ])('%s', async (type, cells, expected) => {
    expect(await cast(cells, type)).toEqual(expected);
  });
});

describe('the reasons why a row is no good', () => {
  async function reasons(cells: readonly (string | null)[], check: Partial<ColumnCheck>): Promise<string[][]> {
    return withDuckDb(async (connection) => {
      await connection.run(table('t', cells));
      const full: ColumnCheck = { name: 'c', type: 'string', native: false, cell: 'c', value: 'v', ...check };
      const rules = rowRules([full]);
      const rows = await queryRows<{ r: string[]; bad: boolean }>(
        connection,
        `SELECT ${reasonsExpression(rules)} AS r, ${isBadExpression(rules)} AS bad FROM (SELECT *, ${typedCell(full)} AS v FROM t) ORDER BY _mlops_row`,
      );
      expect(rows.map((row) => row.bad)).toEqual(rows.map((row) => row.r.length > 0));
      return rows.map((row) => row.r);
    });
  }

  it('name the column and show the value, cut to 80 characters', async () => {
    const found = await reasons(['1', 'x'.repeat(500), null], { type: 'integer' });
    expect(found).toEqual([[], [`column c: "${'x'.repeat(80)}" is not a whole number`], []]);
  });

  it('hold every expectation, also those with quotes in them', async () => {
    const expectation = { required: true, unique: false, values: ["it's", 'ok'], pattern: "[a-z' ]+" };
    expect(await reasons(["it's", 'ok', 'no', 'NO', null], { expectation })).toEqual([
      [],
      [],
      ["column c: not one of it's, ok"],
      ["column c: not one of it's, ok", "column c: does not match [a-z' ]+"],
      ['column c: empty, but required'],
    ]);
    const range = { required: false, unique: false, minimum: 0, maximum: 1 };
    expect(await reasons(['-0.1', '0', '1', '1.1', ''], { type: 'number', expectation: range })).toEqual([
      ['column c: below the minimum of 0'],
      [],
      [],
      ['column c: above the maximum of 1'],
      [],
    ]);
  });
});
