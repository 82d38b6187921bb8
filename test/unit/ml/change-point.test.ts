import { describe, expect, it } from 'vitest';
import { findChangePoint, type Cell } from '../../../ml/drift/change-point.js';
import { createPrng } from '../../../ml/random/prng.js';

const WINDOW = 1000;
const RUNS = 60;

/** Three windows: one before, the first bad one, in which the world changes, and one after it. */
function estimates(before: (draw: () => number) => Cell, after: (draw: () => number) => Cell) {
  return Array.from({ length: RUNS }, (_, seed) => {
    const prng = createPrng(seed + 1);
    const draw = () => prng.nextGaussian();
    const changedAt = WINDOW + Math.floor(prng.next() * WINDOW);
    const cells = Array.from({ length: 3 * WINDOW }, (__, at) => (at < changedAt ? before(draw) : after(draw)));
    const found = findChangePoint(cells, { before: WINDOW, after: WINDOW });
    return { found, error: found === undefined ? Infinity : Math.abs(found - changedAt) };
  });
}
const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;

describe('findChangePoint', () => {
  it.each<[string, (draw: () => number) => Cell, (draw: () => number) => Cell, number]>([
    ['a mean that shifts by half its spread', (draw) => draw(), (draw) => draw() + 0.5, 120],
    ['a mean that shifts by twice its spread', (draw) => draw(), (draw) => draw() + 2, 6],
    ['a spread that doubles', (draw) => draw(), (draw) => 2 * draw(), 80],
    [
      'a category that takes a fifth of the rows',
      (draw) => (draw() > 0 ? 'a' : 'b'),
      (draw) => (draw() > 0.84 ? 'new' : draw() > 0 ? 'a' : 'b'),
      40,
    ],
    ['values that are missing in a third', (draw) => draw(), (draw) => (draw() > 0.43 ? null : draw()), 30],
    ['another unit', (draw) => 20 + draw(), (draw) => 2000 + 100 * draw(), 1],
  ])('finds the moment of %s', (_, before, after, within) => {
    const errors = estimates(before, after).map(({ error }) => error);
    expect(
      quantile(errors, 0.9),
      'rows between the estimate and the change, in nine of ten series',
    ).toBeLessThanOrEqual(within);
  });

  it('says that it cannot tell where nothing changed, or too little is known of a side', () => {
    const same = estimates(
      (draw) => draw(),
      (draw) => draw(),
    );
    expect(same.filter(({ found }) => found !== undefined).length).toBeLessThanOrEqual(3);
    const cells = Array.from({ length: 100 }, (_, at) => (at < 50 ? 0 : 1));
    expect(findChangePoint(cells, { before: 29, after: 50 })).toBeUndefined();
    expect(findChangePoint(cells, { before: 60, after: 60 })).toBeUndefined();
    expect(findChangePoint(cells, { before: 50, after: 50 })).toBe(50);
    expect(findChangePoint([], { before: 0, after: 0 })).toBeUndefined();
  });
});
