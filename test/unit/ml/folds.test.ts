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
  it('has the wanted share of rows and of each class', () => {
    const labels = Array.from({ length: 1000 }, (_, row) => (row % 10 === 0 ? 1 : 0));
    const mask = holdoutMask(1000, 0.2, { seed: 1, labels });
    expect(count(mask, 1)).toBe(200);
    expect(labels.filter((label, row) => label === 1 && mask[row] === 1).length).toBe(20);
  });

  it('never parts a group and comes close to the wanted share', () => {
    const groups = Array.from({ length: 900 }, (_, row) => Math.floor(Math.sqrt(row)));
    const mask = holdoutMask(900, 0.25, { seed: 4, groups });
    groups.forEach((group, row) => expect(mask[row]).toBe(mask[group * group]));
    expect(Math.abs(count(mask, 1) - 225)).toBeLessThan(30);
  });

  it('leaves something on both sides however small the table', () => {
    expect(count(holdoutMask(2, 0.01, { seed: 1 }), 1)).toBe(1);
    expect(count(holdoutMask(2, 0.99, { seed: 1 }), 1)).toBe(1);
    expect(count(holdoutMask(1, 0.5, { seed: 1 }), 1)).toBe(0);
  });
});
