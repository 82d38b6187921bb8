import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import type { ArmSums, CanaryEvidence, Verdict } from '../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE } from '../../core/decisions/rollout-rule.js';
import { clusteredRatio } from '../../ml/sequential/clustered-ratio.js';
import { sequenceMultiplier } from '../../ml/sequential/confidence-sequence.js';
import { createPrng, type Prng } from '../../ml/random/prng.js';
import { evidenceOf, runRollout, type RolloutScenario } from './run-rollout.js';
import { addEntity, drawBinomial, noSums, SimulatedArm, type Crowd, type SimulatedMeasure } from './simulated-users.js';

/** A promise of the rules, as the share of seeded runs in which something happens. */
export interface DecisionGate {
  gate: string;
  promise: 'at most' | 'at least';
  limit: number;
  /** Whether it happened in this run. */
  happens: (run: number) => boolean;
}

/** 1,000 visits a window by users of whom 1 % send a seventh of all requests, and whose own error rates differ. */
export const USUAL: Crowd = { users: 200_000, activeShare: 0.005, meanRequests: 3, requestSpread: 1.2, sameness: 5 };
/** 1 % send a third of all requests, and a user either meets errors all the time or never. */
const HEAVY: Crowd = { ...USUAL, requestSpread: 1.8, sameness: 0.1 };
/** The same 2,000 users come back again and again. */
const RETURNING: Crowd = { users: 2000, activeShare: 0.5, meanRequests: 3, requestSpread: 1.2, sameness: 50 };

export const errorRate = (baseline: number, candidate: number, margin?: number): SimulatedMeasure => ({
  measure: 'error_rate',
  kind: 'rate',
  baseline,
  candidate,
  ...(margin !== undefined && { margin }),
});

const ladder = (
  gate: string,
  promise: DecisionGate['promise'],
  limit: number,
  scenario: RolloutScenario,
  end: string,
  seed: number,
): DecisionGate => ({
  gate,
  promise,
  limit,
  happens: (run) => runRollout(scenario, seed, run).end === end,
});

const usual = (factor: number): RolloutScenario => ({ crowd: USUAL, measures: [errorRate(0.02, 0.02 * factor, 0.01)] });
const heavy = (factor: number): RolloutScenario => ({ crowd: HEAVY, measures: [errorRate(0.02, 0.02 * factor, 0.01)] });
const rare = (candidate: number): RolloutScenario => ({ crowd: USUAL, measures: [errorRate(0.0001, candidate)] });

/** Eight rates from 0.5 % to 10 % and two means of values that few requests have. */
const TEN: readonly SimulatedMeasure[] = [
  ...[0.005, 0.01, 0.01, 0.02, 0.02, 0.05, 0.05, 0.1].map((rate, index) => ({
    ...errorRate(rate, rate),
    measure: `rate_${index}`,
  })),
  { measure: 'mean_0', kind: 'mean', baseline: 10, candidate: 10 },
  { measure: 'mean_1', kind: 'mean', baseline: 1, candidate: 1 },
];

