import type { NextFunction, Request, Response } from 'express';
import { ALWAYS_ANSWERED, deadlineExceeded, readTimeout, TIMEOUT_HEADER, type Admission } from '../admission.js';
import { signedInCallerOf } from '../http-context.js';
import { CallerGoneError } from '../../services/serving/predict-many.js';

/** Turns requests away that would be answered too late, or of callers that send too many. */
export function admit(admission: Admission) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const refusal = ALWAYS_ANSWERED.test(request.path)
      ? undefined
      : admission.refuse(request, signedInCallerOf(response));
    if (refusal) throw refusal;
    const timeoutMs = readTimeout(request.get(TIMEOUT_HEADER) ?? '');
    if (timeoutMs !== undefined)
      response.locals['deadline'] = { timeoutMs, atMs: performance.now() + timeoutMs } satisfies Deadline;
    next();
  };
}

interface Deadline {
  timeoutMs: number;
  atMs: number;
}
const deadlineOf = (response: Response) => response.locals['deadline'] as Deadline | undefined;

/** Whether nobody waits for the answer any more: the connection is gone, or the time that the caller gave is over. */
export const isGone = (response: Response): boolean =>
  response.destroyed || performance.now() > (deadlineOf(response)?.atMs ?? Infinity);

/**
 * Ends a call whose caller did not wait for its end.
 * @throws ServiceError `deadline_exceeded` where somebody is still there to be told; whatever else went wrong
 */
export function endGone(error: unknown, response: Response): undefined {
  if (!(error instanceof CallerGoneError)) throw error;
  const deadline = deadlineOf(response);
  if (!response.destroyed && deadline) throw deadlineExceeded(deadline.timeoutMs);
  return undefined;
}
