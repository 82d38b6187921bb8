import { describe, expect, it } from 'vitest';
import { NAMING_TABLES, wordPattern } from '../../../services/erasure/named-in-text.js';
import { NAMES_NOBODY, NOT_SEARCHED, ROWS_ERASED } from '../../../services/erasure/table-lists.js';
import { BOUNDED_OTHERWISE } from '../../../services/retention/bounded-otherwise.js';
import { EXPIRING_TABLES } from '../../../services/retention/expired-rows.js';
import { readRootFile } from '../../support/deployment-tools.js';

const TABLES = [...readRootFile('prisma/schema.prisma').matchAll(/@@map\("(\w+)"\)/g)]
  .map(([, table]) => table!)
  .toSorted();

describe('every table of the database', () => {
  it('has a bound: days, or a reason why it does not grow for ever', () => {
    const expiring = new Set(EXPIRING_TABLES.map(({ table }) => table));
    expect([...expiring, ...Object.keys(BOUNDED_OTHERWISE)].toSorted()).toEqual(TABLES);
  });

  it('is looked through by an erasure, or says why not, and says what becomes of a person in it', () => {
    const listed = [
      ...ROWS_ERASED,
      ...Object.keys(NAMING_TABLES),
      ...Object.keys(NAMES_NOBODY),
      ...Object.keys(NOT_SEARCHED),
    ];
    expect(listed.toSorted()).toEqual(TABLES);
  });
});

describe('wordPattern', () => {
  it('takes nothing of a name for a sign of a pattern, and no number for a name', () => {
    expect(wordPattern('a.b+c')).toBe(String.raw`(^|[^[:alnum:]_-])a\.b\+c($|[^[:alnum:]_-])`);
    expect(wordPattern('1234')).toBeUndefined();
  });
});
