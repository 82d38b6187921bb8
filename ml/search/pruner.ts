import type { Report, Trial } from './trial.js';

/** What a decision depends on, all of it: the same request gets the same answer on every machine. */
export interface PruneRequest {
  /** What `visibleTrials` shows to this trial: ended trials with their reports, of the others only that they run. */
  readonly history: readonly Trial[];
  /** Number of the trial that is judged, from 0. */
  readonly index: number;
  /** Its own reports up to now, by rising resource. */
  readonly reports: readonly Report[];
  /** Whole number within ±2^53; no pruner here draws yet. */
  readonly seed: number;
}

export type PruneDecision = 'continue' | 'prune';

/** Ends trials that are not worth their cost; holds no state between decisions. */
export interface Pruner {
  /** The resources, rising and below the most, at which trial `index` has to report and is judged. Empty where it is never judged. */
  levelsOf(index: number): readonly number[];
  /**
   * Judges a trial by its last report. Says "continue" where that report is not the first one at or past a level, so it can be asked after
   * every report and asked again.
   */
  decide(request: PruneRequest): PruneDecision;
}

/** Lets every trial run to its end. */
export const KEEP_ALL: Pruner = { levelsOf: () => [], decide: () => 'continue' };

/** The loss of the first report at or past a level; NaN reads as Infinity. Undefined where the trial did not come so far. */
export function lossAt(reports: readonly Report[], level: number): number | undefined {
  const report = reports.find(({ resource }) => resource >= level);
  if (!report) return undefined;
  return Number.isNaN(report.loss) ? Infinity : report.loss;
}

/** The highest level that the last report is the first to reach; undefined where it reaches no new one. */
export function levelReached(reports: readonly Report[], levels: readonly number[]): number | undefined {
  const now = reports.at(-1)?.resource ?? -Infinity;
  const before = reports.at(-2)?.resource ?? -Infinity;
  return levels.findLast((level) => level <= now && level > before);
}

/** The losses at a level of the ended trials that came so far, by index; a trial that failed is no measure for others. */
export function lossesAt(history: readonly Trial[], level: number): number[] {
  const isEnded = ({ outcome: { state } }: Trial) => state === 'completed' || state === 'pruned';
  return history.filter(isEnded).flatMap(({ reports }) => lossAt(reports, level) ?? []);
}
