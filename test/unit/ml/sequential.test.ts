import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { normalCdf } from '../../../ml/search/normal-distribution.js';
import { armAt, armPropensities, type ArmPosterior } from '../../../ml/sequential/arm-propensities.js';
import { clusteredRatio, type ClusterSums } from '../../../ml/sequential/clustered-ratio.js';
import { informationToTell, sequenceMultiplier } from '../../../ml/sequential/confidence-sequence.js';
import { adjustedDifference, type CovariateGroup } from '../../../ml/sequential/covariate-adjustment.js';
import { logEventSplitEvidence } from '../../../ml/sequential/event-split-test.js';
import { addDecision, inversePropensityMean } from '../../../ml/sequential/inverse-propensity.js';
import { logGamma } from '../../../ml/sequential/log-gamma.js';
import { informationNeeded, planExperiment } from '../../../ml/sequential/power-plan.js';
import { logRareRateEvidence } from '../../../ml/sequential/rare-rate-test.js';
import { logSplitEvidence } from '../../../ml/sequential/split-test.js';
import { readGolden } from './golden.js';

const golden = readGolden<{
  clustered: { sums: ClusterSums; ratio: number; variance: number }[];
  adjusted: { groups: [CovariateGroup, CovariateGroup]; difference: number; variance: number };
  split: { counts: number[]; shares: number[]; log: number }[];
  eventSplit: { first: number; second: number; share: number; log: number }[];
  rare: { events: number; trials: number; bound: number; log: number }[];
  propensities: { arms: ArmPosterior[]; chances: number[] }[];
  logGamma: [number, number][];
}>('sequential.json');

describe('a ratio over clusters', () => {
  it('has the mean and the clustered variance of statsmodels', () => {
    for (const { sums, ratio, variance } of golden.clustered) {
      const ours = clusteredRatio(sums);
      expect(ours.ratio).toBeCloseTo(ratio, 12);
      // The same formula from sums of squares loses a few digits to cancellation.
      expect(ours.variance / variance).toBeCloseTo(1, 9);
    }
  });

  it('weighs one bot as one entity', () => {
    const sums = { entities: 11, requests: 1010, total: 0, requestsSquared: 1e6 + 10, totalSquared: 0, crossed: 0 };
    expect(clusteredRatio(sums).evenEntities).toBeCloseTo(1.02, 2);
  });

  it('refuses sums that no clusters have', () => {
    const sums = { entities: 10, requests: 10, total: 5, requestsSquared: 10, totalSquared: 5, crossed: 5 };
    for (const wrong of [
      { entities: NaN },
      { entities: 11 },
      { crossed: 8 },
      { requestsSquared: 9 },
      { total: Infinity },
    ])
      expect(() => clusteredRatio({ ...sums, ...wrong })).toThrow(RangeError);
  });
});

describe('the confidence sequence', () => {
  /** The mixture's e-value where the estimate stands at the bound, by theorem 2.2 and its one-sided form, without the bound's closed form. */
  const evidenceAt = (clock: number, alpha: number, sides: 1 | 2) => {
    const level = sides === 1 ? 2 * alpha : alpha;
    const doubled = -2 * Math.log(level);
    const time = clock * (doubled + Math.log(doubled + 1));
    const z = sequenceMultiplier(clock, alpha, sides);
    const normal = Math.exp((z * z * time) / (2 * (time + 1))) / Math.sqrt(time + 1);
    return sides === 2 ? normal : 2 * normal * normalCdf(z * Math.sqrt(time / (time + 1)));
  };

  it('is where the mixture martingale reaches 1 / alpha, two-sided to the digit, one-sided just above', () => {
    for (const alpha of [0.001, 0.01, 0.05])
      for (const clock of [1e-4, 0.01, 0.3, 1, 10, 1e5]) {
        expect(evidenceAt(clock, alpha, 2) * alpha).toBeCloseTo(1, 9);
        // The closed form of the one-sided bound is conservative, most so early on.
        expect(evidenceAt(clock, alpha, 1) * alpha).toBeGreaterThan(1);
        expect(evidenceAt(clock, alpha, 1) * alpha).toBeLessThan(2);
      }
  });

  it('is tightest, over the standard error of a fixed sample, near clock 1', () => {
    const at = (clock: number) => sequenceMultiplier(clock, 0.05, 2);
    expect(at(1)).toBeLessThan(at(0.05));
    expect(at(1)).toBeLessThan(at(20));
    expect(at(1)).toBeGreaterThan(1.96);
    expect(at(1)).toBeLessThan(3.2);
  });

  it('holds its chance of error for a walk that is watched at every one of 3,000 steps', () => {
    // 1,000 walks: the standard error at 5 % is 0.7 %, so 7 % is three of them above the promise.
    let crossed = 0;
    for (let run = 0; run < 1000; run++) {
      const prng = createPrng(11, run);
      let sum = 0;
      for (let step = 1; step <= 3000; step++) {
        sum += prng.nextGaussian();
        if (sum > Math.sqrt(step) * sequenceMultiplier(step / 300, 0.05, 1)) {
          crossed++;
          break;
        }
      }
    }
    expect(crossed / 1000).toBeLessThan(0.07);
    // A bound for one look would be crossed by about a third of them: the test can fail.
    expect(crossed).toBeGreaterThan(2);
  });

  it('refuses a clock before the first information and an alpha that is none', () => {
    expect(() => sequenceMultiplier(0, 0.05, 1)).toThrow(RangeError);
    expect(() => sequenceMultiplier(1, 0.7, 1)).toThrow(RangeError);
    expect(() => informationToTell(0, 0.05, 1)).toThrow(RangeError);
  });
});

