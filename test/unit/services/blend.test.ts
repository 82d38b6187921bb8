import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { averageEquals } from '../../../services/kinds/tabular/blend.js';
import type { Candidate } from '../../../services/kinds/tabular/candidate.js';
import { fitLinearCandidate } from '../../../services/kinds/tabular/fit-linear.js';

/** A fitted candidate that said of each row's truth, before it had seen it, what is given. */
function candidatesSaying(rows: number, chances: readonly ((row: number) => number)[]) {
  const prng = createPrng(5);
  const x = { rows, columns: 1, values: Float64Array.from({ length: rows }, () => prng.nextGaussian()) };
  const y = Float64Array.from(x.values, (value) => (value + prng.nextGaussian() > 0 ? 1 : 0));
  const folds = Uint8Array.from({ length: rows }, (_, row) => row % 5);
  const fitted = fitLinearCandidate({
    x,
    y,
    folds,
    classes: 2,
    categorical: [],
    isInTime: false,
    hyperparameters: { seed: 1 },
    onProgress: () => {},
  });
  const candidates = chances.map((chance): Candidate => ({
    ...fitted,
    unseen: Float64Array.from({ length: 2 * rows }, (_, at) => {
      const row = at >> 1;
      return at % 2 === y[row] ? chance(row) : 1 - chance(row);
    }),
  }));
  return { candidates, y };
}

const weightsOf = (blend: Candidate | undefined) =>
  blend && Object.values(blend.hyperparameters).map((part) => (part as { weight: number }).weight);

/** Right half of the time where the other is wrong: alike on the whole. */
const even = (row: number) => (row % 2 === 0 ? 0.8 : 0.4);
const odd = (row: number) => (row % 2 === 0 ? 0.4 : 0.8);
const worse = (row: number) => (row % 2 === 0 ? 0.35 : 0.3);

describe('the mean of candidates on few rows', () => {
  it('counts those alike which chance alone tells apart, and leaves out what is surely worse', () => {
    const { candidates, y } = candidatesSaying(200, [even, worse, odd]);
    const mean = averageEquals(candidates, y)!;
    expect(weightsOf(mean)).toEqual([0.5, 0.5]);
    expect(mean.unseen[y[0]!]).toBeCloseTo(0.6, 12);
    expect(mean.model.outputs).toBe(2);
  });

  it('is not made where one is surely the best, nor where rows are many', () => {
    const few = candidatesSaying(200, [even, worse]);
    expect(averageEquals(few.candidates, few.y)).toBeUndefined();
    const many = candidatesSaying(1000, [even, odd]);
    expect(averageEquals(many.candidates, many.y)).toBeUndefined();
  });

  it('stays within what its models may come to', () => {
    const { candidates, y } = candidatesSaying(200, [even, odd]);
    const [one] = candidates;
    const bytes = one!.model.encode().length;
    expect(averageEquals(candidates, y, { model_bytes: 1.5 * bytes })).toBeUndefined();
    expect(weightsOf(averageEquals(candidates, y, { model_bytes: 3 * bytes }))).toEqual([0.5, 0.5]);
  });
});
