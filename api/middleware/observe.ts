import { AsyncResource } from 'node:async_hooks';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from '../../services/telemetry/logger.js';
import type { Metrics } from '../../services/telemetry/metrics.js';

/** Paths that probes and scrapers call all the time; a line for each would bury the others. */
const QUIET = /^\/(health|metrics|predict|v2)\b/;

/** Paths that name a person: who was erased must not be read in the log. */
const PERSONAL = /^\/subjects\//;

/** Counts and times each request by its route (never by its raw path, which has no bounds), and logs it. */
export function observe(metrics: Metrics, logger: Logger) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const start = performance.now();
    // Bound, so that its line has the ids of the call.
    const tell = AsyncResource.bind(() => {
      const seconds = (performance.now() - start) / 1000;
      const route = (response.locals['route'] as string | undefined) ?? 'unmatched';
      const status = response.writableFinished ? response.statusCode : 499;
      metrics.countRequest(request.method, route, status, seconds);
      const quiet = QUIET.test(request.path) && status < 400 ? 'debug' : 'info';
      const level = status === 503 ? 'warn' : status >= 500 ? 'error' : quiet;
      const path = PERSONAL.test(request.path) ? route : request.path.slice(0, 200);
      logger[level]({ method: request.method, path, status, ms: Math.round(seconds * 1e5) / 100 }, 'request');
    });
    response.once('close', tell);
    next();
  };
}
