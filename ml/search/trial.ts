import type { Configuration } from './search-space.js';

/** What one measurement of a trial on its way came to. */
export interface Report {
  /** How much the trial had spent by then, such as rounds or epochs; grows from report to report. */
  readonly resource: number;
  /** Lower is better, of the first objective. */
  readonly loss: number;
}

/** How a trial ended, or that it has not. A trial without usable figures has failed, whatever it says. */
export type TrialOutcome =
  | { readonly state: 'running' }
  /** One loss an objective, lower is better; `violation` is how far its constraints are missed in all, 0 where they are met. */
  | { readonly state: 'completed'; readonly losses: readonly number[]; readonly violation: number }
  /** Ended early by a pruner; its last report is what is known of it. */
  | { readonly state: 'pruned' }
  | { readonly state: 'failed'; readonly reason: string };

/** One row of the trial table. */
export interface Trial {
  /** From 0, without gaps. */
  readonly index: number;
  readonly configuration: Configuration;
  readonly reports: readonly Report[];
  readonly outcome: TrialOutcome;
}

/**
 * What a draw for trial `index` may know where `parallelism` trials run side by side: the ends of the trials up to
 * `index - parallelism`, and of the others before it only that they run. Which of those have ended by then depends on how fast the
 * workers are; leaving them out makes the whole trial table a function of the seed, the budget and the parallelism.
 * @param trials in any order; must hold every trial before `index`
 * @returns by index
 * @throws RangeError where a trial is missing, or has not ended that must have
 */
export function visibleTrials(trials: readonly Trial[], index: number, parallelism: number): Trial[] {
  if (!Number.isInteger(parallelism) || parallelism < 1)
    throw new RangeError(`parallelism is ${parallelism} but must be a whole number from 1`);
  const byIndex = new Map(trials.map((trial) => [trial.index, trial]));
  return Array.from({ length: index }, (_, at) => {
    const trial = byIndex.get(at);
    if (!trial) throw new RangeError(`trial ${index} cannot be drawn: trial ${at} is missing from the history`);
    if (at > index - parallelism) return { ...trial, reports: [], outcome: { state: 'running' } };
    if (trial.outcome.state === 'running')
      throw new RangeError(
        `trial ${index} cannot be drawn yet: trial ${at} must end first (parallelism ${parallelism})`,
      );
    return trial;
  });
}