describe('the exact tests', () => {
  it('have the likelihood ratios of SciPy', () => {
    for (const { first, second, share, log } of golden.eventSplit)
      expect(logEventSplitEvidence(first, second, share)).toBeCloseTo(log, 9);
    for (const { events, trials, bound, log } of golden.rare)
      expect(logRareRateEvidence(events, trials, bound)).toBeCloseTo(log, 9);
    for (const { counts, shares, log } of golden.split) expect(logSplitEvidence(counts, shares)).toBeCloseTo(log, 8);
    for (const [x, log] of golden.logGamma) expect(logGamma(x) / (log || 1)).toBeCloseTo(log ? 1 : 0, 11);
  });

  it('are fair bets: their expectation stays at most 1 while nothing is wrong', () => {
    const choose = (n: number, k: number) => Math.exp(logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1));
    const expectation = (n: number, p: number, log: (k: number) => number) => {
      let sum = 0;
      for (let k = 0; k <= n; k++) sum += choose(n, k) * p ** k * (1 - p) ** (n - k) * Math.exp(log(k));
      return sum;
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (n, share) => {
        expect(expectation(n, share, (k) => logEventSplitEvidence(k, n - k, share))).toBeLessThan(1 + 1e-8);
        expect(expectation(n, share * 0.7, (k) => logEventSplitEvidence(k, n - k, share))).toBeLessThan(1 + 1e-8);
        expect(expectation(n, share, (k) => logRareRateEvidence(k, n, share))).toBeLessThan(1 + 1e-8);
        expect(expectation(n, share, (k) => logSplitEvidence([k, n - k], [share, 1 - share]))).toBeLessThan(1 + 1e-8);
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it('refuse counts that are none', () => {
    expect(() => logEventSplitEvidence(-1, 0)).toThrow(RangeError);
    expect(() => logRareRateEvidence(3, 2, 0.1)).toThrow(RangeError);
    expect(() => logSplitEvidence([1, 2], [0.5, 0.4])).toThrow(RangeError);
    expect(() => logSplitEvidence([1], [1])).toThrow(RangeError);
  });
});

describe('the adjustment by what came before', () => {
  it('is the analysis of covariance of statsmodels', () => {
    const { groups, difference, variance } = golden.adjusted;
    const ours = adjustedDifference(groups[0], groups[1]);
    expect(ours.difference).toBeCloseTo(difference, 9);
    expect(ours.variance / variance).toBeCloseTo(1, 6);
    expect(ours.varianceRemoved).toBeGreaterThan(0.8);
  });

  it('leaves the difference alone where one group has no covariate', () => {
    const { before: _before, ...plain } = golden.adjusted.groups[0];
    const ours = adjustedDifference(plain, golden.adjusted.groups[1]);
    expect(ours.varianceRemoved).toBe(0);
  });
});

describe('planning', () => {
  it('promises a power that a simulation reaches', () => {
    const question = { effect: 0.5, alpha: 0.05, sides: 2, power: 0.8 } as const;
    const needed = informationNeeded(question);
    const tuned = informationToTell(question.effect, question.alpha, question.sides);
    let found = 0;
    for (let run = 0; run < 1000; run++) {
      const prng = createPrng(12, run);
      let score = 0;
      for (let look = 1; look <= 50; look++) {
        const information = (needed * look) / 50;
        score += (question.effect * needed) / 50 + Math.sqrt(needed / 50) * prng.nextGaussian();
        if (score / Math.sqrt(information) > sequenceMultiplier(information / tuned, 0.05, 2)) {
          found++;
          break;
        }
      }
    }
    // At least the promised 80 % (less three standard errors), and not so much more that the plan would be a waste.
    expect(found / 1000).toBeGreaterThan(0.76);
    expect(found / 1000).toBeLessThan(0.92);
  });

  it('turns traffic into days and days into the smallest effect', () => {
    const question = { effect: 0.01, alpha: 0.05, sides: 2, power: 0.8, deviation: 0.3, weights: [0.5, 0.5] } as const;
    const plan = planExperiment({ ...question, entitiesPerDay: 1000, mostDays: 56 });
    expect(plan.days).toBeCloseTo(plan.entities / 1000, 9);
    const twice = planExperiment({ ...question, entitiesPerDay: 2000, mostDays: 56 });
    expect(twice.days).toBeCloseTo(plan.days / 2, 6);
    expect(twice.smallestEffect).toBeLessThan(plan.smallestEffect);
    expect(planExperiment({ ...question, entitiesPerDay: 0, mostDays: 56 })).toMatchObject({
      days: Infinity,
      smallestEffect: Infinity,
    });
    // By the plan's own account, as many days as it asks for are just enough.
    const justEnough = planExperiment({ ...question, entitiesPerDay: 1000, mostDays: plan.days });
    expect(justEnough.smallestEffect).toBeCloseTo(0.01, 5);
  });
});

describe('Thompson sampling', () => {
  it('has the chances of SciPy, integrated, for beta and normal posteriors', () => {
    for (const { arms, chances } of golden.propensities)
      armPropensities(arms, 0).forEach((chance, arm) => expect(Math.abs(chance - chances[arm]!)).toBeLessThan(1e-4));
  });

  it('keeps the floor, sums to 1, and gives two equals the same', () => {
    const arms: ArmPosterior[] = [
      { kind: 'bernoulli', successes: 900, failures: 100 },
      { kind: 'bernoulli', successes: 1, failures: 99 },
      { kind: 'bernoulli', successes: 1, failures: 99 },
    ];
    const chances = armPropensities(arms, 0.05);
    expect(Array.from(chances, (chance) => Number(chance.toFixed(6)))).toEqual([0.9, 0.05, 0.05]);
    expect(armAt(chances, 0)).toBe(0);
    expect(armAt(chances, 0.92)).toBe(1);
    expect(armAt(chances, 0.999999)).toBe(2);
    expect(() => armPropensities([])).toThrow(RangeError);
    expect(() => armPropensities(arms, 0.34)).toThrow(RangeError);
    expect(() => armPropensities([{ kind: 'gaussian', mean: 0, deviation: 0 }])).toThrow(RangeError);
  });

  it('gives estimates without bias, where the plain mean of an arm is too low', () => {
    const truth = [0.3, 0.3];
    let weighted = 0;
    let plain = 0;
    let covered = 0;
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const { sums, mean } = playTwoArms(truth, 200, createPrng(13, run));
      const estimate = inversePropensityMean(sums, 0.5);
      weighted += estimate.mean / runs;
      plain += mean / runs;
      if (Math.abs(estimate.mean - 0.3) < 1.96 * Math.sqrt(estimate.variance)) covered++;
    }
    // The standard error of either mean over 400 runs is about 0.004.
    expect(Math.abs(weighted - 0.3)).toBeLessThan(0.012);
    expect(plain).toBeLessThan(0.288);
    expect(covered / runs).toBeGreaterThan(0.9);
  });
});

/** A Thompson-sampled experiment of two arms; the first one's sums and plain mean. */
function playTwoArms(truth: readonly number[], rounds: number, prng: ReturnType<typeof createPrng>) {
  let sums = { decisions: 0, weights: 0, weightsSquared: 0, rewards: 0, rewardsWeighted: 0, rewardsSquared: 0 };
  const counts = truth.map(() => ({ kind: 'bernoulli' as const, successes: 0, failures: 0 }));
  let chances = armPropensities(counts, 0.05);
  for (let round = 0; round < rounds; round++) {
    if (round % 10 === 0) chances = armPropensities(counts, 0.05);
    const arm = armAt(chances, prng.next());
    const reward = prng.next() < truth[arm]! ? 1 : 0;
    if (reward) counts[arm]!.successes++;
    else counts[arm]!.failures++;
    sums = arm === 0 ? addDecision(sums, chances[0], reward) : addDecision(sums);
  }
  const { successes, failures } = counts[0]!;
  return { sums, mean: successes / Math.max(1, successes + failures) };
}
