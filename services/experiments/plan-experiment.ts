import { DEFAULT_EXPERIMENT_RULE } from '../../core/decisions/experiment-evidence.js';
import { ServiceError } from '../../core/errors.js';
import { planExperiment } from '../../ml/sequential/power-plan.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import { describeHistory, type MetricHistory } from './collect-experiment.js';
import type { ExperimentArmRoute } from './experiment-arms.js';
import type { CheckedExperiment } from './open-experiment.js';
import { leastWeights } from './plan-allocation.js';

/** Chance with which an effect of the minimum size is found, that plans go by. */
const POWER = 0.8;
/** At most so many days of the log tell what the metric was before. */
const HISTORY_DAYS = 28;
/** Of the metric's value before: the minimum effect where none is asked for. */
const DEFAULT_EFFECT_SHARE = 0.05;
/** Days at the end of the log whose new entities tell how many come on each day after it. */
const TREND_DAYS = 7;

export interface ExperimentPlanned {
  /** Entities a day that would take part for the first time, on average until the end, from the log of the last days. */
  entities_per_day: number;
  /** What the metric was, and its standard deviation between entities; null without history. */
  baseline: number | null;
  deviation: number | null;
  minimum_effect: number;
  /** Entities in all arms, and days, until an effect of that size is told from none; null where the log cannot say. */
  entities_needed: number | null;
  days_needed: number | null;
  /** The smallest difference, gain or harm, that is found by the end. */
  smallest_detectable: number | null;
  power: number;
}

/**
 * Plans an experiment by the traffic of the last days: those who come back are counted once, so entities come fast at first and slowly later.
 * @throws ServiceError `request_invalid` where no effect was asked for and none follows from the log
 */
export async function planFor(
  database: Database,
  request: Omit<CheckedExperiment['request'], 'minimum_effect'> & { minimum_effect?: number },
  arms: readonly ExperimentArmRoute[],
  heads: readonly SignatureHead[],
): Promise<ExperimentPlanned> {
  const mostDays = request.max_seconds / 86_400;
  // What an entity sums up to grows with the time: the log is looked at for as long as the experiment will be.
  const days = Math.max(1, Math.min(HISTORY_DAYS, Math.ceil(mostDays)));
  const history = await describeHistory(database, { ...request, heads, until: new Date(), days });
  const { mean: baseline, deviation } = history;
  const share = request.traffic / 100;
  const entitiesPerDay = (share * entitiesBy(history, mostDays)) / mostDays;
  const effect = request.minimum_effect ?? (baseline ? Math.abs(baseline) * DEFAULT_EFFECT_SHARE : 0);
  if (!(effect > 0))
    throw new ServiceError('request_invalid', 'Nothing is known of the metric as yet, so no effect follows from it.', [
      { path: 'minimum_effect', message: 'say what gain is worth having, in the unit of the metric' },
    ]);
  const known = { entities_per_day: entitiesPerDay, baseline, deviation, minimum_effect: effect, power: POWER };
  const unknown = { entities_needed: null, days_needed: null, smallest_detectable: null };
  if (!deviation || deviation <= 0 || entitiesPerDay <= 0) return { ...known, ...unknown };
  const plan = planExperiment({
    effect,
    alpha: DEFAULT_EXPERIMENT_RULE.alpha / (arms.length - 1),
    sides: 2,
    power: POWER,
    deviation,
    weights: leastWeights(request, arms),
    entitiesPerDay,
    mostDays,
  });
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    ...known,
    entities_needed: finite(plan.entities),
    days_needed: finite(daysFor(history, plan.entities / share)),
    smallest_detectable: finite(plan.smallestEffect),
  };
}

/** New entities a day after the log's end. */
function trend({ entitiesByDay: by }: MetricHistory): number {
  const days = Math.min(TREND_DAYS, by.length - 1);
  return days > 0 ? (by.at(-1)! - by.at(-1 - days)!) / days : (by[0] ?? 0);
}

/** Entities that come within so many days, if they come as they did in the log. */
export function entitiesBy(history: MetricHistory, days: number): number {
  const by = history.entitiesByDay;
  const whole = Math.floor(days);
  if (whole >= by.length) return (by.at(-1) ?? 0) + trend(history) * (days - by.length);
  const before = by[whole - 1] ?? 0;
  return before + (by[whole]! - before) * (days - whole);
}

/** @returns Infinity where no more entities come */
export function daysFor(history: MetricHistory, entities: number): number {
  const by = history.entitiesByDay;
  const at = by.findIndex((count) => count >= entities);
  if (at >= 0) {
    const before = by[at - 1] ?? 0;
    return at + (entities - before) / (by[at]! - before);
  }
  return by.length + (entities - (by.at(-1) ?? 0)) / trend(history);
}
