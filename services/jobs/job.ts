import type { FieldProblem } from '../../core/errors.js';
import type { JobStatus, JobType } from '../../core/names.js';

export interface JobError {
  code: string;
  detail: string;
  problems?: readonly FieldProblem[];
}

/** A job as callers see it. */
export interface Job {
  job_id: string;
  type: JobType;
  model: string | null;
  status: JobStatus;
  /** 0 to 1; never goes back. */
  progress: number;
  stage: string;
  request: unknown;
  result: unknown;
  error: JobError | null;
  correlation_id: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  /** Seconds until the end at the pace so far; null before there is a pace and after the end. */
  eta_seconds: number | null;
}

export const TERMINAL: readonly JobStatus[] = ['completed', 'failed', 'cancelled'];
