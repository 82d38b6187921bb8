import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignFolds, holdoutMask } from '../../../ml/evaluate/folds.js';

function count(values: ArrayLike<number>, wanted: number): number {
  return Array.from(values).filter((value) => value === wanted).length;
}

describe('folds', () => {
  it('differ in size by at most one row, and in each class too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(3), { minLength: 10, maxLength: 200 }),
        fc.integer({ min: 2, max: 7 }),
        fc.nat(),
        (labels, k, seed) => {
          const folds = assignFolds(labels.length, k, { seed, labels });
          const sizes = Array.from({ length: k }, (_, fold) => count(folds, fold));
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          for (const label of new Set(labels)) {
            const inClass = sizes.map(
              (_, fold) => labels.filter((l, row) => l === label && folds[row] === fold).length,
            );
            expect(Math.max(...inClass) - Math.min(...inClass)).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });

  it('never part a group', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 30, maxLength: 200 }), fc.nat(), (groups, seed) => {
        const k = Math.min(4, new Set(groups).size);
        if (k < 2) return;
        const folds = assignFolds(groups.length, k, {
          seed,
          groups: groups.map((group) => `g${group}`),
          labels: groups.map((g) => g % 2),
        });
        const seen = new Map<number, number>();
        groups.forEach((group, row) => {
          expect(seen.get(group) ?? folds[row]).toBe(folds[row]);
          seen.set(group, folds[row]!);
        });
        expect(new Set(folds).size).toBe(k);
      }),
    );
  });

  it('have nearly the same share of positives although groups stay whole', () => {
    const groups = Array.from({ length: 1000 }, (_, row) => row >> 2);
    const labels = groups.map((group) => (group % 5 === 0 ? 1 : 0));
    const folds = assignFolds(1000, 5, { seed: 1, labels, groups });
    for (let fold = 0; fold < 5; fold++) {
      const rows = labels.filter((_, row) => folds[row] === fold);
      expect(Math.abs(rows.length - 200)).toBeLessThanOrEqual(8);
      expect(Math.abs(count(rows, 1) - 40)).toBeLessThanOrEqual(4);
    }
  });

  it('spread a quantity evenly', () => {
    const labels = Array.from({ length: 500 }, (_, row) => (row * 7919) % 500);
    const folds = assignFolds(500, 5, { seed: 2, labels });
    for (let fold = 0; fold < 5; fold++) {
      const mean = labels.reduce((sum, label, row) => sum + (folds[row] === fold ? label / 100 : 0), 0);
      // Tenths of 50 wide: the standard error of a fold's mean is 14.4 / 10.
      expect(Math.abs(mean - 249.5)).toBeLessThan(6);
    }
  });

  it('are the same for the same seed and others for another', () => {
    expect(assignFolds(100, 5, { seed: 1 })).toEqual(assignFolds(100, 5, { seed: 1 }));
    expect(assignFolds(100, 5, { seed: 1 })).not.toEqual(assignFolds(100, 5, { seed: 2 }));
  });

  it('are refused where there are fewer rows or groups than folds', () => {
    expect(() => assignFolds(3, 5, { seed: 1 })).toThrow(/3 rows cannot be dealt into 5 folds/);
    expect(() => assignFolds(6, 5, { seed: 1, groups: [1, 1, 1, 2, 2, 2] })).toThrow(/2 groups cannot/);
  });
});

describe('a holdout', () => {
  /** As a hash would be: evenly spread, and the same for the same name. */
  const unitOf = (name: number) => (name * 0.6180339887498949) % 1;
  const unitsOf = (names: readonly number[]) => names.map(unitOf);
  const numbers = (count: number) => Array.from({ length: count }, (_, row) => row);

  it('has the wanted share of rows and of each class', () => {
    const labels = numbers(1000).map((row) => (row % 10 === 0 ? 1 : 0));
    const mask = holdoutMask(1000, 0.2, { units: unitsOf(numbers(1000)), labels });
    expect(count(mask, 1)).toBe(200);
    expect(labels.filter((label, row) => label === 1 && mask[row] === 1).length).toBe(20);
  });

  it('never parts a unit and comes close to the wanted share', () => {
    const groups = numbers(900).map((row) => Math.floor(Math.sqrt(row)));
    const mask = holdoutMask(900, 0.25, { units: unitsOf(groups) });
    groups.forEach((group, row) => expect(mask[row]).toBe(mask[group * group]));
    expect(Math.abs(count(mask, 1) - 225)).toBeLessThan(30);
  });

  it('leaves a unit that has most rows for training', () => {
    const mask = holdoutMask(100, 0.2, { units: numbers(100).map((row) => (row < 60 ? 0 : row)) });
    expect(mask.slice(0, 60).every((held) => held === 0)).toBe(true);
    expect(count(mask, 1)).toBe(20);
  });

  it('is the same in any order of the rows, and nearly the same in a larger table', () => {
    const names = numbers(2000);
    const labels = names.map((name) => (name % 3 === 0 ? 1 : 0));
    const heldOf = (rows: readonly number[]) => {
      const mask = holdoutMask(rows.length, 0.2, { units: unitsOf(rows), labels: rows.map((name) => labels[name]!) });
      return new Set(rows.filter((_, at) => mask[at] === 1));
    };
    const half = heldOf(names.slice(0, 1000));
    expect(heldOf(names.slice(0, 1000).toReversed())).toEqual(half);
    const all = heldOf(names);
    expect([...half].filter((name) => !all.has(name)).length).toBeLessThan(10);
  });

  it('leaves something on both sides however small the table', () => {
    const units = [0.3, 0.1];
    expect([...holdoutMask(2, 0.01, { units })]).toEqual([0, 1]);
    expect([...holdoutMask(2, 0.99, { units })]).toEqual([0, 1]);
    expect(count(holdoutMask(1, 0.5, { units: [0] }), 1)).toBe(0);
    expect(count(holdoutMask(4, 0.5, { units: [1, 1, 1, 1] }), 1), 'one unit only').toBe(0);
  });
});
