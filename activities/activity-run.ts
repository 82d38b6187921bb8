import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { isPermanent, ServiceError } from '../core/errors.js';
import type { Container } from '../services/container.js';
import { withoutCredentials } from '../services/telemetry/redact.js';

/** The part of a job's progress that one step covers, and the name of the step. */
export interface StageRange {
  stage: string;
  from: number;
  to: number;
}

const REPORT_EVERY_MS = 300;
const HEARTBEAT_EVERY_MS = 1000;

export interface ActivityRun {
  signal: AbortSignal;
  /** Tells this attempt's files from those of any other. */
  attempt: string;
  report: (share: number) => void;
}

/**
 * Runs one step of a service as an activity: heartbeats while it runs (so that a cancellation arrives and a dead worker is
 * noticed), progress into the job's row, and failures under their code.
 */
export async function runActivity<T>(
  container: Container,
  jobId: string,
  range: StageRange,
  step: (run: ActivityRun) => Promise<T>,
): Promise<T> {
  const { jobs, logger } = container;
  let share = 0;
  let lastMs = 0;
  const write = () => {
    lastMs = performance.now();
    // Progress is a courtesy: a database that is away must not fail the step.
    jobs
      .reportProgress(jobId, range.stage, range.from + share * (range.to - range.from))
      .catch((error: unknown) => logger.debug({ err: error }, 'progress could not be written'));
  };
  const report = (next: number) => {
    share = Math.max(share, Math.min(1, next));
    if (performance.now() - lastMs >= REPORT_EVERY_MS) write();
  };
  const beat = setInterval(() => heartbeat({ stage: range.stage, share }), HEARTBEAT_EVERY_MS);
  write();
  try {
    const info = activityInfo();
    const result = await step({ signal: cancellationSignal(), attempt: `${info.attempt}-${process.pid}`, report });
    await jobs
      .reportProgress(jobId, range.stage, range.to)
      .catch((error: unknown) => logger.debug({ err: error }, 'progress could not be written'));
    return result;
  } catch (error) {
    throw asActivityFailure(error);
  } finally {
    clearInterval(beat);
  }
}

/** Our failures keep their code and paths; what trying again cannot mend is not tried again. */
export function asActivityFailure(error: unknown): unknown {
  if (error instanceof ServiceError) {
    return ApplicationFailure.create({
      type: error.code,
      message: withoutCredentials(error.message),
      details: [error.problems],
      nonRetryable: isPermanent(error.code),
      cause: undefined,
    });
  }
  if (error instanceof Error && !(error instanceof ApplicationFailure))
    error.message = withoutCredentials(error.message);
  return error;
}

/** For steps of a few milliseconds: only the mapping of failures. */
export async function mapFailures<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw asActivityFailure(error);
  }
}
