import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeRollout } from '../../../core/decisions/judge-rollout.js';
import type {
  ArmSums,
  CanaryEvidence,
  MeasureEvidence,
  PairedEvidence,
} from '../../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE } from '../../../core/decisions/rollout-rule.js';

const rule = DEFAULT_ROLLOUT_RULE;

/** Entities that sent one request each, `events` of them with an event. */
function rateOf(entities: number, events: number): ArmSums {
  return {
    entities,
    requests: entities,
    total: events,
    requestsSquared: entities,
    totalSquared: events,
    crossed: events,
    entitiesWithEvents: events,
  };
}

/** Entities that sent one request each, with the mean and the standard deviation given. */
function meanOf(entities: number, mean: number, deviation: number): ArmSums {
  const total = entities * mean;
  return {
    entities,
    requests: entities,
    total,
    requestsSquared: entities,
    totalSquared: entities * (mean * mean + deviation * deviation),
    crossed: total,
    entitiesWithEvents: entities,
  };
}

const NOTHING = rateOf(0, 0);

function canary(measures: readonly MeasureEvidence[], more: Partial<CanaryEvidence> = {}): CanaryEvidence {
  return {
    strategy: 'canary',
    step: 0,
    share: 1,
    isLastStep: false,
    windows: 3,
    seconds: 3600,
    measures,
    assignment: { candidate: 1000, baseline: 1000, both: 0 },
    ...more,
  };
}

const errors = (candidate: ArmSums, baseline: ArmSums): MeasureEvidence => ({
  measure: 'error_rate',
  kind: 'rate',
  harm: 'rises',
  candidate,
  baseline,
});

function paired(difference: ArmSums, more: Partial<PairedEvidence> = {}): PairedEvidence {
  return {
    strategy: 'shadow',
    windows: 3,
    seconds: 3600,
    pairs: difference.requests,
    measures: [{ measure: 'loss:head', harm: 'rises', difference, baselineMean: 0.1 }],
    ...more,
  };
}