export const DECISION_GATES: readonly DecisionGate[] = [
  ladder('healthy, rolled back', 'at most', 0.01, usual(1), 'rolled back', 101),
  ladder('healthy, promoted', 'at least', 0.95, usual(1), 'promoted', 101),
  ladder('errors x1.5, harm at the margin, promoted', 'at most', 0.05, usual(1.5), 'promoted', 102),
  ladder('errors x1.5, rolled back', 'at least', 0.9, usual(1.5), 'rolled back', 102),
  ladder('errors x2, rolled back', 'at least', 0.99, usual(2), 'rolled back', 103),
  ladder('ten healthy guardrails, rolled back', 'at most', 0.01, { crowd: USUAL, measures: TEN }, 'rolled back', 104),
  ladder('heavy users, healthy, rolled back', 'at most', 0.01, heavy(1), 'rolled back', 105),
  ladder('heavy users, harm at the margin, promoted', 'at most', 0.05, heavy(1.5), 'promoted', 106),
  ladder('one error in 10,000, healthy, promoted', 'at least', 0.95, rare(0.0001), 'promoted', 107),
  ladder('one error in 10,000, harm at the margin, promoted', 'at most', 0.05, rare(0.0051), 'promoted', 108),
  {
    gate: 'peeking after every request, healthy, ever rolled back',
    promise: 'at most',
    limit: 0.01,
    happens: (run) => peekAtRequests(1, 'ROLLBACK', 109, run),
  },
  {
    gate: 'peeking after every request, harm at the margin, ever promoted',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => peekAtRequests(1.6, 'PROMOTE', 110, run),
  },
  {
    gate: '2,000 users for 300 windows, healthy, ever rolled back',
    promise: 'at most',
    limit: 0.01,
    happens: (run) => watchReturning(1, 111, run, judgedAs('ROLLBACK')),
  },
  {
    gate: '2,000 users for 300 windows, harm at the margin, ever promoted',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => watchReturning(1.5, 112, run, judgedAs('PROMOTE')),
  },
  {
    gate: 'shadow of equal accuracy, rolled back in 5,000 pairs',
    promise: 'at most',
    limit: 0.01,
    happens: (run) => pairsToRollback(0.03, 0.03, 5000, createPrng(113, run)) < Infinity,
  },
  {
    gate: 'shadow 3 points less accurate, found within 850 pairs',
    promise: 'at least',
    limit: 0.5,
    happens: (run) => pairsToRollback(0.045, 0.015, 850, createPrng(114, run)) < Infinity,
  },
  {
    gate: 'no evidence, promoted',
    promise: 'at most',
    limit: 0,
    happens: (run) => promotesNothing(createPrng(115, run)),
  },
];

/** Requests come one by one to cohorts of equal size; the rule looks after each of 4,000, of which about 1,600 settle it. */
function peekAtRequests(factor: number, wanted: Verdict, seed: number, run: number): boolean {
  const prng = createPrng(seed, run);
  const crowd: Crowd = { ...USUAL, users: 2000, meanRequests: 0 };
  const measures = [errorRate(0.05, 0.05 * factor, 0.03)];
  const arms = (['candidate', 'baseline'] as const).map((arm) => new SimulatedArm(crowd, measures, arm, prng));
  const [candidate, baseline] = [arms[0]!, arms[1]!];
  for (let request = 1; request <= 4000; request++) {
    arms[prng.nextInt(2)]!.addRandomVisit(crowd.users);
    if (judgeRollout(evidenceOf(candidate, baseline, measures, AT_LAST_STEP), DEFAULT_ROLLOUT_RULE).verdict === wanted)
      return true;
  }
  return false;
}

/** The same users at an even split for a long time: does this ever happen to the evidence? */
function watchReturning(
  factor: number,
  seed: number,
  run: number,
  happens: (evidence: CanaryEvidence) => boolean,
): boolean {
  const prng = createPrng(seed, run);
  const measures = [errorRate(0.02, 0.02 * factor, 0.01)];
  const candidate = new SimulatedArm(RETURNING, measures, 'candidate', prng);
  const baseline = new SimulatedArm(RETURNING, measures, 'baseline', prng);
  for (let windows = 1; windows <= 300; windows++) {
    candidate.addWindow(50);
    baseline.addWindow(50);
    if (happens(evidenceOf(candidate, baseline, measures, AT_LAST_STEP))) return true;
  }
  return false;
}

const judgedAs = (wanted: Verdict) => (evidence: CanaryEvidence) =>
  judgeRollout(evidence, DEFAULT_ROLLOUT_RULE).verdict === wanted;

/**
 * Whether the same sequence at the same 1 %, with the number of entities as its clock and tightest at 4,000, would ever call healthy
 * returning users harmed: no promise of ours, but the reason why our clock is information.
 */
