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
import { runAdaptive, type AdaptiveScenario } from './adaptive-experiment.js';
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

const steady = () => CONVERSION;
/** Entities that come late convert half as often: an arm that is favoured late meets more of them. */
const falling = (day: number) => 0.2 - 0.1 * Math.min(1, day / 20);
const adaptiveEver = (scenario: AdaptiveScenario, seed: number, run: number, wanted: readonly ExperimentDecision[]) => {
  for (const { verdict } of runAdaptive(scenario, createPrng(seed, run)))
    if (verdict.arms.some(({ decision }) => wanted.includes(decision))) return true;
  return false;
};

/** How far the estimate and the plain means are off the truth after 28 days, where the better arm is favoured while conversion falls. */
export function adaptiveErrors(run: number): { estimate: number; plain: number; isCovered: boolean } {
  const days = [...runAdaptive({ effects: [0.03], days: 28, rateOn: falling }, createPrng(307, run))];
  const { verdict, plain, truth } = days.at(-1)!;
  const { estimate } = verdict.arms[0]!;
  const isOff = days.some(
    ({ verdict: { arms } }) => arms[0]!.lower !== null && (arms[0]!.lower > truth || arms[0]!.upper! < truth),
  );
  return { estimate: estimate! - truth, plain: plain - truth, isCovered: !isOff };
}

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
    gate: 'Thompson, three arms without effect, a winner ever named',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => adaptiveEver({ effects: [0, 0, 0], days: 28, rateOn: steady }, 306, run, ['winner']),
  },
  {
    gate: 'Thompson, no effect while conversion halves, better or worse called',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => adaptiveEver({ effects: [0], days: 28, rateOn: falling }, 308, run, ['winner', 'harmful']),
  },
  {
    gate: 'Thompson, an interval that misses the truth at any of 28 looks',
    promise: 'at most',
    limit: 0.05,
    happens: (run) => !adaptiveErrors(run).isCovered,
  },
  {
    gate: 'Thompson, an arm that gains 5 points, won in 28 days',
    promise: 'at least',
    limit: 0.9,
    happens: (run) => adaptiveEver({ effects: [0.05], days: 28, rateOn: steady }, 309, run, ['winner']),
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
