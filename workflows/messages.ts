import { defineQuery, defineSignal } from '@temporalio/workflow';

/** Where a job stands; also readable when it has ended, as long as Temporal keeps its history. */
export interface JobProgress {
  stage: string;
  paused: boolean;
}

/** `temporal workflow query --type progress` */
export const progress = defineQuery<JobProgress>('progress');
/** The job finishes the step under way and then waits. */
export const pause = defineSignal('pause');
/** The job goes on. */
export const resume = defineSignal('resume');
/** The version on trial gets all the traffic, whatever the evidence says as yet. */
export const promote = defineSignal('promote');
/** The shares that are still to come, in percent. */
export const setLadder = defineSignal<[number[]]>('set_ladder');
