import { describe, expect, it } from 'vitest';
import { cellsOf } from '../../../console/parts/cells-of.js';

describe('the cells of a row in quarantine', () => {
  it('are those of a JSON object, as texts, and none of what is no object', () => {
    expect(cellsOf('{"a": "x", "b": 1.5, "c": null, "d": [1], "e": false}')).toEqual({
      a: 'x',
      b: '1.5',
      c: '',
      d: '[1]',
      e: 'false',
    });
    for (const content of ['a,b,c', '[1, 2]', 'null', '7', '{', '']) expect(cellsOf(content)).toEqual({});
  });
});