describe('the verdict on a canary', () => {
  it('promotes when every guardrail is surely within its margin and the step has had its windows', () => {
    const verdict = judgeRollout(canary([errors(rateOf(20000, 400), rateOf(20000, 400))]), rule);
    expect(verdict.verdict).toBe('PROMOTE');
    expect(verdict.findings[0]).toMatchObject({ finding: 'safe', estimate: 0, margin: 0.005 });
    expect(verdict.reason).toContain('within 0.50 pp, the margin');
  });

  it('asks for less to go to a small next step than to all traffic, and never for nothing', () => {
    const measures = [errors(rateOf(300, 6), rateOf(300, 6))];
    expect(judgeRollout(canary(measures), rule).verdict).toBe('HOLD');
    expect(judgeRollout(canary(measures, { nextShare: 5 }), rule)).toMatchObject({
      verdict: 'PROMOTE',
      findings: [{ allowed: 0.1, margin: 0.005 }],
    });
    expect(judgeRollout(canary(measures, { nextShare: 5, isLastStep: true }), rule).verdict).toBe('HOLD');
    const none = canary([errors(rateOf(5, 0), rateOf(5, 0))], { nextShare: 5 });
    expect(judgeRollout(none, rule).verdict).toBe('HOLD');
    const bad = canary([errors(rateOf(300, 60), rateOf(300, 6))], { nextShare: 5 });
    expect(judgeRollout(bad, rule).verdict).toBe('ROLLBACK');
  });

  it('holds for the windows of the step, however good the figures are', () => {
    const measures = [errors(rateOf(20000, 400), rateOf(20000, 400))];
    const verdict = judgeRollout(canary(measures, { windows: 2 }), rule);
    expect(verdict).toMatchObject({ verdict: 'HOLD', needed: { requests: 0 } });
    expect(verdict.reason).toContain('1 more of its 3 windows');
  });

  it('rolls back when a guardrail is worse by more than chance, and says by how much', () => {
    const verdict = judgeRollout(canary([errors(rateOf(20000, 800), rateOf(20000, 400))]), rule);
    expect(verdict.verdict).toBe('ROLLBACK');
    expect(verdict.reason).toMatch(/^error_rate is worse: 2\.00 pp of harm over 20,000 requests an arm, between/);
  });

  it('rolls back by the exact test before there is enough for a normal approximation', () => {
    const verdict = judgeRollout(canary([errors(rateOf(90, 15), rateOf(90, 0))]), rule);
    expect(verdict.verdict).toBe('ROLLBACK');
    expect(verdict.reason).toContain('15 entities met an event with the new version and 0 with the other');
  });

  it('holds with about how much is missing, and asks a person after the most windows', () => {
    const measures = [errors(rateOf(1000, 25), rateOf(1000, 22))];
    const held = judgeRollout(canary(measures), rule);
    expect(held.verdict).toBe('HOLD');
    expect(held.needed!.requests).toBeGreaterThan(1000);
    expect(held.needed!.seconds).toBeCloseTo((held.needed!.requests / 1000) * 3600, 6);
    const late = judgeRollout(canary(measures, { windows: rule.mostWindows }), rule);
    expect(late.verdict).toBe('ASK');
  });

  it('never promotes on no evidence: no measures, no requests, one arm alone, two entities', () => {
    const empties = [
      [],
      [errors(NOTHING, NOTHING)],
      [errors(rateOf(10000, 0), NOTHING)],
      [errors(NOTHING, rateOf(10000, 0))],
      [errors(rateOf(2, 0), rateOf(2, 0))],
    ];
    for (const measures of empties)
      for (const windows of [0, 3, 59]) expect(judgeRollout(canary(measures, { windows }), rule).verdict).toBe('HOLD');
    for (const measures of empties) expect(judgeRollout(canary(measures, { windows: 60 }), rule).verdict).toBe('ASK');
  });

  it('lets one guardrail without evidence hold back all others', () => {
    const verdict = judgeRollout(
      canary([errors(rateOf(20000, 400), rateOf(20000, 400)), { ...errors(NOTHING, NOTHING), measure: 'slow_rate' }]),
      rule,
    );
    expect(verdict.verdict).toBe('HOLD');
    expect(verdict.reason).toContain('slow_rate');
  });

  it('promotes a version that never failed, once enough users could have seen it fail', () => {
    const at = (entities: number) =>
      judgeRollout(canary([errors(rateOf(entities, 0), rateOf(entities, 0))]), rule).verdict;
    expect(at(500)).toBe('HOLD');
    expect(at(5000)).toBe('PROMOTE');
  });

  it('does not take one busy bot for a crowd', () => {
    const bot = { ...rateOf(200, 40), requests: 100199, requestsSquared: 1e10 + 199 };
    expect(judgeRollout(canary([errors(bot, bot)]), rule).verdict).toBe('HOLD');
  });

  it('counts harm that is shown and surely below the margin as acceptable', () => {
    const measures = [{ ...errors(rateOf(4e6, 42000), rateOf(4e6, 40000)), margin: 0.005 }];
    expect(judgeRollout(canary(measures), rule)).toMatchObject({
      verdict: 'PROMOTE',
      findings: [{ finding: 'safe', lower: expect.any(Number) }],
    });
    expect(judgeRollout(canary(measures), rule).findings[0]!.lower).toBeGreaterThan(0);
  });

  it('signs the harm of a measure that must not fall', () => {
    const clicks: MeasureEvidence = {
      ...errors(rateOf(20000, 1500), rateOf(20000, 2000)),
      measure: 'clicks',
      harm: 'falls',
    };
    const verdict = judgeRollout(canary([clicks]), rule);
    expect(verdict.verdict).toBe('ROLLBACK');
    expect(verdict.findings[0]!.estimate).toBeCloseTo(0.025, 12);
  });

  it('asks a person about a measure that moved and has no good direction', () => {
    const measure: MeasureEvidence = {
      measure: 'score',
      kind: 'mean',
      harm: 'either',
      candidate: meanOf(5000, 0.4, 0.3),
      baseline: meanOf(5000, 0.6, 0.3),
    };
    const verdict = judgeRollout(canary([measure]), rule);
    expect(verdict.verdict).toBe('ASK');
    expect(verdict.reason).toContain('score moved');
    const alike = judgeRollout(canary([{ ...measure, candidate: measure.baseline }]), rule);
    expect(alike.verdict).toBe('PROMOTE');
  });

  it('does not trust a comparison of cohorts that are not of equal size, and asks when it stays so', () => {
    const measures = [errors(rateOf(20000, 400), rateOf(20000, 400))];
    const assignment = { candidate: 10000, baseline: 11000, both: 0 };
    expect(judgeRollout(canary(measures, { assignment }), rule).verdict).toBe('HOLD');
    expect(judgeRollout(canary(measures, { assignment, windows: 4 }), rule).verdict).toBe('ASK');
    const crossed = judgeRollout(canary(measures, { assignment: { candidate: 900, baseline: 900, both: 60 } }), rule);
    expect(crossed).toMatchObject({ verdict: 'HOLD', reason: expect.stringContaining('answered by both versions') });
  });

  it('still rolls back harm that a broken split cannot explain', () => {
    const assignment = { candidate: 10000, baseline: 11000, both: 0 };
    const verdict = judgeRollout(canary([errors(rateOf(20000, 800), rateOf(20000, 400))], { assignment }), rule);
    expect(verdict.verdict).toBe('ROLLBACK');
  });

  it('splits the chance of a false alarm over the guardrails', () => {
    const worse = errors(rateOf(5000, 165), rateOf(5000, 100));
    const others = Array.from({ length: 9 }, (_, index) => ({
      ...errors(rateOf(20000, 400), rateOf(20000, 400)),
      measure: `other_${index}`,
    }));
    expect(judgeRollout(canary([worse]), rule).verdict).toBe('ROLLBACK');
    expect(judgeRollout(canary([worse, ...others]), rule).verdict).toBe('HOLD');
  });

  it('refuses evidence that no traffic can have given', () => {
    const broken = { ...rateOf(100, 5), totalSquared: NaN };
    expect(() => judgeRollout(canary([errors(broken, rateOf(100, 5))]), rule)).toThrow(/error_rate of the candidate/);
    const impossible = { ...rateOf(100, 5), crossed: 500 };
    expect(() => judgeRollout(canary([errors(impossible, rateOf(100, 5))]), rule)).toThrow(RangeError);
    expect(() => judgeRollout(canary([]), { ...rule, harmAlpha: 0 })).toThrow(/harmAlpha is 0/);
    expect(() => judgeRollout(canary([{ ...errors(NOTHING, NOTHING), margin: 0 }]), rule)).toThrow(/margin is 0/);
  });
});

