import type { NextFunction, Request, Response } from 'express';
import { openSpan } from '../../services/telemetry/tracing.js';

/** Probes and scrapers call all the time, and nobody looks for their traces. */
const UNTRACED = /^\/(health|metrics)\b/;

/** Gives each call a span, in the trace of the caller where there is one (W3C `traceparent`). Costs nothing while nothing is traced. */
export function trace(request: Request, response: Response, next: NextFunction): void {
  const { method, headers } = request;
  const span = UNTRACED.test(request.path)
    ? undefined
    : openSpan(method, { kind: 'SERVER', headers, attributes: { 'http.request.method': method } });
  if (!span) return next();
  response.once('close', () => {
    const { statusCode, locals } = response;
    // The route, never the path, which may name a person.
    const route = (locals['route'] as string | undefined) ?? 'unmatched';
    span.rename(`${method} ${route}`);
    span.setAttributes({
      'http.route': route,
      'http.response.status_code': statusCode,
      'mlops.correlation_id': String(locals['correlationId']),
    });
    span.end(statusCode >= 500 ? statusCode : undefined);
  });
  span.within(next);
}
