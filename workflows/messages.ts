import { defineQuery, defineSignal } from '@temporalio/workflow';

/** Where a job stands; also readable when it has ended, as long as Temporal keeps its history. */
export interface JobProgress {
  stage: string;
  paused: boolean;
}

/** `temporal workflow query --type progress` */
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
