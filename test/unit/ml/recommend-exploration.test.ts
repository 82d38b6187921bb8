import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { exploreList } from '../../../ml/recommend/explore-list.js';

const ITEMS = 12;
const SCORES = Float64Array.from({ length: ITEMS }, (_, item) => (item === 3 || item === 9 ? -Infinity : ITEMS - item));
const LIST = [0, 1, 2, 4];
const OTHERS = [5, 6, 7, 8, 10, 11];

describe('an explored list', () => {
  it('never holds what may not be in it nor anything twice, and says the chance of each place', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 12 }),
        (seed, share, isAllowed, length) => {
          const scores = Float64Array.from(isAllowed, (allowed, item) => (allowed ? 1 / (1 + item) : -Infinity));
          const list = isAllowed.flatMap((allowed, item) => (allowed ? [item] : [])).slice(0, length);
          const others = isAllowed.filter(Boolean).length - list.length;
          const places = exploreList(list, scores, { share, prng: createPrng(seed) });
          expect(places).toHaveLength(list.length);
          expect(new Set(places.map(({ item }) => item)).size).toBe(list.length);
          places.forEach(({ item, propensity, isExplored }, place) => {
            expect(isAllowed[item]).toBe(true);
            expect(isExplored).toBe(item !== list[place]);
            const isFixed = share === 0 || place < list.length - Math.min(list.length, others);
            expect(propensity).toBe(isFixed ? 1 : isExplored ? share / others : 1 - share);
          });
        },
      ),
    );
  });

  it('is the same for the same draws, and the list itself without any', () => {
    const explore = (share: number, seed: number) => exploreList(LIST, SCORES, { share, prng: createPrng(seed) });
    expect(explore(0.5, 7)).toEqual(explore(0.5, 7));
    expect(explore(0, 7)).toEqual(LIST.map((item) => ({ item, propensity: 1, isExplored: false })));
    expect(() => explore(1.2, 7)).toThrow(/from 0 to 1, got 1.2/);
  });

  it('holds each item at each place as often as its propensity says', () => {
    const [answers, share] = [40_000, 0.3];
    const counts = LIST.map(() => new Int32Array(ITEMS));
    for (let answer = 0; answer < answers; answer++)
      exploreList(LIST, SCORES, { share, prng: createPrng(answer, 1) }).forEach(
        ({ item }, place) => counts[place]![item]!++,
      );
    LIST.forEach((own, place) => {
      for (const item of [own, ...OTHERS]) {
        const p = item === own ? 1 - share : share / OTHERS.length;
        // 28 shares: four standard errors are passed once in 560 runs, and the seeds are fixed.
        expect(Math.abs(counts[place]![item]! / answers - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / answers));
      }
    });
  });

  it('lets what any other list would have earned be estimated without bias', () => {
    const [answers, share] = [60_000, 0.2];
    // Chance of a click on each item at each place; unknown to the estimate.
    const click = (item: number, place: number): number =>
      (0.1 + 0.6 * ((item * 7) % ITEMS)) / ITEMS / (1 + 0.3 * place);
    const rivals = [[11, 5, 0, 7], [0, 1, 2, 4], [8, 1, 10, 4]]; // prettier-ignore
    const totals = rivals.map(() => ({ sum: 0, squares: 0, naive: 0, shown: 0 }));
    const prng = createPrng(99);
    for (let answer = 0; answer < answers; answer++) {
      const places = exploreList(LIST, SCORES, { share, prng: createPrng(answer, 2) });
      const rewards = places.map(({ item }, place) => (prng.next() < click(item, place) ? 1 : 0));
      rivals.forEach((rival, r) => {
        let estimate = 0;
        places.forEach(({ item, propensity }, place) => {
          // A rival's item that is in the list elsewhere cannot be drawn for this place: it is left to those that can.
          if (item === rival[place]) estimate += rewards[place]! / propensity;
        });
        const total = totals[r]!;
        total.sum += estimate;
        total.squares += estimate * estimate;
      });
    }
    rivals.forEach((rival, r) => {
      const reachable = (item: number, place: number): boolean => item === LIST[place] || OTHERS.includes(item);
      const truth = rival.reduce((sum, item, place) => sum + (reachable(item, place) ? click(item, place) : 0), 0);
      const mean = totals[r]!.sum / answers;
      const error = Math.sqrt((totals[r]!.squares / answers - mean * mean) / answers);
      expect(Math.abs(mean - truth)).toBeLessThan(4 * error);
      // The estimate says something: its error is a small part of what is estimated.
      expect(error).toBeLessThan(0.08 * truth);
    });
  });
});
