import { describe, expect, it } from 'vitest';
import { countValues } from '../../../console/parts/count-values.js';

describe('the bars of a histogram', () => {
  it('hold every number once, in bins of equal width, the largest too', () => {
    const bars = countValues(Array.from({ length: 100 }, (_, index) => index));
    expect(bars).toHaveLength(24);
    expect(bars.reduce((sum, { rows }) => sum + rows, 0)).toBe(100);
    expect(bars.at(-1)!.rows).toBeGreaterThan(0);
  });

  it('are a bar a value, in their order, where numbers take few values', () => {
    expect(countValues([2, 10, 2, null, 1])).toEqual([
      { value: '1', rows: 1 },
      { value: '2', rows: 2 },
      { value: '10', rows: 1 },
    ]);
  });

  it('are the most frequent texts first, and none where every cell is empty', () => {
    expect(countValues(['b', 'a', 'b'])).toEqual([
      { value: 'b', rows: 2 },
      { value: 'a', rows: 1 },
    ]);
    expect(countValues([null, undefined])).toEqual([]);
  });
});
