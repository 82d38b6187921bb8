import { median } from '../evaluate/median.js';
import { KEEP_ALL, levelReached, lossesAt, type Pruner } from './pruner.js';

export interface MedianPrunerOptions {
  /** What a trial spends that runs to its end, such as rounds; whole, from 1. */
  readonly maxResource: number;
  /** No trial is judged before this; 3 unless given. */
  readonly minResource?: number;
  /** Between two levels; a twentieth of the most unless given. */
  readonly step?: number;
  /** So many trials must have reached a level before one is judged there; 5 unless given. */
  readonly startupTrials?: number;
}

/**
 * The median rule (D. Golovin et al., "Google Vizier", KDD 2017): a trial ends when its best loss so far is worse than the median of what
 * others had at the same resource. Vizier takes their running averages; of a curve that falls these lag behind, and hardly any trial
 * would end, so the losses themselves are taken, as in Optuna.
 */
export function createMedianPruner({
  maxResource,
  minResource = 3,
  step = Math.max(1, Math.round(maxResource / 20)),
  startupTrials = 5,
}: MedianPrunerOptions): Pruner {
  if (!Number.isInteger(minResource) || minResource < 1)
    throw new RangeError(`the least resource is ${minResource} but must be a whole number from 1`);
  const levels: number[] = [];
  for (let level = minResource; level < maxResource; level += step) levels.push(level);
  if (levels.length === 0) return KEEP_ALL;
  return {
    levelsOf: () => levels,
    decide: ({ history, reports }) => {
      const level = levelReached(reports, levels);
      if (level === undefined) return 'continue';
      const others = lossesAt(history, level);
      if (others.length < startupTrials) return 'continue';
      const own = reports.reduce((best, { loss }) => (loss < best ? loss : best), Infinity);
      return own > median(others) || own === Infinity ? 'prune' : 'continue';
    },
  };
}
