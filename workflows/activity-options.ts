import type { ActivityOptions } from '@temporalio/workflow';
import { TASK_QUEUES } from '../core/names.js';

/** One row of a job or a rollout. Tried for a day, since nothing else would write down how a job ended. */
export const NOTE: ActivityOptions = {
  startToCloseTimeout: '10 seconds',
  scheduleToCloseTimeout: '24 hours',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

/** Small decisions and records: a database that is away for minutes is waited for, bad input is not tried again. */
export const RECORD: ActivityOptions = {
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '1 hour',
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
};

/** Reading sources and writing datasets: long, with heartbeats, so that a dead worker is noticed in 10 s. */
export const DATA: ActivityOptions = {
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 10 },
};

/** Sums over the log of predictions. Tried for a day: a rollout outlives a database that is away, and changes nothing meanwhile. */
export const EVALUATE: ActivityOptions = {
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '24 hours',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
};

/** Traffic of a drill: until a rollout is over, so one that is started again goes on where it is. */
export const DRILL: ActivityOptions = {
  startToCloseTimeout: '70 minutes',
  heartbeatTimeout: '10 seconds',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '10 seconds',
    maximumAttempts: 20,
  },
};

/** Sums of a whole log, and hundreds of replays of it. */
export const REPLAY: ActivityOptions = {
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 5 },
};

/** Checks of a new version and the switch to it. */
export const DEPLOY: ActivityOptions = {
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '15 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
};

/**
 * CPU-bound fits, on the training workers. A deploy costs an attempt and so does a killed worker, so attempts are not
 * tight; a fit resumes from its last checkpoint.
 * @param seconds that one attempt may take (`MAX_TRAINING_TIME`).
 */
export function fitOptions(seconds: number): ActivityOptions {
  return {
    taskQueue: TASK_QUEUES.training,
    // The worker ends the fit at the limit itself and says why; Temporal's own limit is the net below it.
    startToCloseTimeout: (seconds + 60) * 1000,
    heartbeatTimeout: '10 seconds',
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '10 seconds', maximumAttempts: 20 },
  };
}

/**
 * Trials of a search, on the training workers. One that was interrupted starts afresh, which costs little; a killed worker is noticed soon.
 * @param seconds that one trial may take (`MAX_TRAINING_TIME`).
 * @param sweepId what the server shares the slots by, where it can
 */
export function trialOptions(seconds: number, sweepId: string): ActivityOptions {
  return {
    ...fitOptions(seconds),
    heartbeatTimeout: '6 seconds',
    retry: {
      initialInterval: '200 milliseconds',
      backoffCoefficient: 2,
      maximumInterval: '10 seconds',
      // Workers are killed and databases go away for minutes: neither is the fault of a trial.
      maximumAttempts: 100,
    },
    priority: { priorityKey: 4, fairnessKey: sweepId.slice(-64) },
  };
}
