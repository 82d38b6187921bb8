import { checkHealth } from '../../services/health/check-health.js';
import { metricsOfAll } from '../all-processes.js';
import { ref, type RouteDefinition } from './route-definition.js';

export const operateRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/health',
    tag: 'Operate',
    summary: 'Each dependency with its state and latency',
    description:
      'Always 200 while the process lives; `status` says `ok` or `degraded`, and each dependency what it affects. Probes take /health/live and /health/ready, which need no token.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The health', schema: ref('Health') }],
    async handle(_request, _response, context) {
      const serving = context.routing.all().map(({ model, version }) => ({ model, version }));
      const health = await checkHealth(context, serving);
      for (const [dependency, { status }] of Object.entries(health.dependencies))
        context.metrics.dependencyUp.set({ dependency }, status === 'up' ? 1 : 0);
      return health;
    },
  },
  {
    method: 'get',
    path: '/health/live',
    tag: 'Operate',
    summary: 'Whether the process lives',
    role: 'public',
    answers: [
      { status: 200, description: 'It lives', schema: { type: 'object', properties: { status: { const: 'live' } } } },
    ],
    handle: () => Promise.resolve({ status: 'live' }),
  },
  {
    method: 'get',
    path: '/health/ready',
    tag: 'Operate',
    summary: 'Whether the process takes requests',
    description:
      'Depends on no database and no Temporal: predictions go on without them. 503 from the first sign of a shutdown on.',
    role: 'public',
    answers: [
      {
        status: 200,
        description: 'It is ready',
        schema: { type: 'object', properties: { status: { const: 'ready' } } },
      },
      {
        status: 503,
        description: 'It is shutting down',
        schema: { type: 'object', properties: { status: { const: 'draining' } } },
      },
    ],
    handle(_request, response, context) {
      const isReady = context.isAccepting();
      response.status(isReady ? 200 : 503);
      return Promise.resolve({ status: isReady ? 'ready' : 'draining' });
    },
  },
  {
    method: 'get',
    path: '/metrics',
    tag: 'Operate',
    summary: 'Metrics for Prometheus',
    role: 'viewer',
    answers: [
      { status: 200, description: 'Prometheus text format', contentType: 'text/plain', schema: { type: 'string' } },
    ],
    async handle(_request, response, context) {
      response.type(context.metrics.registry.contentType).send(await metricsOfAll(context.metrics.registry));
      return undefined;
    },
  },
];
