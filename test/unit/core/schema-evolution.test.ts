import { describe, expect, it } from 'vitest';
import { describeChange, evolveSchema, type FoundColumn } from '../../../core/policy/schema-evolution.js';

const found = (name: string, type: string, more: Partial<FoundColumn> = {}): FoundColumn => ({
  name,
  type,
  isInferred: false,
  isEmpty: false,
  ...more,
});
const one = (from: string, to: string, more?: Partial<FoundColumn>) =>
  evolveSchema([{ name: 'a', type: from }], [found('a', to, more)]);

describe('the evolution of a schema', () => {
  it.each([
    ['integer', 'number'],
    ['integer', 'string'],
    ['date', 'timestamp'],
    ['timestamp', 'string'],
    ['boolean', 'string'],
  ])('takes %s widened to %s with a warning, and stops at the way back', (narrow, wide) => {
    expect(one(narrow, wide)).toEqual({
      changes: [{ column: 'a', change: 'widened', from: narrow, to: wide, verdict: 'warning' }],
      columns: [{ name: 'a', type: wide }],
    });
    expect(one(wide, narrow).changes).toMatchObject([{ change: 'narrowed', verdict: 'stop' }]);
  });

  it('stops at a type that is neither wider nor narrower, and at a lost column', () => {
    expect(one('number', 'timestamp').changes).toMatchObject([{ change: 'changed', verdict: 'stop' }]);
    const lost = evolveSchema([{ name: 'a', type: 'number' }], []);
    expect(lost).toEqual({
      changes: [{ column: 'a', change: 'lost', from: 'number', to: null, verdict: 'stop' }],
      columns: [],
    });
    expect(describeChange(lost.changes[0]!)).toBe('the column a (number) is missing');
  });

  it('takes a new column with a warning, whatever it is called', () => {
    const { changes, columns } = evolveSchema([], [found('__proto__', 'string'), found('constructor', 'number')]);
    expect(changes.map(({ verdict }) => verdict)).toEqual(['warning', 'warning']);
    expect(columns.map(({ name }) => name)).toEqual(['__proto__', 'constructor']);
  });

  it('takes no chance for a change: cells that fit, in a source without types, and columns without cells', () => {
    for (const [from, to] of [
      ['number', 'integer'],
      ['timestamp', 'date'],
    ] as const)
      expect(one(from, to, { isInferred: true })).toEqual({ changes: [], columns: [{ name: 'a', type: from }] });
    expect(one('number', 'string', { isEmpty: true })).toEqual({
      changes: [],
      columns: [{ name: 'a', type: 'number' }],
    });
    expect(one('string', 'integer', { isInferred: true }).changes).toMatchObject([{ verdict: 'stop' }]);
  });
});
