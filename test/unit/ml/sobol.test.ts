import { describe, expect, it } from 'vitest';
import { SobolSequence } from '../../../ml/search/sobol.js';
import { readGolden } from './golden.js';

interface SobolGolden {
  cases: { index: number; point: number[] }[];
}

describe('the Sobol sequence', () => {
  it('has the very points that SciPy has, in 64 dimensions', () => {
    const sequence = new SobolSequence(64);
    const { cases } = readGolden<SobolGolden>('sobol.json');
    expect(cases.length).toBeGreaterThan(30);
    for (const { index, point } of cases) expect(Array.from(sequence.at(index), (x) => x * 65536)).toEqual(point);
  });

  it('scrambled, still puts one of its first 2^m points into each of 2^m slices of every dimension', () => {
    for (const seed of [0, 1, 2]) {
      const sequence = new SobolSequence(21, seed);
      const points = Array.from({ length: 64 }, (_, index) => sequence.at(index));
      for (let d = 0; d < 21; d++) {
        const slices = new Set(points.map((point) => Math.floor(point[d]! * 64)));
        expect(slices.size).toBe(64);
      }
    }
  });

  it('scrambled, is another one for each seed, the same one for the same, and has no origin', () => {
    const first = new SobolSequence(3, 1).at(0);
    expect(new SobolSequence(3, 1).at(0)).toEqual(first);
    expect(new SobolSequence(3, 2).at(0)).not.toEqual(first);
    expect(Math.min(...first)).toBeGreaterThan(0);
  });

  it('scrambled, integrates a smooth function better than as many random points', () => {
    // The mean of Π 3x² over the cube is 1; 1,024 random points are off by sqrt((9/5)^4 - 1) / 32 = 0.096 (one standard error).
    const sequence = new SobolSequence(4, 5);
    let sum = 0;
    for (let index = 0; index < 1024; index++) sum += sequence.at(index).reduce((a, x) => a * 3 * x * x, 1);
    expect(Math.abs(sum / 1024 - 1)).toBeLessThan(0.03);
  });

  it('refuses dimensions and points that it has not', () => {
    expect(() => new SobolSequence(65)).toThrow(/1 to 64 dimensions, got 65/);
    expect(() => new SobolSequence(2).at(-1)).toThrow(/points 0 to/);
  });
});
