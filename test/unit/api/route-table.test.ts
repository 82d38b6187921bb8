import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../api/admission.js';
import { createApp } from '../../../api/app.js';
import { CONSOLE_PATH } from '../../../api/console.js';
import { DOCUMENT_PATHS } from '../../../api/docs.js';
import { METHOD_ROLES } from '../../../api/grpc/admit-call.js';
import type { ApiContext } from '../../../api/http-context.js';
import { RateLimiter } from '../../../api/rate-limiter.js';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { projectRoot } from '../../../services/project-root.js';
import { BatchTurns } from '../../../services/serving/batch-turns.js';
import { createMetrics } from '../../../services/telemetry/metrics.js';

interface Layer {
  name: string;
  route?: { path: string | string[]; stack: { name: string; method?: string }[] };
}

const metrics = createMetrics();
const batchTurns = new BatchTurns(0);
const rates = new RateLimiter({ rateLimit: 0, routeRates: new Map(), processes: 1, shared: undefined });
const admission = new Admission({ maxWaitMs: 0, rates, batchTurns, metrics });
const context = {
  metrics,
  admission,
  logger: pino({ level: 'silent' }),
  config: { corsOrigins: [], temporal: { namespace: 'default' } },
} as unknown as ApiContext;
const layers = createApp(context).router.stack as unknown as Layer[];
const asExpress = (path: string) => path.replaceAll(/\{(\w+)\}/g, ':$1');

describe('the table of routes', () => {
  it('has every path that Express answers, beside the documents and the console, which are for everybody', () => {
    const known = new Set(['/', CONSOLE_PATH, ...DOCUMENT_PATHS, ...ALL_ROUTES.map(({ path }) => asExpress(path))]);
    const paths = layers.flatMap(({ route }) => route?.path ?? []);
    expect(paths.length).toBeGreaterThan(ALL_ROUTES.length);
    expect(paths.filter((path) => !known.has(path))).toEqual([]);
  });

  it('is asked for the role before anything else of a call is looked at', () => {
    for (const { method, path } of ALL_ROUTES) {
      const layer = layers.find(({ route }) => route?.path === asExpress(path) && route.stack[0]?.method === method);
      const names = layer?.route?.stack.map(({ name }) => name) ?? [];
      expect(names.slice(0, 4), `${method} ${path}`).toEqual([
        'setRouteName',
        'requireRole',
        'limitRate',
        'refuseOtherModels',
      ]);
    }
  });

  it('gives everybody nothing but probes and the name of the server', () => {
    const open = ALL_ROUTES.filter(({ role }) => role === 'public').map(({ path }) => path);
    expect(open.toSorted()).toEqual(['/health/live', '/health/ready', '/v2', '/v2/health/live', '/v2/health/ready']);
  });

  it('lets only admins at access, erasure and the audit log, and no viewer change anything', () => {
    const guarded = ALL_ROUTES.filter(({ path }) => /^\/(tokens|audit|subjects|erasures)/.test(path));
    expect(new Set(guarded.map(({ role }) => role))).toEqual(new Set(['admin']));
    const changing = ALL_ROUTES.filter(({ method, role }) => method !== 'get' && ['public', 'viewer'].includes(role));
    // It computes and keeps nothing.
    expect(changing.map(({ path }) => path)).toEqual(['/experiments/plan']);
  });

  it('is matched by the methods of gRPC', () => {
    const definition = loadSync(join(projectRoot(), 'api/grpc/open-inference.proto'));
    expect(Object.keys(METHOD_ROLES).toSorted()).toEqual(
      Object.keys(definition['inference.GRPCInferenceService']!).toSorted(),
    );
  });
});
