import type { NextFunction, Request, Response } from 'express';
import { correlationIdFrom, runWithContext } from '../../services/telemetry/correlation.js';

/** Gives each call its correlation id, in the answer, in every log line and in what it starts. */
export function correlate(request: Request, response: Response, next: NextFunction): void {
  const correlationId = correlationIdFrom(request.get('x-correlation-id'));
  response.locals['correlationId'] = correlationId;
  response.setHeader('X-Correlation-Id', correlationId);
  runWithContext({ correlationId }, next);
}
