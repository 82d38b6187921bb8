import {
  DEFAULT_EXPERIMENT_RULE,
  type ExperimentArm,
  type ExperimentDecision,
} from '../../core/decisions/experiment-evidence.js';
import { judgeExperiment } from '../../core/decisions/judge-experiment.js';
import { DEFAULT_ROLLOUT_RULE } from '../../core/decisions/rollout-rule.js';
import { createPrng, type Prng } from '../../ml/random/prng.js';
import { planExperiment } from '../../ml/sequential/power-plan.js';
import { logSplitEvidence } from '../../ml/sequential/split-test.js';
import type { DecisionGate } from './decision-gates.js';
import { drawBinomial } from './simulated-users.js';

const CONVERSION = 0.1;
const MINIMUM_EFFECT = 0.02;
const ENTITIES_A_DAY = 500;
const DAYS = DEFAULT_EXPERIMENT_RULE.mostDays;
const PLAN = planExperiment({
  effect: MINIMUM_EFFECT,
  alpha: DEFAULT_EXPERIMENT_RULE.alpha,
  sides: 2,
  power: 0.8,
  // Half-way between the two arms.
  deviation: Math.sqrt((CONVERSION + MINIMUM_EFFECT / 2) * (1 - CONVERSION - MINIMUM_EFFECT / 2)),
  weights: [0.5, 0.5],
  entitiesPerDay: ENTITIES_A_DAY,
  mostDays: DAYS,
});

export const EXPERIMENT_GATES: readonly DecisionGate[] = [
  {
    gate: 'experiment, three arms without effect, any called better or worse',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => runExperiment([0, 0, 0], DAYS, createPrng(301, run), ['winner', 'harmful']),
  },
  {
    gate: `experiment with the minimum effect, won in the ${Math.ceil(PLAN.days)} days of its plan`,
    promise: 'at least',
    limit: 0.8,
    happens: (run) => runExperiment([MINIMUM_EFFECT], Math.ceil(PLAN.days), createPrng(302, run), ['winner']),
  },
  {
    gate: 'experiment, an arm that loses 4 points, stopped in 56 days',
    promise: 'at least',
    limit: 0.99,
    happens: (run) => runExperiment([-0.04], DAYS, createPrng(303, run), ['harmful']),
  },
  {
    gate: 'a sound split of 100,000 entities, looked at each, ever alarmed',
    promise: 'at most',
    limit: 0.001,
    happens: (run) => splitAlarms(0.5, 100_000, createPrng(304, run)),
  },
  {
    gate: 'a split of 53 : 47, alarmed within 10,000 entities',
    promise: 'at least',
    limit: 0.9,
    happens: (run) => splitAlarms(0.53, 10_000, createPrng(305, run)),
  },
];

/** A binary metric in arms of equal weight, judged once a day: does any arm ever get one of the decisions? */
function runExperiment(
  effects: readonly number[],
  days: number,
  prng: Prng,
  wanted: readonly ExperimentDecision[],
): boolean {
  const arms = [0, ...effects].map((effect, index) => ({
    rate: CONVERSION + effect,
    sums: armOf(`arm_${index}`, effects.length + 1),
  }));
  for (let day = 1; day <= days; day++) {
    for (const { rate, sums } of arms) addEntities(sums, rate, Math.round(ENTITIES_A_DAY / arms.length), prng);
    const verdict = judgeExperiment(
      {
        metric: 'conversion',
        kind: 'binary',
        better: 'rises',
        minimumEffect: MINIMUM_EFFECT,
        control: arms[0]!.sums,
        arms: arms.slice(1).map(({ sums }) => sums),
        crossed: 0,
        days: day,
      },
      DEFAULT_EXPERIMENT_RULE,
    );
    if (verdict.arms.some(({ decision }) => wanted.includes(decision))) return true;
  }
  return false;
}

function armOf(arm: string, count: number): ExperimentArm {
  const sums = {
    entities: 0,
    requests: 0,
    total: 0,
    requestsSquared: 0,
    totalSquared: 0,
    crossed: 0,
    entitiesWithEvents: 0,
  };
  return { arm, weight: 1 / count, assigned: 0, sums };
}

function addEntities(arm: ExperimentArm, rate: number, count: number, prng: Prng): void {
  const events = drawBinomial(count, rate, prng);
  arm.assigned += count;
  for (const name of ['entities', 'requests', 'requestsSquared'] as const) arm.sums[name] += count;
  for (const name of ['total', 'totalSquared', 'crossed', 'entitiesWithEvents'] as const) arm.sums[name] += events;
}

function splitAlarms(share: number, entities: number, prng: Prng): boolean {
  const counts = [0, 0];
  const alarm = Math.log(DEFAULT_ROLLOUT_RULE.splitAlarm);
  for (let entity = 0; entity < entities; entity++) {
    counts[prng.next() < share ? 0 : 1]!++;
    if (logSplitEvidence(counts, [0.5, 0.5], DEFAULT_ROLLOUT_RULE.splitPriorWeight) >= alarm) return true;
  }
  return false;
}