describe('a verdict', () => {
  const counts = fc.record({
    entities: fc.integer({ min: 0, max: 100_000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('is the same when the stored evidence is judged again, and its numbers survive storage', () => {
    fc.assert(
      fc.property(
        counts,
        counts,
        fc.integer({ min: 0, max: 80 }),
        fc.integer({ min: 1, max: 100 }),
        (a, b, windows, next) => {
          const evidence = canary(
            [
              errors(
                rateOf(a.entities, Math.floor(a.entities * a.share)),
                rateOf(b.entities, Math.floor(b.entities * b.share)),
              ),
            ],
            { windows, nextShare: next },
          );
          const verdict = judgeRollout(evidence, rule);
          expect(judgeRollout(JSON.parse(JSON.stringify(evidence)) as CanaryEvidence, { ...rule })).toEqual(verdict);
          expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
          expect(verdict.reason).toMatch(/^[^\n]+\.$/);
          expect(verdict.reason).not.toMatch(/NaN|Infinity|undefined|null/);
          if (verdict.verdict === 'PROMOTE') expect(Math.min(a.entities, b.entities)).toBeGreaterThan(0);
        },
      ),
      { seed: 8, numRuns: 500 },
    );
  });

  it('never gets better when more entities meet errors with the new version', () => {
    const rank = { ROLLBACK: 0, ASK: 1, HOLD: 1, PROMOTE: 2 };
    for (const base of [0, 5, 60, 400])
      for (let more = 0, before = 2; more < 400; more += 5) {
        const { verdict } = judgeRollout(canary([errors(rateOf(20000, base + more), rateOf(20000, base))]), rule);
        expect(rank[verdict]).toBeLessThanOrEqual(before);
        before = rank[verdict];
      }
  });
});

describe('a measure that is best at one value', () => {
  /** How far the answers are off on average, at 20,000 entities. */
  const off = (ours: number, theirs: number): MeasureEvidence => ({
    measure: 'calibration:head',
    kind: 'mean',
    harm: 'either',
    ideal: 0,
    margin: 0.05,
    candidate: meanOf(20_000, ours, 0.4),
    baseline: meanOf(20_000, theirs, 0.4),
  });

  it.each([
    [0.1, 0],
    [-0.1, 0],
    [0.2, 0.1],
    [-0.2, 0.1],
  ])('is rolled back when it moves away from it: off by %d instead of %d', (ours, theirs) => {
    const { verdict, reason } = judgeRollout(canary([off(ours, theirs)]), rule);
    expect(verdict).toBe('ROLLBACK');
    expect(reason).toContain('moved away from what a perfect version has');
  });

  it.each([
    [0, 0.1],
    [0.05, 0.2],
    [0.05, -0.1],
  ])('is safe when it moves towards it: off by %d instead of %d', (ours, theirs) => {
    expect(judgeRollout(canary([off(ours, theirs)]), rule).verdict).toBe('PROMOTE');
  });

  it('cannot be one that is harmed in one direction only', () => {
    expect(() => judgeRollout(canary([{ ...off(0, 0), harm: 'rises' }]), rule)).toThrow(/ideal/);
  });
});

describe('the verdict on paired requests', () => {
  it('promotes equal losses after enough pairs, and not before', () => {
    expect(judgeRollout(paired(meanOf(1000, 0, 0.2)), rule).verdict).toBe('PROMOTE');
    expect(judgeRollout(paired(meanOf(499, 0, 0.2)), rule).verdict).toBe('HOLD');
  });

  it('rolls back a loss that is higher by more than chance', () => {
    expect(judgeRollout(paired(meanOf(1000, 0.05, 0.2)), rule).verdict).toBe('ROLLBACK');
  });

  it('asks at once about a holdout that does not settle it, for it does not grow', () => {
    const difference = meanOf(600, 0.02, 1);
    const verdict = judgeRollout(paired(difference, { strategy: 'holdout' }), rule);
    expect(verdict.verdict).toBe('ASK');
    expect(judgeRollout(paired(difference), rule).verdict).toBe('HOLD');
  });

  it('does not promote a rate on 500 pairs without an event: a harm at the margin shows none in 8 % of such', () => {
    const difference = rateOf(500, 0);
    const measures = [
      { measure: 'error_rate', kind: 'rate' as const, harm: 'rises' as const, difference, baselineMean: 0 },
    ];
    expect(judgeRollout(paired(difference, { measures }), rule).verdict).toBe('HOLD');
  });
});
