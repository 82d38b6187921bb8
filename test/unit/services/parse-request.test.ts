import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ServiceError } from '../../../core/errors.js';
import { parseRequest } from '../../../services/parse-request.js';

const schema = z.strictObject({
  name: z.string(),
  inner: z.strictObject({ count: z.int().min(1) }).optional(),
  list: z.array(z.strictObject({ x: z.number() })).optional(),
  features: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

function pathsOf(input: unknown): string[] {
  try {
    parseRequest(schema, input);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code: 'request_invalid', status: 422 });
    return (error as ServiceError).problems.map((problem) => problem.path);
  }
}

describe('a request that does not fit', () => {
  it('is told every place at once, unknown names one by one', () => {
    expect(pathsOf({ inner: { count: 0, a: 1, b: 2 }, list: [{ x: 1 }, { x: 'y' }], more: 1 })).toEqual([
      'name',
      'inner.count',
      'inner.a',
      'inner.b',
      'list.1.x',
      'more',
    ]);
  });

  it.each([[null], [undefined], ['text'], [7], [[]], [true]])('%j is no body', (input) => {
    expect(pathsOf(input)).toEqual(['body']);
  });

  it('may not name what would reach a prototype, at any depth', () => {
    const input: unknown = JSON.parse(
      '{"name": "a", "features": {"__proto__": 1, "constructor": 2, "ok": 3}, "inner": {"count": 1, "prototype": {}}}',
    );
    expect(pathsOf(input)).toEqual(
      expect.arrayContaining(['features.__proto__', 'features.constructor', 'inner.prototype']),
    );
    expect(({} as Record<string, unknown>)['ok']).toBeUndefined();
  });

  it('may hold neither a NUL character nor half a surrogate pair, in values and in names', () => {
    expect(pathsOf({ name: 'a\0', features: { b: '\udc00', 'c\0': 1, whole: '🐈' } })).toEqual([
      'name',
      'features.b',
      'features.c\0',
    ]);
  });

  it('is refused also when it is nested deeper than any stack', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 5000; level++) deep = { a: deep };
    expect(pathsOf({ name: 'a', features: { deep } })).toEqual(['features.deep']);
  });
});

it('a request that fits is given back as the schema makes it', () => {
  expect(parseRequest(schema, { name: 'a', features: { b: 1 } })).toEqual({ name: 'a', features: { b: 1 } });
});
