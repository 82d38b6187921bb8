import { describe, expect, it } from 'vitest';
import { findSlices } from '../../../ml/evaluate/slices.js';
import { createPrng } from '../../../ml/random/prng.js';

const ROWS = 1200;

function table(seed: number) {
  const prng = createPrng(seed);
  const of = (value: () => unknown) => Array.from({ length: ROWS }, value);
  return {
    losses: Float64Array.from({ length: ROWS }, () => Math.abs(prng.nextGaussian())),
    columns: [
      { name: 'plan', values: of(() => ['basic', 'plus', 'pro'][prng.nextInt(3)]) },
      { name: 'age', values: of(() => (prng.next() < 0.1 ? null : 20 + 50 * prng.next())) },
      { name: 'since', values: of(() => new Date(1.7e12 + 3e10 * prng.next()).toISOString()) },
      { name: 'name', values: of(() => `n${prng.nextInt(400)}`) },
    ],
  };
}

describe('slices', () => {
  it('puts the group on which the model errs first, with the difference it was given', () => {
    const { losses, columns } = table(1);
    columns[0]!.values.forEach((plan, row) => plan === 'pro' && (losses[row]! += 0.5));
    const found = findSlices({ columns, losses });
    expect(found[0]).toMatchObject({ column: 'plan', slice: 'pro', verdict: 'worse' });
    const truth = 0.5 * (1 - found[0]!.rows / ROWS);
    expect(found[0]!.lower).toBeLessThan(truth);
    expect(found[0]!.upper).toBeGreaterThan(truth);
    expect(found[0]!.lower).toBeGreaterThan(0);
    expect(found.filter(({ column }) => column === 'plan')).toHaveLength(3);
    // Four quarters and the missing ones; a column of many names has no slices.
    expect(found.filter(({ column }) => column === 'age').map(({ slice }) => slice)).toContain('missing');
    expect(found.filter(({ column }) => column === 'age')).toHaveLength(5);
    expect(found.filter(({ column }) => column === 'since')).toHaveLength(4);
    expect(found.some(({ column }) => column === 'name')).toBe(false);
    for (const column of ['plan', 'age', 'since'])
      expect(found.filter((s) => s.column === column).reduce((sum, { rows }) => sum + rows, 0)).toBe(ROWS);
  });

  it('accuses a group in at most about 5 % of the tables where all groups are alike', () => {
    let accused = 0;
    for (let seed = 0; seed < 100; seed++)
      if (findSlices(table(1000 + seed)).some(({ verdict }) => verdict !== 'same')) accused++;
    // 5 % by design (Benjamini-Hochberg under no effect at all): 12 or more of 100 have a chance of 0.4 %.
    expect(accused).toBeLessThan(12);
  });

  it('leaves out slices with too few rows and copes with losses that are all equal', () => {
    const losses = new Float64Array(40).fill(0.1);
    const values = Array.from(losses, (_, row) => (row < 10 ? 'few' : 'many'));
    expect(findSlices({ columns: [{ name: 'c', values }], losses }).map(({ slice }) => slice)).toEqual(['many']);
    const all = findSlices({ columns: [{ name: 'c', values }], losses, minimumRows: 2 });
    expect(all.map(({ pValue, verdict }) => [pValue, verdict])).toEqual([
      [1, 'same'],
      [1, 'same'],
    ]);
    expect(findSlices({ columns: [], losses: new Float64Array(0) })).toEqual([]);
  });

  it('refuses lists that do not fit', () => {
    expect(() => findSlices({ columns: [{ name: 'c', values: [1] }], losses: Float64Array.of(1, 2) })).toThrow(
      /"c" has 1 rows, but there are 2 losses/,
    );
    expect(() => findSlices({ columns: [], losses: Float64Array.of(1, Infinity) })).toThrow(/row 1 is Infinity/);
  });
});
