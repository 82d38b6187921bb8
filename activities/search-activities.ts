import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Container } from '../services/container.js';
import { applySweep, closeSweep } from '../services/search/close-sweep.js';
import { noteSweep, type SweepNote } from '../services/search/note-sweep.js';
import { openSweep } from '../services/search/open-sweep.js';
import { runTrials, type LaneRun } from '../services/search/run-trials.js';
import { SweepMemory } from '../services/search/sweep-memory.js';
import { TrialPool } from '../services/search/trial-pool.js';
import { failTrialOf } from '../services/search/trial-table.js';
import type { TrainingPlan } from '../services/training/training-plan.js';
import { mapFailures } from './activity-run.js';

/** Of a job with a search, the share of its progress that lies before the trials and that they take. */
export const SEARCH_PROGRESS = { from: 0.15, to: 0.6 };

/** Records of sweeps, on the pipeline workers. */
export function createSweepActivities({ database }: Container) {
  return {
    openSweep: (input: { plan: TrainingPlan; rows: number }) => mapFailures(() => openSweep(input, { database })),
    noteSweep: (note: SweepNote) => mapFailures(() => noteSweep(note, { database })),
    closeSweep: (input: Parameters<typeof closeSweep>[0]) => mapFailures(() => closeSweep(input, { database })),
    applySweep: (input: { plan: TrainingPlan; sweepId: string }) =>
      mapFailures(() => applySweep(input.plan, input.sweepId, { database })),
    /** Gives the trial of a lane its end that took its workers with it again and again. */
    failTrialOf: (input: LaneRun & { reason: string }) =>
      mapFailures(() => failTrialOf(database, input.sweepId, input.lane, input.reason)),
    /** As workflows of former releases ask for it. */
    failTrial: (input: { sweepId: string; index: number; reason: string }) =>
      mapFailures(() => failTrialOf(database, input.sweepId, laneOfOne(input.index), input.reason)),
  };
}

/** Of an activity that a former release has asked for, which is about one trial. */
const laneOfOne = (index: number) => `one-${index}`;

const HEARTBEAT_EVERY_MS = 1000;
const PROGRESS_EVERY_MS = 300;

/** What the progress of a job is told by. */
interface Progress {
  jobId: string;
  trials: number;
}

/** Trials, on the training workers, in processes that a worker keeps for all trials of a sweep. */
export function createTrialActivities(container: Container) {
  const { config, database, folders, jobs, logger } = container;
  const pool = new TrialPool({ trialMb: config.trainingMemoryMb, totalMb: config.trainingMemoryTotalMb });
  const memory = new SweepMemory(database);
  const { from, to } = SEARCH_PROGRESS;
  const toldMs = { last: 0 };
  /** A courtesy: now and then, and a database that is away must not fail the trial. */
  async function tellProgress({ jobId, trials }: Progress, index: number): Promise<void> {
    const isLast = index + 1 === trials;
    if (!isLast && performance.now() - toldMs.last < PROGRESS_EVERY_MS) return;
    toldMs.last = performance.now();
    await jobs
      .reportProgress(jobId, 'search', from + (to - from) * Math.min(1, (index + 1) / trials))
      .catch((error: unknown) => logger.debug({ err: error }, 'progress could not be written'));
  }
  const run = (lane: LaneRun & Progress, mode: 'lane' | 'one') =>
    mapFailures(async () => {
      let last: unknown = {};
      const beat = setInterval(() => heartbeat(last), HEARTBEAT_EVERY_MS);
      const context = {
        database,
        memory,
        pool,
        stagingRoot: folders.modelStaging,
        signal: cancellationSignal(),
        onReport: (index: number, report: object) => {
          last = { index, ...report };
          heartbeat(last);
        },
        onEnd: (index: number) => tellProgress(lane, index),
      };
      try {
        return await runTrials(lane, context, mode);
      } finally {
        clearInterval(beat);
      }
    });
  return {
    runTrials: (lane: LaneRun & Progress) => run(lane, 'lane'),
    /** As workflows of former releases ask for it: one trial at a time. */
    runTrial: (input: { sweepId: string; index: number } & Progress) =>
      run({ ...input, lane: laneOfOne(input.index) }, 'one'),
  };
}
