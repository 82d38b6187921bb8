import type { NextFunction, Request, Response } from 'express';
import type { Admission } from '../admission.js';

/** Whoever watches the service must get an answer above all when it is too busy. */
const ALWAYS = /^\/(health|metrics)\b/;

/** Turns requests away that would be answered too late, or of callers that send too many. */
export function admit(admission: Admission) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const refusal = ALWAYS.test(request.path) ? undefined : admission.refuse(request);
    if (refusal) throw refusal;
    next();
  };
}
