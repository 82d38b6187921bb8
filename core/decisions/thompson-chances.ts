import { armPropensities, type ArmPosterior } from '../../ml/sequential/arm-propensities.js';
import { inversePropensityRatio } from '../../ml/sequential/inverse-propensity.js';
import { contextOfStratum } from './allocation.js';
import type { ExperimentArm } from './experiment-evidence.js';

/** Entities that each arm needs in a context before a normal posterior is believed. */
const LEAST_ENTITIES = 30;

export interface ThompsonQuestion {
  kind: 'binary' | 'mean' | 'ratio';
  better: 'rises' | 'falls';
  floor: number;
  context: string;
}

/**
 * The chances of the arms for the next batch of entities in one context: how likely each is the best by the posteriors of what the entities
 * of that context have shown (Thompson 1933). Posteriors are of the inverse-propensity estimates, so that an arm which was favoured late
 * is not thought worse for having met entities that had less time. Of a binary metric they are beta posteriors of as many equal entities
 * as the weights are worth, of others normal ones; while an arm has next to no entities the chances are the arms' weights.
 * @param arms with their strata; one that is settled takes part no more and has the chance 0
 */
export function thompsonChances(
  arms: readonly ExperimentArm[],
  { kind, better, floor, context }: ThompsonQuestion,
): number[] {
  const live = arms.filter(({ settled }) => !settled);
  const posteriors = live.map((arm) => posteriorOf(arm, kind, better, context));
  const isKnown = posteriors.every((posterior) => posterior !== undefined);
  const whole = live.reduce((sum, { weight }) => sum + weight, 0);
  const chances = isKnown
    ? [...armPropensities(posteriors as ArmPosterior[], floor)]
    : live.map(({ weight }) => floor + (1 - floor * live.length) * (weight / whole));
  return arms.map((arm) => (arm.settled ? 0 : chances[live.indexOf(arm)]!));
}

function posteriorOf(
  { strata = [] }: ExperimentArm,
  kind: ThompsonQuestion['kind'],
  better: ThompsonQuestion['better'],
  context: string,
): ArmPosterior | undefined {
  const cells = strata.filter(({ stratum }) => contextOfStratum(stratum) === context);
  const { ratio, variance, evenEntities } = inversePropensityRatio(
    cells.map(({ sums, ...cell }) => ({ ...sums, ...cell })),
  );
  if (kind === 'binary') {
    const events = evenEntities === 0 ? 0 : ratio * evenEntities;
    const others = evenEntities - events;
    const [successes, failures] = better === 'rises' ? [events, others] : [others, events];
    return { kind: 'bernoulli', successes: Math.max(0, successes), failures: Math.max(0, failures) };
  }
  const isEnough = cells.reduce((sum, { sums }) => sum + sums.entities, 0) >= LEAST_ENTITIES;
  if (!isEnough || !(variance > 0 && variance < Infinity)) return undefined;
  return { kind: 'gaussian', mean: better === 'rises' ? ratio : -ratio, deviation: Math.sqrt(variance) };
}
