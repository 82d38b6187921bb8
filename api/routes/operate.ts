import type { Request } from 'express';
import { METRIC_FORMATS, renderMetrics, type MetricFormat } from '../../services/telemetry/render-metrics.js';
import { metricsOfAll } from '../all-processes.js';
import type { ApiContext } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

const statusOf = (...status: string[]) => ({
  type: 'object',
  required: ['status'],
  properties: { status: { enum: status } },
});

/** Whether requests can be answered, and if not, why. */
function readiness({ isAccepting, routing }: ApiContext): 'ready' | 'draining' | 'nothing_served' {
  if (!isAccepting()) return 'draining';
  // With nothing deployed there is nothing that could be missing.
  return routing.all().length === 0 && routing.unserved().length > 0 ? 'nothing_served' : 'ready';
}

/** OpenMetrics where the caller prefers it, which Prometheus does; else the text format, which people can read as well. */
function formatFor(request: Request): MetricFormat {
  const { text, openMetrics } = METRIC_FORMATS;
  // A caller may name the charset or not.
  const offered = [text, openMetrics].flatMap((type) => [type.replace(/; charset.*/, ''), type]);
  const wanted = request.accepts(offered);
  return typeof wanted === 'string' && wanted.startsWith('application/openmetrics-text') ? 'openMetrics' : 'text';
}

export const operateRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/health',
    tag: 'Operate',
    summary: 'Each dependency with its state, latency and last error',
    description:
      'Always 200 while the process lives. `status` says `ok` or `degraded`, `degraded` names each state that is not as it should be and ' +
      'what it affects, and `last_error` is the latest failure that any API process has met since it was started. ' +
      'Probes take /health/live and /health/ready, which need no token.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The health', schema: ref('Health') }],
    handle: (_request, _response, context) => context.health.check(),
  },
  {
    method: 'get',
    path: '/health/live',
    tag: 'Operate',
    summary: 'Whether the process lives',
    role: 'public',
    answers: [{ status: 200, description: 'It lives', schema: statusOf('live') }],
    handle: () => Promise.resolve({ status: 'live' }),
  },
  {
    method: 'get',
    path: '/health/ready',
    tag: 'Operate',
    summary: 'Whether predictions can be answered',
    description:
      'Depends on no database and no Temporal: predictions go on without them. 503 from the first sign of a shutdown on, and while none of the ' +
      'models that are deployed could be loaded.',
    role: 'public',
    answers: [
      { status: 200, description: 'It is ready', schema: statusOf('ready') },
      {
        status: 503,
        description: 'It is shutting down, or has no model to answer with',
        schema: statusOf('draining', 'nothing_served'),
      },
    ],
    handle(_request, response, context) {
      const status = readiness(context);
      response.status(status === 'ready' ? 200 : 503);
      return Promise.resolve({ status });
    },
  },
  {
    method: 'get',
    path: '/metrics',
    tag: 'Operate',
    summary: 'Metrics for Prometheus',
    description:
      'Of all API processes and of the workers of the machine together, with those of the Temporal SDK. As OpenMetrics, with trace ids as ' +
      'exemplars, for callers that prefer it.',
    role: 'viewer',
    answers: [
      { status: 200, description: 'The metrics', contentType: 'text/plain', schema: { type: 'string' } },
      {
        status: 200,
        description: 'The metrics',
        contentType: 'application/openmetrics-text',
        schema: { type: 'string' },
      },
    ],
    async handle(request, response, { config, inventory }) {
      const format = formatFor(request);
      const metrics = await metricsOfAll(config.stateDir, inventory);
      response.type(METRIC_FORMATS[format]).send(renderMetrics(metrics, format));
      return undefined;
    },
  },
];
