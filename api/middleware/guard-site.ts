import cors from 'cors';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { ServiceError } from '../../core/errors.js';
import { isLoopback } from '../../services/auth/auth-settings.js';

/** The name in a Host header, without its port. */
const nameOf = (host: string) => host.replace(/:\d+$/, '').toLowerCase();

/**
 * Whether a request is addressed to this machine, as all are while no token is needed. A page of somebody else whose name points to this machine for a
 * moment (DNS rebinding) sends its own name.
 */
export const isToLoopback = (host: string | undefined) => host !== undefined && isLoopback(nameOf(host));

/**
 * Where everybody who reaches the service may do everything, a browser on this machine must not do it for a page from elsewhere.
 * @throws ServiceError `site_forbidden`
 */
export function refuseOtherSites(allowed: readonly string[]) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const { origin, host } = request.headers;
    const isOwn = origin === undefined || allowed.includes(origin.toLowerCase()) || origin === `http://${host}`;
    if (!isToLoopback(host) || !isOwn)
      throw new ServiceError(
        'site_forbidden',
        'Without sign-in the service answers programs and pages of this machine only: call it as 127.0.0.1 or localhost, or name the page in CORS_ORIGINS.',
      );
    next();
  };
}

/** Lets pages of some origins call the API; of no others, which is the default, a browser shows the answer to nobody. */
export function allowOrigins(allowed: readonly string[]): RequestHandler {
  return cors({
    origin: [...allowed],
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'X-Correlation-Id',
      'X-Timeout-Ms',
      'X-Model-Version',
      // Temporal's Web UI sends it to /codec.
      'X-Namespace',
    ],
    exposedHeaders: ['X-Correlation-Id', 'Retry-After', 'Location', 'WWW-Authenticate'],
    maxAge: 600,
  });
}
