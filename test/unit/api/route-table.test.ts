import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Admission } from '../../../api/admission.js';
import { createApp } from '../../../api/app.js';
import { CONSOLE_PATH } from '../../../api/console.js';
import { DOCUMENT_PATHS } from '../../../api/docs.js';
import { METHOD_ROLES, METHOD_ROUTES } from '../../../api/grpc/admit-call.js';
import type { ApiContext } from '../../../api/http-context.js';
import { DATA_IN_BODY, READS_BEYOND } from '../../../api/data-scope.js';
import { modelNamed, NAMED_IN_BODY, OWNED } from '../../../api/model-scope.js';
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
  config: { corsOrigins: [], tls: { apiClient: {}, redis: {} }, temporal: { namespace: 'default' } },
} as unknown as ApiContext;
const layers = createApp(context).router.stack as unknown as Layer[];
const asExpress = (path: string) => path.replaceAll(/\{(\w+)\}/g, ':$1');

/** Places in bodies that name no object: whom a prediction is about, a count, and where a repair takes its rows from. */
const NO_OBJECTS = /: (entity_id|user_id|project_id|series_id|(training\.)?search\.ensemble\.models|source)$/;

/** Where a schema has properties that name something: `training_data.source`. */
function namesIn(schema: unknown, place: readonly string[] = []): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key !== 'properties') return namesIn(value, place);
    return Object.entries(value as Record<string, unknown>).flatMap(([name, property]) => {
      const at = [...place, name];
      const isName = /^(model|models|model_type|source|against|datasets?|views?|job|run|url)$|_ids?$/.test(name);
      return [...(isName ? [at.join('.')] : []), ...namesIn(property, at)];
    });
  });
}

describe('the table of routes', () => {
  it('has every path that Express answers, beside documents and console, which are for everybody', () => {
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

  it('tells of each object that a path names whose it is, or that it belongs to no model', () => {
    const ofNoModel = [
      'dataset_id',
      'delivery_id',
      'entity_id',
      'erasure_id',
      'receiver_id',
      'report_id',
      'silence_id',
    ];
    const more = ['token_id', 'upload_id', 'watermark_id', 'webhook_id'];
    const named = ALL_ROUTES.filter(({ path }) => modelNamed(path, { params: {} } as never) === undefined)
      .filter(({ path }) => !path.includes('{model}'))
      .flatMap(({ path }) => [...path.matchAll(/\{(\w+_id)\}/g)].map(([, name]) => name!));
    expect([...new Set(named)].toSorted()).toEqual([...Object.keys(OWNED), ...ofNoModel, ...more].toSorted());
  });

  it('tells of each object that a body names how a caller of some models is kept from those of others', () => {
    const scoped = ALL_ROUTES.filter(
      ({ method, path }) =>
        !READS_BEYOND.includes(`${method} ${path}`) &&
        (modelNamed(path, { params: {} } as never) !== undefined ||
          /\{(model|\w+_id)\}/.test(path) ||
          `${method} ${path}` in NAMED_IN_BODY),
    );
    const found = scoped.flatMap(({ method, path, body, role }) =>
      body && role !== 'admin'
        ? namesIn(z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' })).map(
            (place) => `${method} ${path}: ${place}`,
          )
        : [],
    );
    const kept = [
      ...Object.entries(NAMED_IN_BODY).map(([route, field]) => `${route}: ${field}`),
      ...Object.entries(DATA_IN_BODY).map(([route, place]) => `${route}: ${place.join('.')}`),
    ];
    expect(found.filter((place) => !kept.includes(place) && !NO_OBJECTS.test(place))).toEqual([]);
    expect(kept.filter((place) => !found.includes(place))).toEqual([]);
  });

  it('is matched by the methods of gRPC', () => {
    const definition = loadSync(join(projectRoot(), 'api/grpc/open-inference.proto'));
    expect(Object.keys(METHOD_ROLES).toSorted()).toEqual(
      Object.keys(definition['inference.GRPCInferenceService']!).toSorted(),
    );
    const routes = new Map(ALL_ROUTES.map(({ method, path, role }) => [`${method.toUpperCase()} ${path}`, role]));
    for (const [method, role] of Object.entries(METHOD_ROLES))
      if (role !== 'public') expect(routes.get(METHOD_ROUTES[method]!), method).toBe(role);
  });
});
