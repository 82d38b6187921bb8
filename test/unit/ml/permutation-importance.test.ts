import { describe, expect, it } from 'vitest';
import { permutationImportance } from '../../../ml/evaluate/permutation-importance.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng } from '../../../ml/random/prng.js';
import { matrixOf } from './matrix-of.js';

const prng = createPrng(5);
const rows = Array.from({ length: 400 }, () => Array.from({ length: 4 }, () => prng.nextGaussian()));
const x = matrixOf(rows);
const y = Float64Array.from(rows, (row) => 3 * row[0]! + row[1]! + row[2]! + 0.5 * prng.nextGaussian());
/** A model that is right about all columns, the last of which means nothing. */
const predict = (m: FeatureMatrix): Float64Array =>
  Float64Array.from({ length: m.rows }, (_, r) => 3 * m.values[r]! + m.values[m.rows + r]! + m.values[2 * m.rows + r]!);
const lossOf = (answers: Float64Array): Float64Array => answers.map((answer, row) => (answer - y[row]!) ** 2);
const groups = [
  { name: 'useless', columns: [3] },
  { name: 'pair', columns: [1, 2] },
  { name: 'strong', columns: [0] },
];

describe('permutation importance', () => {
  it('orders features by what they are worth, in the size that theory gives', () => {
    const found = permutationImportance({ x, predict, lossOf, groups, seed: 1 });
    expect(found.map(({ name }) => name)).toEqual(['strong', 'pair', 'useless']);
    // Shuffling adds twice the variance of what the feature contributes to the answers.
    const spreadOf = (part: (row: number[]) => number): number => {
      const mean = rows.reduce((sum, row) => sum + part(row) / 400, 0);
      return rows.reduce((sum, row) => sum + (part(row) - mean) ** 2 / 400, 0);
    };
    expect(found[0]!.increase / (2 * spreadOf((row) => 3 * row[0]!))).toBeCloseTo(1, 0.5);
    expect(found[1]!.increase / (2 * spreadOf((row) => row[1]! + row[2]!))).toBeCloseTo(1, 0.5);
    for (const { lower, increase, upper } of found.slice(0, 2)) expect((upper - lower) / increase).toBeLessThan(0.5);
    expect(found.map(({ matters }) => matters)).toEqual([true, true, false]);
    expect(found[2]).toMatchObject({ increase: 0, lower: 0, upper: 0 });
  });

  it('is the same for the same seed, another for another, and leaves the matrix as it was', () => {
    const before = x.values.slice();
    const of = (seed: number) => permutationImportance({ x, predict, lossOf, groups, seed, repeats: 2 });
    expect(of(3)).toEqual(of(3));
    expect(of(4)).not.toEqual(of(3));
    expect(x.values).toEqual(before);
  });

  it('holds its level for a column the model uses but should not', () => {
    // The column is noise to the target, and half the time its shuffle helps: the increase is 0 on average.
    let wrong = 0;
    for (let trial = 0; trial < 100; trial++) {
      const draw = createPrng(trial, 9);
      const table = matrixOf(Array.from({ length: 60 }, () => [draw.nextGaussian(), draw.nextGaussian()]));
      const [found] = permutationImportance({
        x: table,
        predict: (m) => m.values.slice(0, m.rows),
        lossOf: (answers) => answers.map((answer, row) => (answer - table.values[60 + row]!) ** 2),
        groups: [{ name: 'noise', columns: [0] }],
        seed: trial,
      });
      if (found!.matters) wrong++;
    }
    // One-sided 2.5 %: 8 or more of 100 have a chance of 0.4 %.
    expect(wrong).toBeLessThan(8);
  });

  it('says nothing for sure from one row, and refuses what does not fit', () => {
    const one = matrixOf([rows[0]!]);
    const input = { x: one, predict, lossOf: (a: Float64Array) => a.map(Math.abs), groups, seed: 0 };
    expect(permutationImportance(input).some(({ matters }) => matters)).toBe(false);
    expect(() => permutationImportance({ ...input, groups: [{ name: 'a', columns: [4] }] })).toThrow(
      /feature a has column 4, but the matrix has 4/,
    );
    expect(() => permutationImportance({ ...input, lossOf: () => Float64Array.of(NaN) })).toThrow(/row 0 is NaN/);
    expect(() => permutationImportance({ ...input, x: matrixOf([]) })).toThrow(/got none/);
    expect(() => permutationImportance({ ...input, repeats: 0 })).toThrow(/from 1, got 0/);
  });
});
