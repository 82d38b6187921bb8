import type { Response } from 'express';
import { ERROR_TABLE, type ErrorCode, type ServiceError } from '../../core/errors.js';

/** The routes of the Open Inference Protocol, which has its own shape for errors. */
export const isInferencePath = (path: string) => path === '/v2' || path.startsWith('/v2/');

/** The protocol knows 400 for every request that does not fit. */
export function inferenceStatus(code: ErrorCode): number {
  const { status } = ERROR_TABLE[code];
  return status === 422 ? 400 : status;
}

/** `{error}`, as the protocol has it; the correlation id is in its header. */
export function sendInferenceError(response: Response, error: ServiceError): void {
  if (error.retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(error.retryAfterSeconds));
  response.status(inferenceStatus(error.code)).json({ error: error.message });
}
