import { ServiceError, type FieldProblem } from '../../core/errors.js';
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

const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}$/;

/** A job id names folders and stands in paths of the API. Workflows that are started from the command line choose their own. */
export const isJobId = (id: string): boolean => JOB_ID.test(id);

/** @throws ServiceError `request_invalid` for an id that could lead out of a folder or is not safe in a URL. */
export function checkJobId(id: string): void {
  if (isJobId(id)) return;
  const message = 'must have letters, digits and . _ : ~ - only, and start with a letter or digit';
  throw new ServiceError('request_invalid', `The workflow id ${message}.`, [{ path: 'workflow_id', message }]);
}
