import { describe, expect, it } from 'vitest';
import { chooseEnsemble } from '../../../ml/ensemble/choose-ensemble.js';
import { crossFittedCost } from '../../../ml/evaluate/cost-threshold.js';
import { createPrng } from '../../../ml/random/prng.js';
import { dominates, firstFront, paretoFronts } from '../../../ml/search/pareto-front.js';

/** Values that each model sees with noise of its own. */
function noisy(noises: readonly number[], rows = 2000) {
  const prng = createPrng(5);
  const truth = Float64Array.from({ length: rows }, () => prng.nextGaussian());
  const answers = noises.map((noise) => truth.map((value) => value + noise * prng.nextGaussian()));
  return { truth, answers, lossOf: (mean: number, row: number) => (mean - truth[row]!) ** 2 };
}

describe('an ensemble that is chosen greedily', () => {
  it('gives models that err apart the shares that their errors deserve, and loses less than the best of them', () => {
    const { answers, lossOf } = noisy([0.5, 0.5, 1]);
    const shares = chooseEnsemble({ answers, lossOf })!;
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1);
    // Inverse variances: 4, 4 and 1.
    [4 / 9, 4 / 9, 1 / 9].forEach((share, at) => expect(shares[at]).toBeCloseTo(share, 1));
    const lossAt = (weights: readonly number[]) =>
      answers[0]!.reduce(
        (sum, _, row) =>
          sum +
          lossOf(
            weights.reduce((mean, w, k) => mean + w * answers[k]![row]!, 0),
            row,
          ),
        0,
      );
    expect(lossAt(shares)).toBeLessThan(0.6 * lossAt([1, 0, 0]));
  });

  it('keeps to what may answer together, down to one model and to none', () => {
    const { answers, lossOf } = noisy([0.5, 0.5, 1]);
    const sizes = [10, 20, 5];
    const within = (most: number) => ({
      answers,
      lossOf,
      isAllowed: (members: readonly number[]) => members.reduce((sum, at) => sum + sizes[at]!, 0) <= most,
    });
    expect(chooseEnsemble(within(15))![1]).toBe(0);
    expect(chooseEnsemble(within(5))).toEqual([0, 0, 1]);
    expect(chooseEnsemble(within(4))).toBeUndefined();
  });

  it('takes one model alone where the others only do harm', () => {
    const { answers, lossOf } = noisy([0.1, 5]);
    expect(chooseEnsemble({ answers, lossOf })![0]).toBe(1);
  });
});

describe('the cost of a model by thresholds of other folds', () => {
  it('does not depend on how the probabilities are scaled, and is what never acting costs where they say nothing', () => {
    const prng = createPrng(3);
    const probabilities = Float64Array.from({ length: 4000 }, () => prng.next());
    const labels = Float64Array.from(probabilities, (p) => Number(prng.next() < p));
    const folds = Uint8Array.from(probabilities, (_, row) => row % 5);
    const costs = { false_positive: 1, false_negative: 4 };
    const told = crossFittedCost({ probabilities, labels, folds, costs });
    const bent = crossFittedCost({ probabilities: probabilities.map((p) => p ** 4), labels, folds, costs });
    expect(bent).toBeCloseTo(told, 10);
    // Acting from 0.2 on: ∫(0..0.2) 4p + ∫(0.2..1) (1 - p) = 0.4.
    expect(told).toBeCloseTo(0.4, 1);
    const blind = crossFittedCost({
      probabilities: probabilities.map(() => 0.5),
      labels,
      folds,
      costs: { false_positive: 9, false_negative: 1 },
    });
    expect(blind).toBeCloseTo(0.5, 1);
  });
});

describe('the first front', () => {
  it('is that of all fronts, in the order of the first loss, also with equal points', () => {
    const prng = createPrng(9);
    for (let objectives = 1; objectives <= 3; objectives++) {
      const points = Array.from({ length: 200 }, () => Array.from({ length: objectives }, () => prng.nextInt(12)));
      const front = firstFront(points);
      expect([...front].sort((a, b) => a - b)).toEqual(paretoFronts(points)[0]);
      front.slice(1).forEach((at, k) => expect(points[at]![0]).toBeGreaterThanOrEqual(points[front[k]!]![0]!));
      expect(front.some((a) => front.some((b) => dominates(points[a]!, points[b]!)))).toBe(false);
    }
  });
});
