import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Container } from '../services/container.js';
import { applySweep, closeSweep } from '../services/search/close-sweep.js';
import { noteSweep, type SweepNote } from '../services/search/note-sweep.js';
import { openSweep } from '../services/search/open-sweep.js';
import { runTrial, type TrialRun } from '../services/search/run-trial.js';
import { SweepMemory } from '../services/search/sweep-memory.js';
import { TrialPool } from '../services/search/trial-pool.js';
import { endTrial } from '../services/search/trial-table.js';
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
    /** Gives a trial its end that took its workers with it again and again. */
    failTrial: (input: { sweepId: string; index: number; reason: string }) =>
      mapFailures(async () => {
        const { sweepId, index, reason } = input;
        const end = { state: 'failed' as const, reports: [], losses: [], metrics: {}, reason, seconds: 0 };
        await endTrial(database, sweepId, index, end);
      }),
  };
}

const HEARTBEAT_EVERY_MS = 1000;

/** Trials, on the training workers, in processes that a worker keeps for all trials of a sweep. */
export function createTrialActivities(container: Container) {
  const { config, database, folders, jobs, logger } = container;
  const pool = new TrialPool({ trialMb: config.trainingMemoryMb, totalMb: config.trainingMemoryTotalMb });
  const memory = new SweepMemory(database);
  const { from, to } = SEARCH_PROGRESS;
  return {
    runTrial: (run: TrialRun & { jobId: string; trials: number }) =>
      mapFailures(async () => {
        let last: unknown = { index: run.index };
        const beat = setInterval(() => heartbeat(last), HEARTBEAT_EVERY_MS);
        try {
          const summary = await runTrial(run, {
            database,
            memory,
            pool,
            stagingRoot: folders.modelStaging,
            signal: cancellationSignal(),
            onReport: (report) => {
              last = { index: run.index, ...report };
              heartbeat(last);
            },
          });
          // Progress is a courtesy: a database that is away must not fail the trial.
          await jobs
            .reportProgress(run.jobId, 'search', from + ((to - from) * (run.index + 1)) / run.trials)
            .catch((error: unknown) => logger.debug({ err: error }, 'progress could not be written'));
          return summary;
        } finally {
          clearInterval(beat);
        }
      }),
  };
}
