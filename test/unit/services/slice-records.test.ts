import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sliceRecords } from '../../../services/sources/slice-records.js';

describe('the records of a JSON answer', () => {
  it('are cut out as they were written, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 2, '\t'), (records, indent) => {
        const body = JSON.stringify({ first: { a: [1, '"]}'] }, data: { items: records } }, undefined, indent);
        const slices = sliceRecords(body, 'data.items');
        expect(slices.map((slice) => JSON.parse(slice) as unknown)).toEqual(JSON.parse(JSON.stringify(records)));
        expect(slices.join('')).not.toMatch(/[\r\n]/);
      }),
    );
  });

  it('keep every digit', () => {
    expect(sliceRecords('[{"id": 12345678901234567890, "x": 1.10}]', undefined)).toEqual([
      '{"id": 12345678901234567890, "x": 1.10}',
    ]);
  });

  it('are the body itself, its only list, or the body as one record', () => {
    expect(sliceRecords(' [1, 2]', undefined)).toEqual(['1', '2']);
    expect(sliceRecords('\ufeff{"total": 2, "items": [{"a": 1}, {"a": 2}]}', undefined)).toEqual([
      '{"a": 1}',
      '{"a": 2}',
    ]);
    expect(sliceRecords('{"a": 1}', undefined)).toEqual(['{"a": 1}']);
    expect(() => sliceRecords('{"a": [], "b": []}', undefined)).toThrow(/several lists/);
    expect(() => sliceRecords('{"a": {"b": 1}}', 'a.c')).toThrow(/no "a.c"/);
    expect(() => sliceRecords('{"a": {"b": 1}}', 'a.b')).toThrow(/no list at "a.b"/);
  });
});
