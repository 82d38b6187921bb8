import { describe, expect, it } from 'vitest';
import { toCsv } from '../../../console/parts/to-csv.js';

describe('a CSV file of the console', () => {
  it('quotes what would break a row, and ends each row as RFC 4180 says', () => {
    const rows = [{ name: 'a,b', note: 'says "no"\nand more', value: 1.5 }];
    expect(toCsv(['name', 'note', 'value'], rows)).toBe('name,note,value\r\n"a,b","says ""no""\nand more",1.5\r\n');
  });

  it('has no formula for a spreadsheet, but negative numbers', () => {
    expect(toCsv(['x'], [{ x: '=cmd()' }, { x: '@sum' }, { x: -3 }])).toBe("x\r\n'=cmd()\r\n'@sum\r\n-3\r\n");
  });

  it('leaves cells empty that have no value, and writes lists as JSON', () => {
    expect(toCsv(['a', 'b', 'c'], [{ a: null, c: [1, 2] }])).toBe('a,b,c\r\n,,"[1,2]"\r\n');
  });
});
