import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { normalCdf } from '../../../ml/search/normal-distribution.js';
import { armAt, armPropensities, type ArmPosterior } from '../../../ml/sequential/arm-propensities.js';
import { clusteredRatio, type ClusterSums } from '../../../ml/sequential/clustered-ratio.js';
import { informationToTell, sequenceMultiplier } from '../../../ml/sequential/confidence-sequence.js';
import { adjustedDifference, type CovariateGroup } from '../../../ml/sequential/covariate-adjustment.js';
import { logEventSplitEvidence } from '../../../ml/sequential/event-split-test.js';
import {
  inversePropensityDifference,
  inversePropensityRatio,
  type PropensityCell,
} from '../../../ml/sequential/inverse-propensity.js';
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
});

describe('the inverse-propensity estimate', () => {
  it('is unbiased to the last digit: over all draws of a small stratum it averages to the true difference', () => {
    const values = [
      [5, 9],
      [1, 2],
      [4, 4],
      [7, 3],
    ] as const;
    const propensity = 0.3;
    let mean = 0;
    // Each of the 16 ways in which four entities can be drawn, by its chance.
    for (let draw = 0; draw < 16; draw++) {
      const isOurs = values.map((_, at) => (draw >> at) & 1);
      const chance = isOurs.reduce((product, ours) => product * (ours ? propensity : 1 - propensity), 1);
      const cells = [1, 0].map((side) =>
        cellOf(
          values.filter((_, at) => isOurs[at] === side).map((pair) => pair[1 - side]!),
          side ? propensity : 1 - propensity,
        ),
      );
      mean += chance * inversePropensityDifference([cells], 0, 1).difference;
    }
    const truth = values.reduce((sum, [ours, theirs]) => sum + ours - theirs, 0) / values.length;
    expect(mean).toBeCloseTo(truth, 12);
  });

  it('is the plain difference, and its variance about the plain one, where the chances never changed', () => {
    const prng = createPrng(17);
    const groups = [0.5, 0.4].map((level) => Array.from({ length: 2000 }, () => level + prng.nextGaussian()));
    const cells = groups.map((values) => cellOf(values, 0.5));
    const { difference, variance } = inversePropensityDifference([cells], 0, 1);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(difference).toBeCloseTo(mean(groups[0]!) - mean(groups[1]!), 3);
    expect(variance / (2 / 2000)).toBeCloseTo(1, 1);
    const { ratio, evenEntities } = inversePropensityRatio([cells[0]!]);
    expect(ratio).toBeCloseTo(mean(groups[0]!), 12);
    expect(evenEntities).toBeCloseTo(2000, 8);
  });

  it('weighs strata by their entities, not by whom an arm happened to get', () => {
    // The first stratum is worth 10 to both arms and the second 0; one arm has most of the first, the other of the second.
    const strata = [
      [
        cellOf(
          Array.from({ length: 900 }, () => 10),
          0.9,
        ),
        cellOf(
          Array.from({ length: 100 }, () => 10),
          0.1,
        ),
      ],
      [
        cellOf(
          Array.from({ length: 100 }, () => 0),
          0.1,
        ),
        cellOf(
          Array.from({ length: 900 }, () => 0),
          0.9,
        ),
      ],
    ];
    expect(inversePropensityDifference(strata, 0, 1).difference).toBeCloseTo(0, 12);
  });

  it('lets those that are left stand for a stratum when an arm is taken out', () => {
    const of = (value: number, count: number, chance: number) =>
      cellOf(
        Array.from({ length: count }, () => value),
        chance,
      );
    // The third arm had half of the first stratum and was taken back: it still counts as much as the second.
    const strata = [
      [of(3, 250, 0.25), of(1, 250, 0.25)],
      [of(5, 500, 0.5), of(1, 500, 0.5)],
    ];
    // Each value is held against the others of its stratum: a factor of N / (N - 1).
    expect(inversePropensityDifference(strata, 0, 1).difference).toBeCloseTo(
      (2 * (500 / 499) + 4 * (1000 / 999)) / 2,
      9,
    );
  });

  it('takes out what entities were like before', () => {
    const prng = createPrng(18);
    const cells = [0.3, 0.7].map((propensity, side) => {
      const past = Array.from({ length: 1000 * (side + 1) }, () => 10 * prng.nextGaussian());
      return cellOf(
        past.map((x) => x + side + prng.nextGaussian()),
        propensity,
        past,
      );
    });
    const { difference, varianceRemoved } = inversePropensityDifference([cells], 1, 0);
    expect(varianceRemoved).toBeGreaterThan(0.9);
    expect(Math.abs(difference - 1)).toBeLessThan(0.2);
  });

  it('divides ratios by what was counted, and refuses chances that none can be', () => {
    const busy = { ...cellOf([6, 0, 3], 0.5), requests: 9, requestsSquared: 29, crossed: 27 };
    expect(inversePropensityRatio([busy]).ratio).toBeCloseTo(1, 12);
    expect(inversePropensityDifference([[busy, busy]], 0, 1).difference).toBe(0);
    expect(inversePropensityRatio([cellOf([], 0.5)])).toMatchObject({ variance: Infinity, evenEntities: 0 });
    expect(() => inversePropensityDifference([[cellOf([1], 0), cellOf([1], 1)]], 0, 1)).toThrow(RangeError);
    expect(() => inversePropensityDifference([[busy, busy], [busy]], 0, 1)).toThrow(RangeError);
  });
});

/** Entities with these values, one each. */
function cellOf(values: readonly number[], propensity: number, past: readonly number[] = []): PropensityCell {
  const sum = (of: (value: number, at: number) => number) =>
    values.reduce((total, value, at) => total + of(value, at), 0);
  const total = sum((value) => value);
  return {
    propensity,
    assigned: values.length,
    entities: values.length,
    requests: values.length,
    requestsSquared: values.length,
    total,
    totalSquared: sum((value) => value * value),
    crossed: total,
    before: {
      total: past.reduce((all, x) => all + x, 0),
      squared: past.reduce((all, x) => all + x * x, 0),
      withTotal: sum((value, at) => value * (past[at] ?? 0)),
      withRequests: past.reduce((all, x) => all + x, 0),
    },
  };
}
