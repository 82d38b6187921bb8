import { describe, expect, it } from 'vitest';
import {
  DEFAULT_EXPERIMENT_RULE,
  type ExperimentArm,
  type ExperimentEvidence,
} from '../../../core/decisions/experiment-evidence.js';
import { judgeExperiment } from '../../../core/decisions/judge-experiment.js';
import { createPrng } from '../../../ml/random/prng.js';

const rule = DEFAULT_EXPERIMENT_RULE;

/** Entities of which `events` converted. */
function binary(arm: string, weight: number, entities: number, events: number): ExperimentArm {
  return {
    arm,
    weight,
    assigned: entities,
    sums: {
      entities,
      requests: entities,
      total: events,
      requestsSquared: entities,
      totalSquared: events,
      crossed: events,
      entitiesWithEvents: events,
    },
  };
}

function experiment(
  control: ExperimentArm,
  arms: readonly ExperimentArm[],
  more: Partial<ExperimentEvidence> = {},
): ExperimentEvidence {
  return {
    metric: 'conversion',
    kind: 'binary',
    better: 'rises',
    minimumEffect: 0.01,
    control,
    arms,
    crossed: 0,
    days: 14,
    ...more,
  };
}

describe('the verdict on an experiment', () => {
  const control = binary('a', 0.5, 20000, 2000);

  it('names a winner that is surely better, but not before a whole week', () => {
    const verdict = judgeExperiment(experiment(control, [binary('b', 0.5, 20000, 2400)]), rule);
    expect(verdict).toMatchObject({ decision: 'winner', winner: 'b' });
    expect(verdict.reason).toMatch(/^b is better than a: 2\.00 pp of gain in conversion, between 1\.05 pp and/);
    const early = experiment(control, [binary('b', 0.5, 20000, 2400)], { days: 3 });
    expect(judgeExperiment(early, rule).decision).toBe('running');
  });

  it('stops for harm and for futility at any time', () => {
    const harmful = experiment(control, [binary('b', 0.5, 20000, 1600)], { days: 1 });
    expect(judgeExperiment(harmful, rule).decision).toBe('harmful');
    const futile = experiment(control, [binary('b', 0.5, 20000, 2000)], { days: 1, minimumEffect: 0.02 });
    expect(judgeExperiment(futile, rule).decision).toBe('futile');
  });

  it('runs while it is open, and is inconclusive at the end', () => {
    const open = [binary('b', 0.5, 20000, 2080)];
    expect(judgeExperiment(experiment(control, open), rule).decision).toBe('running');
    expect(judgeExperiment(experiment(control, open, { days: 56 }), rule).decision).toBe('inconclusive');
  });

  it('never decides without evidence', () => {
    for (const entities of [0, 1, 50])
      expect(
        judgeExperiment(experiment(binary('a', 0.5, entities, 0), [binary('b', 0.5, entities, 0)]), rule).decision,
      ).toBe('running');
  });

  it('takes the best of several winners, and stops the harmful arm by itself', () => {
    const three = binary('a', 0.25, 20000, 2000);
    const arms = [binary('b', 0.25, 20000, 2450), binary('c', 0.25, 20000, 2600), binary('d', 0.25, 20000, 1500)];
    const verdict = judgeExperiment(experiment(three, arms), rule);
    expect(verdict).toMatchObject({ decision: 'winner', winner: 'c' });
    expect(verdict.arms.map(({ decision }) => decision)).toEqual(['winner', 'winner', 'harmful']);
  });

  it('asks more of each arm the more arms there are', () => {
    const just = binary('b', 0.5, 20000, 2205);
    expect(judgeExperiment(experiment(control, [just]), rule).decision).toBe('winner');
    const nine = Array.from({ length: 9 }, (_, index) => binary(`n${index}`, 1 / 11, 20000, 2000));
    const crowded = experiment({ ...control, weight: 1 / 11 }, [{ ...just, weight: 1 / 11 }, ...nine]);
    expect(judgeExperiment(crowded, rule).arms[0]!.decision).toBe('running');
  });

  it('signs a metric that is better when it falls', () => {
    const verdict = judgeExperiment(experiment(control, [binary('b', 0.5, 20000, 1600)], { better: 'falls' }), rule);
    expect(verdict.decision).toBe('winner');
    expect(verdict.arms[0]!.estimate).toBeCloseTo(0.02, 12);
  });

  it('trusts no comparison whose split the weights do not explain', () => {
    const verdict = judgeExperiment(experiment(control, [binary('b', 0.5, 18000, 2400)]), rule);
    expect(verdict.decision).toBe('inconclusive');
    expect(verdict.reason).toContain('20,000, 18,000 entities');
    const crossed = experiment(control, [binary('b', 0.5, 20000, 2400)], { crossed: 900 });
    expect(judgeExperiment(crossed, rule).decision).toBe('inconclusive');
  });

  it('finds by what entities were like before what it does not find without', () => {
    const prng = createPrng(3);
    const arms = ['a', 'b'].map((arm, index) => drawSpenders(arm, 2000, index * 1.5, prng));
    const evidence = experiment(arms[0]!, [arms[1]!], { kind: 'mean', metric: 'revenue', minimumEffect: 1 });
    const verdict = judgeExperiment(evidence, rule);
    expect(verdict.decision).toBe('winner');
    // What came before has correlation 0.9 with what comes after, so 81 % of the variance is its.
    expect(verdict.arms[0]!.varianceRemoved).toBeGreaterThan(0.75);
    const plain = arms.map(({ before: _before, ...arm }) => arm);
    expect(judgeExperiment({ ...evidence, control: plain[0]!, arms: [plain[1]!] }, rule).decision).toBe('running');
  });

  it('leaves an arm that was taken back as it was found, and out of the split', () => {
    // Its 2,000 entities were counted until it was taken back; the others have gone on since.
    const harmful = judgeExperiment(experiment(binary('a', 0.4, 4000, 400), [binary('b', 0.2, 2000, 100)]), rule);
    expect(harmful.arms[0]!.decision).toBe('harmful');
    const settled = { ...binary('b', 0.2, 2000, 100), settled: harmful.arms[0]! };
    const later = experiment(binary('a', 0.4, 20000, 2000), [settled, binary('c', 0.4, 20000, 2400)]);
    const verdict = judgeExperiment(later, rule);
    expect(verdict).toMatchObject({ decision: 'winner', winner: 'c' });
    expect(verdict.arms[0]).toEqual(harmful.arms[0]);
    expect(judgeExperiment({ ...later, arms: [binary('b', 0.2, 2000, 100), later.arms[1]!] }, rule).decision).toBe(
      'inconclusive',
    );
  });

  it('compares adaptive arms by their chances, and holds the split to the chances of each stratum', () => {
    // The second stratum converts half as often and most of it went to b: plain means call b worse, and it is better in both.
    const adaptive = (shares: readonly [number, number], events: readonly [number, number], arm: string) => {
      const strata = [0, 1].map((at) => {
        const { sums, assigned } = binary(arm, 0.5, 10000 * shares[at]!, events[at]!);
        return { stratum: String(at), propensity: shares[at]!, sums, assigned };
      });
      const entities = strata.reduce((sum, { assigned }) => sum + assigned, 0);
      return { ...binary(arm, 0.5, entities, events[0] + events[1]), strata };
    };
    const a = adaptive([0.5, 0.1], [1000, 100], 'a');
    const b = adaptive([0.5, 0.9], [1200, 1080], 'b');
    const verdict = judgeExperiment(experiment(a, [b]), rule);
    expect(b.sums.total / b.sums.entities).toBeLessThan(a.sums.total / a.sums.entities);
    expect(verdict.arms[0]!.estimate).toBeCloseTo((0.04 + 0.02) / 2, 4);
    expect(verdict).toMatchObject({ decision: 'winner', winner: 'b' });
    const swapped = { ...b, strata: b.strata.map((cell, at) => ({ ...cell, propensity: [0.5, 0.7][at]! })) };
    expect(judgeExperiment(experiment(a, [swapped]), rule).reason).toMatch(/which their chances do not explain/);
    expect(() => judgeExperiment(experiment(a, [binary('b', 0.5, 14000, 2000)]), rule)).toThrow(/same strata/);
  });

  it('refuses evidence that no experiment can have given', () => {
    expect(() => judgeExperiment(experiment(control, []), rule)).toThrow(/no arm/);
    expect(() => judgeExperiment(experiment(control, [control], { minimumEffect: 0 }), rule)).toThrow(/minimum effect/);
    expect(() => judgeExperiment(experiment(control, [binary('b', 0.5, 10, 11)]), rule)).toThrow(/no share/);
  });
});

function drawSpenders(arm: string, entities: number, gain: number, prng: ReturnType<typeof createPrng>): ExperimentArm {
  const sums = { ...binary(arm, 0.5, entities, 0).sums, entitiesWithEvents: entities };
  const before = { total: 0, squared: 0, withTotal: 0, withRequests: 0 };
  for (let i = 0; i < entities; i++) {
    const x = 50 + 18 * prng.nextGaussian();
    const y = x + gain + 8.7 * prng.nextGaussian();
    sums.total += y;
    sums.totalSquared += y * y;
    sums.crossed += y;
    before.total += x;
    before.squared += x * x;
    before.withTotal += x * y;
    before.withRequests += x;
  }
  return { arm, weight: 0.5, assigned: entities, sums, before };
}
