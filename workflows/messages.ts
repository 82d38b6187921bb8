import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

/** Where a job stands; also readable when it has ended, as long as Temporal keeps its history. */
export interface JobProgress {
  stage: string;
  paused: boolean;
}

/** Where the job stands, as `{stage, paused}`. */
export const progress = defineQuery<JobProgress>('progress');
/**
 * What a signal to a rollout may carry: who sends it and why, to be written down. It is not trusted to be so: whoever can send signals can
 * say anything, and the command line says nothing.
 */
export interface Command {
  by?: string;
  note?: string;
}

/** The job finishes the step under way and then waits. */
export const pause = defineSignal<[Command?]>('pause');
/** The job goes on. */
export const resume = defineSignal<[Command?]>('resume');
/** The version on trial gets all the traffic, whatever the evidence says as yet. */
export const promote = defineSignal<[(Command & { override_freeze?: boolean })?]>('promote');
/** A person agrees that the version may get all traffic once the evidence allows it. */
export const approve = defineSignal<[Command?]>('approve');
/** The shares that are still to come, in percent. */
export const setLadder = defineSignal<[unknown, Command?]>('set_ladder');

/** Where the search of a job stands. */
export interface SweepProgress {
  /** The number of the trial that starts next, as of the last lane that has told. */
  next: number;
  trials: number;
  timeoutSeconds?: number;
  isPaused: boolean;
  bestLoss: number | null;
  /** Activities that run trials now. */
  lanes: number;
  /** Why it is being ended, where it is. */
  stopping?: string;
}

/** Where the search stands: the trial that starts next, how many lanes run, and the least loss so far. */
export const sweepProgress = defineQuery<SweepProgress>('sweep_progress');
/** No further trial starts; those under way run to their end. Answered when it is written down. */
export const pauseSweep = defineUpdate<void>('pause_sweep');
/** Trials start again. Answered when it is written down. */
export const resumeSweep = defineUpdate<void>('resume_sweep');
/** Trials under way are given up, and the best so far is taken. */
export const stopSweep = defineUpdate<void>('stop_sweep');
/** Trials under way are given up, and the best so far is taken: what `stop_sweep` does, for who needs no answer. */
export const stop = defineSignal('stop');
/** What `change_budget` does, for who needs no answer: `{trials, timeout_seconds}`, of which one is enough. What it could not take changes nothing. */
export const setBudget = defineSignal<[unknown]>('set_budget');
/** Totals, so that a repeated call changes nothing. Not below what has begun. */
export const changeBudget = defineUpdate<void, [{ trials?: number; timeout_seconds?: number }]>('change_budget');
