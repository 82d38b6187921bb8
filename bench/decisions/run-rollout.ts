import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import type { CanaryEvidence } from '../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE, type RolloutRule } from '../../core/decisions/rollout-rule.js';
import { createPrng } from '../../ml/random/prng.js';
import { SimulatedArm, type Crowd, type SimulatedMeasure } from './simulated-users.js';

export const LADDER = [1, 5, 10, 25, 50] as const;

export interface RolloutEnd {
  end: 'promoted' | 'rolled back' | 'asked';
  windows: number;
}

export interface RolloutScenario {
  crowd: Crowd;
  measures: readonly SimulatedMeasure[];
  rule?: RolloutRule;
  ladder?: readonly number[];
}

/** Leads one simulated rollout from its first step to its end, judged after every window by the code that decides in production. */
export function runRollout(scenario: RolloutScenario, seed: number, run: number): RolloutEnd {
  const { crowd, measures, rule = DEFAULT_ROLLOUT_RULE, ladder = LADDER } = scenario;
  const prng = createPrng(seed, run);
  const candidate = new SimulatedArm(crowd, measures, 'candidate', prng);
  const baseline = new SimulatedArm(crowd, measures, 'baseline', prng);
  let step = 0;
  let inStep = 0;
  for (let windows = 1; ; windows++) {
    const share = ladder[step]!;
    candidate.addWindow(share);
    baseline.addWindow(share);
    inStep++;
    const { verdict } = judgeRollout(
      evidenceOf(candidate, baseline, measures, {
        step,
        share,
        isLastStep: step === ladder.length - 1,
        ...(step + 1 < ladder.length && { nextShare: ladder[step + 1]! }),
        windows: inStep,
        seconds: windows * 60,
      }),
      rule,
    );
    if (verdict === 'ROLLBACK') return { end: 'rolled back', windows };
    if (verdict === 'ASK') return { end: 'asked', windows };
    if (verdict !== 'PROMOTE') continue;
    if (step === ladder.length - 1) return { end: 'promoted', windows };
    step++;
    inStep = 0;
  }
}

/** The evidence as it stands. */
export function evidenceOf(
  candidate: SimulatedArm,
  baseline: SimulatedArm,
  measures: readonly SimulatedMeasure[],
  place: Pick<CanaryEvidence, 'step' | 'share' | 'isLastStep' | 'windows' | 'seconds'> & { nextShare?: number },
): CanaryEvidence {
  return {
    strategy: 'canary',
    ...place,
    measures: measures.map(({ measure, kind, margin }, index) => ({
      measure,
      kind,
      harm: 'rises',
      candidate: candidate.sums[index]!,
      baseline: baseline.sums[index]!,
      ...(margin !== undefined && { margin }),
    })),
    assignment: { candidate: candidate.entities, baseline: baseline.entities, both: 0 },
  };
}
