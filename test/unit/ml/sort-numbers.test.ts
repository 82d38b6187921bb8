import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { sortNumbers } from '../../../ml/drift/sort-numbers.js';

/** Whether the numbers are sorted in place, as the engine sorts them. */
function isSortedInPlace(values: Float64Array): boolean {
  const wanted = values.slice().sort();
  return sortNumbers(values) === values && values.every((value, at) => Object.is(value, wanted[at]));
}

describe('sorting numbers', () => {
  it('orders whatever a double can be, and each equal one', () => {
    const special = [0, -0, Infinity, -Infinity, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, 1, -1];
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { maxLength: 50 }), (some) => {
        const pool = [...some, ...special];
        const values = Float64Array.from({ length: 5000 }, (_, at) => pool[(at * 7919) % pool.length]!);
        expect(isSortedInPlace(values)).toBe(true);
      }),
      { seed: 5, numRuns: 30 },
    );
  });

  it.each([0, 1, 511, 512, 60_001])('takes %i of them, also out of the middle of a buffer', (length) => {
    const prng = createPrng(length + 1);
    const buffer = new Float64Array(length + 3).map(() => prng.next() * 2e6 - 1e6);
    const [before, after] = [buffer[0], buffer[length + 1]];
    expect(isSortedInPlace(buffer.subarray(1, length + 1))).toBe(true);
    expect([buffer[0], buffer[length + 1]]).toEqual([before, after]);
    expect(isSortedInPlace(Float64Array.from({ length }, () => Math.floor(prng.next() * 5)))).toBe(true);
  });

  it('orders numbers that differ in their last digits only, such as times', () => {
    const prng = createPrng(3);
    const times = Float64Array.from({ length: 20_000 }, () => -1.7e12 + Math.floor(prng.next() * 1e6));
    expect(isSortedInPlace(times)).toBe(true);
  });
});
