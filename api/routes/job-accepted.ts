import type { Request, Response } from 'express';
import { ServiceError } from '../../core/errors.js';
import type { Job } from '../../services/jobs/job.js';

/** 202 with the place to look at. */
export function jobAccepted(response: Response, job: Job): { job_id: string; status: string; status_url: string } {
  const statusUrl = `/jobs/${job.job_id}/status`;
  response.status(202).setHeader('Location', statusUrl);
  return { job_id: job.job_id, status: job.status, status_url: statusUrl };
}

const KEY = /^[\x21-\x7e]{1,200}$/;

/** The caller's `Idempotency-Key`, or undefined. */
export function idempotencyKeyOf(request: Request): string | undefined {
  const key = request.get('idempotency-key');
  if (key !== undefined && !KEY.test(key)) {
    throw new ServiceError(
      'request_invalid',
      'The Idempotency-Key must be 1 to 200 visible ASCII characters without spaces.',
      [{ path: 'header.Idempotency-Key', message: 'must be 1 to 200 visible ASCII characters' }],
    );
  }
  return key;
}
