import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { ERROR_TABLE, ServiceError, type ErrorCode, type FieldProblem } from '../../core/errors.js';
import { isDatabaseAway } from '../../services/database/database.js';
import type { Logger } from '../../services/telemetry/logger.js';
import { challengeOf } from './authenticate.js';
import { inferenceStatus, isInferencePath } from './inference-error.js';

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  correlation_id: string;
  errors?: readonly FieldProblem[];
}

/** @param path of the request */
export function problemOf(error: ServiceError, path: string, correlationId: string): Problem {
  return {
    type: `urn:problem:${error.code}`,
    title: ERROR_TABLE[error.code].title,
    status: error.status,
    detail: error.message,
    instance: path.slice(0, 500),
    correlation_id: correlationId,
    ...(error.problems.length > 0 ? { errors: error.problems } : {}),
  };
}

/**
 * Answers a request with what is wrong. Works before Express has seen it, too.
 * @param sent called once the answer has been handed to the system
 */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  error: ServiceError,
  sent?: () => void,
): void {
  // Express, where it has seen the request already, keeps the whole address there.
  const path = ((request as Partial<Request>).originalUrl ?? request.url ?? '').split('?', 1)[0]!;
  const challenge = challengeOf((response as Partial<Response>).locals ?? {}, error);
  if (challenge !== undefined) response.setHeader('WWW-Authenticate', challenge);
  if (error.retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(error.retryAfterSeconds));
  const isInference = isInferencePath(path);
  const problem = problemOf(error, path, String(response.getHeader('X-Correlation-Id') ?? ''));
  response.statusCode = isInference ? inferenceStatus(error.code) : error.status;
  response.setHeader('Content-Type', `application/${isInference ? '' : 'problem+'}json; charset=utf-8`);
  response.end(JSON.stringify(isInference ? { error: error.message } : problem), sent);
}

/** What the body parser says, as ours. */
const PARSER_ERRORS: Record<string, [ErrorCode, string]> = {
  'entity.too.large': ['body_too_large', 'The body is larger than this endpoint takes.'],
  'entity.parse.failed': ['request_malformed', 'The body is not valid JSON.'],
  'entity.too.deep': ['request_malformed', 'The body is nested deeper than 64 levels.'],
  'encoding.unsupported': [
    'media_type_unsupported',
    'The Content-Encoding is not supported; use gzip, deflate or br, or none.',
  ],
  'charset.unsupported': ['media_type_unsupported', 'The charset is not supported; use UTF-8.'],
  'request.aborted': ['request_malformed', 'The request was cut off.'],
  'request.size.invalid': ['request_malformed', 'The body is not as long as its Content-Length says.'],
};

/** Turns whatever was thrown into problem+json. What a caller did not cause is logged in full and told without detail. */
export function handleErrors(logger: Logger) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) return next(error);
    sendProblem(request, response, asServiceError(error, logger));
  };
}

function asServiceError(error: unknown, logger: Logger): ServiceError {
  if (error instanceof ServiceError) {
    // That something is away or busy, or that a caller waits no longer, is known and will pass: a line, not a stack.
    if (error.status === 503 || error.status === 504)
      logger.warn({ code: error.code, detail: error.message }, 'request refused for now');
    else if (error.status >= 500) logger.error({ err: error }, 'request failed');
    return error;
  }
  const { type, status, message } = (error ?? {}) as { type?: string; status?: number; message?: string };
  const parser = type === undefined ? undefined : PARSER_ERRORS[type];
  if (parser)
    return new ServiceError(
      parser[0],
      type === 'entity.parse.failed' ? `${parser[1].slice(0, -1)}: ${message ?? ''}.` : parser[1],
    );
  if (error instanceof URIError || status === 400)
    return new ServiceError('request_malformed', 'The request could not be read.');
  if (isDatabaseAway(error))
    return new ServiceError(
      'dependency_unavailable',
      'The database cannot be reached at present. Try again shortly.',
      [],
      2,
    );
  logger.error({ err: error }, 'request failed unexpectedly');
  return new ServiceError(
    'internal_error',
    'Something went wrong on our side. The log has more under the correlation id.',
  );
}