export function isHarmedByEntityClock(run: number): boolean {
  return watchReturning(1, 111, run, ({ measures: [measure] }) => {
    const [ours, theirs] = [clusteredRatio(measure!.candidate), clusteredRatio(measure!.baseline)];
    const deviation = Math.sqrt(ours.variance + theirs.variance);
    const entities = measure!.candidate.entities + measure!.baseline.entities;
    return ours.ratio - theirs.ratio > sequenceMultiplier(entities / 4000, 0.01, 1) * deviation;
  });
}

const AT_LAST_STEP = { step: 4, share: 50, isLastStep: true, windows: 3, seconds: 600 } as const;

/**
 * Pairs of a shadow until it is rolled back, looked at after each; Infinity where it is not.
 * @param lost share of the requests that only the present version gets right
 * @param won share that only the new one does; both are right or wrong together on all others, at an accuracy of 90 %
 */
export function pairsToRollback(lost: number, won: number, most: number, prng: Prng): number {
  const difference = noSums();
  for (let pairs = 1; pairs <= most; pairs++) {
    const place = prng.next();
    const value = place < lost ? -1 : place < lost + won ? 1 : 0;
    addEntity(difference, value);
    const measures = [
      { measure: 'accuracy', kind: 'rate' as const, harm: 'falls' as const, difference, baselineMean: 0.9 },
    ];
    const evidence = { strategy: 'shadow' as const, windows: 3, seconds: 600, pairs, measures };
    if (judgeRollout(evidence, DEFAULT_ROLLOUT_RULE).verdict === 'ROLLBACK') return pairs;
  }
  return Infinity;
}

/** Requests an arm until the last step of a canary ends in a verdict, where each request is of another user; looked at every 50 an arm. */
export function requestsToVerdict(errors: SimulatedMeasure, wanted: Verdict, prng: Prng): number {
  const arms = { candidate: noSums(), baseline: noSums() };
  for (let requests = 50; requests <= 100_000; requests += 50) {
    for (const arm of ['candidate', 'baseline'] as const) {
      const events = drawBinomial(50, errors[arm], prng);
      for (const name of ['entities', 'requests', 'requestsSquared'] as const) arms[arm][name] += 50;
      for (const name of ['total', 'totalSquared', 'crossed', 'entitiesWithEvents'] as const) arms[arm][name] += events;
    }
    const evidence: CanaryEvidence = {
      strategy: 'canary',
      ...AT_LAST_STEP,
      measures: [{ ...errors, harm: 'rises', ...arms }],
      assignment: { candidate: requests, baseline: requests, both: 0 },
    };
    if (judgeRollout(evidence, DEFAULT_ROLLOUT_RULE).verdict === wanted) return requests;
  }
  return Infinity;
}

/** Evidence without any in it: no measures, empty arms, one empty arm, or one empty measure among full ones. */
function promotesNothing(prng: Prng): boolean {
  const full = (): ArmSums => {
    const entities = 100 + prng.nextInt(1_000_000);
    const events = Math.floor(entities * prng.next() * 0.01);
    return {
      ...noSums(),
      entities,
      requests: entities,
      requestsSquared: entities,
      total: events,
      totalSquared: events,
      crossed: events,
      entitiesWithEvents: events,
    };
  };
  const shape = prng.nextInt(4);
  const measure = { measure: 'error_rate', kind: 'rate' as const, harm: 'rises' as const };
  const empty = { ...measure, candidate: noSums(), baseline: noSums() };
  const same = full();
  const measures: CanaryEvidence['measures'] = [
    [],
    [empty],
    [prng.nextInt(2) === 0 ? { ...empty, baseline: full() } : { ...empty, candidate: full() }],
    [{ ...measure, candidate: same, baseline: same }, empty],
  ][shape]!;
  const evidence: CanaryEvidence = {
    strategy: 'canary',
    ...AT_LAST_STEP,
    isLastStep: prng.nextInt(2) === 0,
    nextShare: 1 + prng.nextInt(100),
    windows: prng.nextInt(100),
    measures,
    assignment: { candidate: 1000, baseline: 1000, both: 0 },
  };
  return judgeRollout(evidence, DEFAULT_ROLLOUT_RULE).verdict === 'PROMOTE';
}
