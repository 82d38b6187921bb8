import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '../../../services/canonical-json.js';

describe('canonical JSON', () => {
  it('is the same text whatever the order of the names, at any depth', () => {
    const one = { b: [1, { y: null, x: 'é' }], a: true, c: { z: 1, d: 2 } };
    const two = { c: { d: 2, z: 1 }, a: true, b: [1, { x: 'é', y: null }] };
    expect(canonicalJson(one)).toBe(canonicalJson(two));
    expect(digestOf(one)).toBe(digestOf(two));
    expect(canonicalJson(one)).toBe('{"a":true,"b":[1,{"x":"é","y":null}],"c":{"d":2,"z":1}}');
  });

  it('tells apart what is not equal: order in lists, texts and numbers, null and absent', () => {
    const texts = [
      [1, 2],
      [2, 1],
      ['1', 2],
      { a: null },
      {},
      { a: '' },
      { a: 0 },
      { a: false },
      [[1], 2],
      null,
      'null',
    ];
    expect(new Set(texts.map(canonicalJson)).size).toBe(texts.length);
  });

  it('leaves out what JSON leaves out, and reads back as JSON does', () => {
    const value = { a: undefined, b: [undefined, 1], '"quoted"\n': '\u2028' };
    expect(canonicalJson(value)).toBe('{"\\"quoted\\"\\n":"\u2028","b":[null,1]}');
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it('gives a digest of 64 hexadecimal digits', () => {
    expect(digestOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});
