import type { ExperimentArm, ExperimentVerdict } from '../../core/decisions/experiment-evidence.js';
import { DEFAULT_EXPERIMENT_RULE } from '../../core/decisions/experiment-evidence.js';
import { judgeExperiment } from '../../core/decisions/judge-experiment.js';
import { thompsonChances } from '../../core/decisions/thompson-chances.js';
import { armAt } from '../../ml/sequential/arm-propensities.js';
import type { Prng } from '../../ml/random/prng.js';
import { drawBinomial } from './simulated-users.js';

const BATCHES = 10;
const ENTITIES_A_DAY = 500;
const DAYS_A_BATCH = 2;
const MINIMUM_EFFECT = 0.02;
const FLOOR_SHARE = 0.2;

export interface AdaptiveScenario {
  /** The arms' rates over the control's. */
  effects: readonly number[];
  days: number;
  /** The control's rate on a day. */
  rateOn: (day: number) => number;
}

/** What an adaptive experiment with a binary metric had shown at the end of a day. */
export interface AdaptiveDay {
  verdict: ExperimentVerdict;
  /** The difference of the first arm's plain mean and the control's, in entities that took part. */
  plain: number;
  /** What the difference is in all entities that took part, whichever arm they saw. */
  truth: number;
}

/**
 * Leads an experiment whose chances are Thompson's through its days, by the code that decides in production: entities come at random from
 * all batches and take part once theirs is open, and each look is at all entities until then.
 */
export function* runAdaptive({ effects, days, rateOn }: AdaptiveScenario, prng: Prng): Generator<AdaptiveDay> {
  const count = effects.length + 1;
  const floor = FLOOR_SHARE / count;
  const opened: number[][] = [Array.from({ length: count }, () => 1 / count)];
  const arms = Array.from({ length: count }, (_, at) => ({ at, entities: [0], events: [0] }));
  for (let day = 1; day <= days; day++) {
    for (const [batch, chances] of opened.entries()) {
      for (let entity = drawBinomial(ENTITIES_A_DAY, 1 / BATCHES, prng); entity > 0; entity--) {
        const arm = arms[armAt(chances, prng.next())]!;
        arm.entities[batch]!++;
        if (prng.next() < rateOn(day) + (effects[arm.at - 1] ?? 0)) arm.events[batch]!++;
      }
    }
    const [control, ...others] = arms.map((arm) => evidenceOf(arm, opened)) as [ExperimentArm, ...ExperimentArm[]];
    const verdict = judgeExperiment(
      {
        metric: 'conversion',
        kind: 'binary',
        better: 'rises',
        minimumEffect: MINIMUM_EFFECT,
        control,
        arms: others,
        crossed: 0,
        days: day,
      },
      { ...DEFAULT_EXPERIMENT_RULE, leastDays: 1 },
    );
    const [ours, theirs] = [others[0]!, control].map(({ sums }) => sums.total / sums.entities);
    yield { verdict, plain: ours! - theirs!, truth: effects[0]! };
    if (day % DAYS_A_BATCH === 0 && opened.length < BATCHES) {
      opened.push(thompsonChances([control, ...others], { kind: 'binary', better: 'rises', floor, context: '' }));
      for (const arm of arms) {
        arm.entities.push(0);
        arm.events.push(0);
      }
    }
  }
}

function evidenceOf(
  { at, entities, events }: { at: number; entities: readonly number[]; events: readonly number[] },
  opened: readonly number[][],
): ExperimentArm {
  const strata = opened.map((chances, batch) => ({
    stratum: String(batch),
    propensity: chances[at]!,
    ...binarySums(entities[batch]!, events[batch]!),
  }));
  const sum = (of: readonly number[]) => of.reduce((total, value) => total + value, 0);
  return { arm: `arm_${at}`, weight: 1 / opened[0]!.length, ...binarySums(sum(entities), sum(events)), strata };
}

function binarySums(entities: number, events: number) {
  const sums = {
    entities,
    requests: entities,
    total: events,
    requestsSquared: entities,
    totalSquared: events,
    crossed: events,
    entitiesWithEvents: events,
  };
  return { assigned: entities, sums };
}
