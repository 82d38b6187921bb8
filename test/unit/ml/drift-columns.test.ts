import { describe, expect, it } from 'vitest';
import { AdaptiveWindow } from '../../../ml/drift/adaptive-window.js';
import type { ComparedColumn } from '../../../ml/drift/column-drift.js';
import { compareCategories } from '../../../ml/drift/compare-categories.js';
import { compareNumbers } from '../../../ml/drift/compare-numbers.js';
import { shareBins } from '../../../ml/drift/share-bins.js';
import { tellDomainsApart } from '../../../ml/drift/domain-classifier.js';
import { startPageHinkley, stepPageHinkley } from '../../../ml/drift/page-hinkley.js';
import { usualCategoryEffect, usualNumberEffect } from '../../../ml/drift/usual-variation.js';
import { createPrng } from '../../../ml/random/prng.js';

const numbers = (values: number[], missing = 0) => ({ values: Float64Array.from(values).sort(), missing });
const gaussians = (rows: number, seed: number, mean = 0, deviation = 1) => {
  const prng = createPrng(seed);
  return numbers(Array.from({ length: rows }, () => mean + deviation * prng.nextGaussian()));
};
const categories = (counts: Record<string, number>, missing = 0) => ({
  counts: new Map(Object.entries(counts)),
  missing,
});

describe('columns compared with their reference', () => {
  it('lays both sides over the same bins, which no single value stretches', () => {
    const reference = gaussians(2000, 1);
    const current = gaussians(500, 2, 3);
    current.values[current.values.length - 1] = 1e9;
    const { distribution } = compareNumbers('x', reference, current) as ComparedColumn;
    const { edges, reference: then, current: now } = distribution!;
    expect([edges.length, then.length, now.length]).toEqual([13, 12, 12]);
    expect(edges.at(-1)).toBeLessThan(10);
    for (const shares of [then, now]) expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(then[0]!).toBeGreaterThan(0);
    expect(now[0]!).toBe(0);
    expect(shareBins(Float64Array.of(4, 4), Float64Array.of(4))).toEqual({
      edges: [4, 4],
      reference: [1],
      current: [1],
    });
    const ends = shareBins(Float64Array.of(-Number.MAX_VALUE), Float64Array.of(Number.MAX_VALUE));
    expect(ends.edges.every(Number.isFinite)).toBe(true);
  });

  it('says which way numbers went, how far, and how many lie outside', () => {
    const found = compareNumbers('x', gaussians(2000, 1), gaussians(500, 2, 1)) as ComparedColumn;
    expect(found.effects[0]).toMatchObject({ measure: 'wasserstein_per_deviation', direction: 'up' });
    expect(found.effects[0]!.raw).toBeGreaterThan(0.8);
    expect(found.effects[0]!.size).toBeLessThan(found.effects[0]!.raw);
    expect(found.p_value).toBeLessThan(1e-12);
    expect(found.out_of_range!.above).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['all values missing now', numbers([1, 2, 3, 4]), numbers([], 50)],
    ['all values missing before', numbers([], 50), numbers([1, 2, 3])],
    ['all values missing on both sides', numbers([], 5), numbers([], 5)],
    ['one row', numbers([1, 2, 3]), numbers([9], 1)],
    ['a constant that stays', numbers([5, 5, 5, 5]), numbers([5, 5])],
    ['a constant that moves', numbers([5, 5, 5, 5]), numbers([6, 6])],
  ])('gives a result of finite numbers for %s', (_, reference, current) => {
    const found = compareNumbers('x', reference, current) as ComparedColumn;
    expect(found.state).toBe('compared');
    expect(found.p_value).toBeGreaterThanOrEqual(0);
    expect(found.p_value).toBeLessThanOrEqual(1);
    for (const { size, raw } of found.effects) expect(Number.isFinite(size) && Number.isFinite(raw)).toBe(true);
  });

  it('tells why nothing can be said of an empty side', () => {
    expect(compareNumbers('x', numbers([]), numbers([1]))).toMatchObject({ reason: 'reference_empty' });
    expect(compareNumbers('x', numbers([1]), numbers([]))).toMatchObject({ reason: 'window_empty' });
    expect(compareNumbers('x', numbers([1]), numbers([1]))).toMatchObject({ reason: 'too_few_rows' });
    expect(compareCategories('x', categories({}), categories({ a: 3 }))).toMatchObject({ reason: 'reference_empty' });
  });

  it('sees more missing values where the values themselves are as they were', () => {
    const found = compareNumbers('x', { ...gaussians(2000, 1), missing: 20 }, { ...gaussians(400, 2), missing: 60 });
    const missing = (found as ComparedColumn).tests.find(({ test }) => test === 'missing_rate')!;
    expect(missing.p_value).toBeLessThan(1e-10);
    expect((found as ComparedColumn).effects.find(({ measure }) => measure === 'missing_share')!.direction).toBe('up');
  });

  it('reports a category that the reference does not have, and none of a column that always has new ones', () => {
    const fresh = compareCategories('x', categories({ a: 3000, b: 2000 }), categories({ a: 280, b: 190, c: 30 }));
    const test = (fresh as ComparedColumn).tests.find((one) => one.test === 'new_categories')!;
    expect(test.p_value).toBeLessThan(1e-9);
    expect((fresh as ComparedColumn).new_categories).toEqual([{ value: 'c', share: 0.06 }]);
    const ids = (from: number, count: number) =>
      categories(Object.fromEntries(Array.from({ length: count }, (_, at) => [`id-${from + at}`, 1])));
    const always = compareCategories('x', ids(0, 1000), ids(1000, 200)) as ComparedColumn;
    expect(always.p_value).toBeGreaterThan(0.05);
  });

  it('knows what a column does by itself', () => {
    const days = Array.from({ length: 14 }, (_, day) => gaussians(300, day));
    expect(usualNumberEffect(days)).toBeLessThan(0.08);
    const weekends = days.map((one, day) => (day % 7 > 4 ? gaussians(300, day, 2) : one));
    expect(usualNumberEffect(weekends)).toBeGreaterThan(1);
    expect(usualNumberEffect(days.slice(0, 2))).toBe(0);
    const shares = (weekend: boolean) => categories(weekend ? { a: 50, b: 150 } : { a: 150, b: 50 });
    expect(usualCategoryEffect(Array.from({ length: 14 }, (_, day) => shares(day % 7 > 4)))).toBeGreaterThan(0.2);
    expect(usualCategoryEffect(Array.from({ length: 14 }, () => shares(false)))).toBe(0);
  });
});

