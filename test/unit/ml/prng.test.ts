import { describe, expect, it } from 'vitest';
import { createPrng, shuffle } from '../../../ml/random/prng.js';

describe('a generator', () => {
  it('gives the same numbers for the same seed on every machine', () => {
    const prng = createPrng(42, 7);
    const drawn = [prng.next(), prng.nextInt(1000), prng.nextGaussian(), prng.nextGaussian()];
    const again = createPrng(42, 7);
    expect([again.next(), again.nextInt(1000), again.nextGaussian(), again.nextGaussian()]).toEqual(drawn);
    expect(drawn).toMatchInlineSnapshot(`
      [
        0.5910778497617993,
        942,
        0.28892197962091376,
        0.9482261242807543,
      ]
    `);
  });

  it('gives unrelated numbers for neighbouring seeds and streams', () => {
    const firsts = new Set<number>();
    for (let seed = -50; seed < 50; seed++)
      for (let stream = 0; stream < 50; stream++) firsts.add(createPrng(seed, stream).next());
    expect(firsts.size).toBe(5000);
    const mean = [...firsts].reduce((a, b) => a + b, 0) / 5000;
    // Five standard errors of the mean of 5,000 uniform numbers.
    expect(Math.abs(mean - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(5000));
  });

  it('tells a path of streams from a longer one', () => {
    expect(createPrng(1).next()).not.toBe(createPrng(1, 0).next());
    expect(createPrng(1, 0).next()).not.toBe(createPrng(1, 0, 0).next());
    expect(createPrng(1).next()).not.toBe(createPrng(1 + 2 ** 32).next());
  });

  it('fills the buckets of nextInt evenly', () => {
    const prng = createPrng(3);
    const counts = new Float64Array(10);
    for (let i = 0; i < 100_000; i++) counts[prng.nextInt(10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // The 99.99 % point of chi-square with 9 degrees of freedom.
    expect(chiSquare).toBeLessThan(33.7);
  });

  it('draws normal deviates of mean 0 and variance 1', () => {
    const prng = createPrng(4);
    const drawn = Array.from({ length: 50_000 }, () => prng.nextGaussian());
    const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    const variance = drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(50_000));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 50_000));
  });

  it('refuses a seed that is no whole number', () => {
    expect(() => createPrng(1.5)).toThrow(/whole numbers/);
    expect(() => createPrng(1, NaN)).toThrow(/whole numbers/);
  });
});

describe('shuffle', () => {
  it('keeps the items and reaches every order', () => {
    const orders = new Set<string>();
    const prng = createPrng(5);
    for (let i = 0; i < 500; i++) orders.add(shuffle([1, 2, 3], prng).join(''));
    expect([...orders].sort()).toEqual(['123', '132', '213', '231', '312', '321']);
  });
});
