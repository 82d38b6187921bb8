import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FilterError, parseRunFilter, parseRunOrder } from '../../../core/schemas/run-filter.js';
import { createSqlBuilder, filterSql } from '../../../services/tracking/run-query.js';

function problemOf(source: string, parse: (source: string) => unknown = parseRunFilter): string {
  try {
    parse(source);
  } catch (error) {
    if (error instanceof FilterError) return error.message;
    throw error;
  }
  return 'none';
}

describe('a filter of runs', () => {
  it('binds `and` before `or`, and `not` before both', () => {
    const parsed = parseRunFilter("metrics.auc > 0.8 or not params.depth = 10 and status in ('failed', 'cancelled')");
    expect(parsed).toEqual({
      kind: 'or',
      terms: [
        { kind: 'compare', field: { kind: 'metric', name: 'auc' }, comparison: '>', value: 0.8 },
        {
          kind: 'and',
          terms: [
            {
              kind: 'not',
              term: { kind: 'compare', field: { kind: 'param', name: 'depth' }, comparison: '=', value: 10 },
            },
            { kind: 'in', field: { kind: 'text', name: 'status' }, values: ['failed', 'cancelled'] },
          ],
        },
      ],
    });
  });

  it('takes names with dots and in backquotes, quotes in quotes, and words in any case', () => {
    expect(parseRunFilter('metrics.label.roc_auc >= -1e-3')).toMatchObject({
      field: { name: 'label.roc_auc' },
      value: -0.001,
    });
    expect(parseRunFilter("params.`a b` == 'it''s'")).toMatchObject({
      field: { name: 'a b' },
      comparison: '=',
      value: "it's",
    });
    expect(parseRunFilter('params.x IS NOT NULL AND Params.y = TRUE'.replace('Params', 'params'))).toMatchObject({
      kind: 'and',
      terms: [{ kind: 'not' }, { value: true }],
    });
  });

  it.each([
    ['', 'character 1: expected a field such as metrics.roc_auc, params.max_depth or status, but it ends here'],
    ['metrics.auc >', 'character 14: expected a number, a text in quotes, true or false, but it ends here'],
    ["metrics.auc > 'high'", "character 15: auc is a number, got 'high'"],
    ['metrics > 1', 'character 1: metrics needs a name: metrics.…'],
    ['accuracy > 1', 'character 1: accuracy is no field; fields: metrics.…'],
    ["status = 'x' extra", 'character 14: expected `and`, `or` or the end, got extra'],
    ["status = 'x", "character 10: the text that begins with ' has no end"],
    ['status = x', 'character 10: expected a number, a text in quotes, true or false, got x'],
    ['(metrics.a = 1', 'character 15: expected `)`, but it ends here'],
    ['metrics.a ; drop table runs', 'character 11: ";" means nothing here'],
    ['metrics.a = 1e999', 'character 13: the number is too large, got 1e999'],
    ["created_at > 'yesterday'", "character 14: created_at is a time such as '2026-01-31'"],
    ['params.a contains 3', 'character 19: contains needs a text in quotes'],
    [`${'('.repeat(30)}metrics.a = 1`, 'character 22: brackets go at most 20 deep, got ('],
    [Array.from({ length: 101 }, () => 'metrics.a = 1').join(' or '), 'character 1701: a filter has at most 100'],
    [' '.repeat(2001), 'character 2001: a filter has at most 2000 characters'],
  ])('says where %s cannot be read', (source, problem) => {
    expect(problemOf(source)).toContain(problem);
  });

  it('never throws anything but its own error, and never puts a word of the caller into the statement', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'metrics.',
        'params.',
        '`',
        "'",
        '"',
        'and',
        'or',
        'not',
        '(',
        ')',
        'in',
        'is',
        'null',
        '=',
        '<',
        '--',
        ';',
        '$1',
      ),
      fc.string({ maxLength: 5 }),
      fc.double().map(String),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        expect(problemOf(words.join(' '))).toBeTypeOf('string');
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.string({ minLength: 3 }), fc.string({ minLength: 3 }), (name, value) => {
        const quoted = name.replaceAll('`', 'x');
        const sql = createSqlBuilder();
        const text = filterSql(parseRunFilter(`params.\`zz${quoted}\` = 'zz${value.replaceAll("'", "''")}'`), sql);
        expect(text).not.toContain('zz');
        expect(sql.values).toContain(`zz${quoted}`);
      }),
    );
  });

  it('sorts by a field in either direction', () => {
    expect(parseRunOrder('metrics.auc desc')).toEqual({ field: { kind: 'metric', name: 'auc' }, isDescending: true });
    expect(parseRunOrder('created_at')).toMatchObject({ isDescending: false });
    expect(problemOf('created_at desc, id', parseRunOrder)).toContain('character 16');
  });
});