describe('all columns together', () => {
  const matrix = (rows: number, seed: number, correlation: number) => {
    const prng = createPrng(seed);
    const values = new Float64Array(rows * 3);
    for (let row = 0; row < rows; row++) {
      const a = prng.nextGaussian();
      values[row] = a;
      values[rows + row] = correlation * a + Math.sqrt(1 - correlation ** 2) * prng.nextGaussian();
      values[2 * rows + row] = prng.nextGaussian();
    }
    return { rows, columns: 3, values };
  };

  it('sees a correlation that broke, which no column shows alone, and names the two', () => {
    const found = tellDomainsApart(matrix(1500, 1, 0.9), matrix(1000, 2, 0), { seed: 1 })!;
    expect(found.p_value).toBeLessThan(1e-6);
    expect(new Set(found.columns.slice(0, 2).map(({ column }) => column))).toEqual(new Set([0, 1]));
  });

  it('finds nothing where there is nothing, as often as it says', () => {
    const chances = Array.from(
      { length: 60 },
      (_, run) => tellDomainsApart(matrix(120, 2 * run, 0.5), matrix(80, 2 * run + 1, 0.5), { seed: run })!.p_value,
    );
    expect(chances.filter((p) => p < 0.1).length).toBeLessThanOrEqual(14);
    expect(chances.filter((p) => p < 0.001)).toEqual([]);
  });
});

describe('detectors on a stream', () => {
  it('notice a step of a deviation within a hundred values, and nothing in ten thousand steady ones', () => {
    const prng = createPrng(3);
    let state = startPageHinkley();
    const window = new AdaptiveWindow();
    const found: string[] = [];
    for (let at = 0; at < 10_400; at++) {
      const value = prng.nextGaussian() + (at < 10_000 ? 0 : 1);
      const step = stepPageHinkley(state, value);
      state = step.state;
      if (step.change) found.push(`mean ${step.change} ${at < 10_000 ? 'before' : at < 10_100 ? 'soon' : 'later'}`);
      const cut = window.add(value);
      if (cut) found.push(`cut ${at < 10_000 ? 'before' : 'after'}`);
    }
    expect(found.filter((one) => one.endsWith('before'))).toEqual([]);
    expect(found).toContain('mean up soon');
    expect(found).toContain('cut after');
  });

  it('forget what was before a cut', () => {
    const window = new AdaptiveWindow();
    for (let at = 0; at < 2000; at++) window.add(at % 2);
    for (let at = 0; at < 2000; at++) window.add(10 + (at % 2));
    expect(window.window.mean).toBeGreaterThan(9.5);
    expect(() => new AdaptiveWindow(0)).toThrow(RangeError);
  });
});
