import { normalQuantile } from '../evaluate/normal-quantile.js';
import { informationToTell, sequenceMultiplier } from './confidence-sequence.js';

export interface PowerQuestion {
  /** Difference to be found, above 0, in the metric's unit. */
  effect: number;
  /** Chance of a false finding, in (0, 0.5); already divided by the number of arms. */
  alpha: number;
  sides: 1 | 2;
  /** Chance of finding a difference of that size, in [0.5, 1). */
  power: number;
  /** The difference that the sequence is tuned for; default `effect`. */
  tunedFor?: number;
}

/**
 * The information, 1 / variance of the difference, at which a confidence sequence excludes 0 with the wanted power. A little is on the safe
 * side: the sequence may also have excluded 0 at an earlier look and come back.
 */
export function informationNeeded({ effect, alpha, sides, power, tunedFor = effect }: PowerQuestion): number {
  if (!(effect > 0)) throw new RangeError(`the effect to find is ${effect} but must be above 0`);
  if (!(power >= 0.5 && power < 1)) throw new RangeError(`the power is ${power} but must be at least 0.5 and below 1`);
  const tuned = informationToTell(tunedFor, alpha, sides);
  const sureness = normalQuantile(power);
  const isEnough = (information: number) =>
    effect * Math.sqrt(information) >= sequenceMultiplier(information / tuned, alpha, sides) + sureness;
  return smallest(isEnough, tuned);
}

export interface ExperimentPlan {
  /** Entities in both groups together; Infinity where nothing would be enough. */
  entities: number;
  days: number;
  /** The smallest difference that is found with the wanted power by the last day. */
  smallestEffect: number;
}

/**
 * How long it takes to tell a difference from none at the present traffic.
 * @param deviation standard deviation of the metric between entities, above 0 (of a binary metric sqrt(p (1 - p)))
 * @param weights of the arm and of the control among all entities, each in (0, 1)
 * @param entitiesPerDay new ones, in all arms
 * @param mostDays after which the experiment ends
 */
export function planExperiment(
  question: PowerQuestion & {
    deviation: number;
    weights: readonly [arm: number, control: number];
    entitiesPerDay: number;
    mostDays: number;
  },
): ExperimentPlan {
  const { deviation, weights, entitiesPerDay, mostDays } = question;
  if (!(deviation > 0)) throw new RangeError(`the metric's deviation is ${deviation} but must be above 0`);
  if (!weights.every((weight) => weight > 0 && weight < 1))
    throw new RangeError(`the weights are [${weights.join(', ')}] but must be between 0 and 1`);
  if (!(entitiesPerDay >= 0 && mostDays > 0))
    throw new RangeError(`entities a day (${entitiesPerDay}) must not be below 0, the most days (${mostDays}) not 0`);
  // Variance of the difference over that of one entity, when there is one entity in all.
  const spread = deviation * deviation * (1 / weights[0] + 1 / weights[1]);
  const entities = Math.ceil(informationNeeded(question) * spread);
  const information = (entitiesPerDay * mostDays) / spread;
  const isFound = (effect: number) =>
    informationNeeded({ ...question, effect, tunedFor: question.effect }) <= information;
  return {
    entities,
    days: entitiesPerDay > 0 ? entities / entitiesPerDay : Infinity,
    smallestEffect: information > 0 ? smallest(isFound, question.effect) : Infinity,
  };
}

/** The smallest number from which `isEnough` holds, to 1e-6 of itself, searched from `start`. */
function smallest(isEnough: (value: number) => boolean, start: number): number {
  let above = start;
  while (!isEnough(above)) above *= 2;
  let below = above / 2;
  while (isEnough(below) && below > start * 1e-12) below /= 2;
  while (above - below > 1e-6 * above) {
    const middle = (below + above) / 2;
    if (isEnough(middle)) above = middle;
    else below = middle;
  }
  return above;
}
