import { z } from 'zod';
import { ERROR_TABLE } from '../core/errors.js';
import { releaseVersion } from '../services/release-version.js';
import { makeCodeSamples } from './code-samples.js';
import { ACCESS_SCHEMAS } from './openapi-access-schemas.js';
import { DATA_QUALITY_SCHEMAS } from './openapi-data-quality-schemas.js';
import { ALERT_SCHEMAS } from './openapi-alert-schemas.js';
import { REPAIR_SCHEMAS } from './openapi-repair-schemas.js';
import { DRILL_SCHEMAS } from './openapi-drill-schemas.js';
import { ENCRYPTION_SCHEMAS } from './openapi-encryption-schemas.js';
import { INTAKE_SCHEMAS } from './openapi-intake-schemas.js';
import { FEATURE_SCHEMAS } from './openapi-feature-schemas.js';
import { JOB_LOG_SCHEMAS } from './openapi-job-log-schemas.js';
import { LINEAGE_SCHEMAS } from './openapi-lineage-schemas.js';
import { OPERATE_SCHEMAS } from './openapi-operate-schemas.js';
import { MONITOR_SCHEMAS } from './openapi-monitor-schemas.js';
import { PERFORMANCE_SCHEMAS } from './openapi-performance-schemas.js';
import { RUN_SCHEMAS } from './openapi-run-schemas.js';
import { SCHEDULE_SCHEMAS } from './openapi-schedule-schemas.js';
import { SWEEP_SCHEMAS } from './openapi-sweep-schemas.js';
import { ANSWER_SCHEMAS } from './openapi-schemas.js';
import { describeLinks } from './openapi-links.js';
import { inferenceStatus } from './middleware/inference-error.js';
import { ALL_ROUTES } from './routes/index-of-routes.js';
import type { RouteDefinition } from './routes/route-definition.js';

const jsonSchema = (schema: z.ZodType) => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
};

const correlationHeader = {
  'X-Correlation-Id': { description: 'The id of this call in logs, workflows and errors', schema: { type: 'string' } },
};

/** Calls that end when their caller waits no longer. */
const PREDICTING = /^\/predict\/|\/infer$/;
const timeoutParameter = {
  name: 'X-Timeout-Ms',
  in: 'header',
  required: false,
  description: 'How many milliseconds the caller waits; work that would end later is given up with 504',
  schema: { type: 'integer', minimum: 1, maximum: 3_600_000 },
};

/** What answers look like. */
const SCHEMAS: Record<string, unknown> = {
  ...ANSWER_SCHEMAS,
  ...ACCESS_SCHEMAS,
  ...DATA_QUALITY_SCHEMAS,
  ...ALERT_SCHEMAS,
  ...REPAIR_SCHEMAS,
  ...DRILL_SCHEMAS,
  ...ENCRYPTION_SCHEMAS,
  ...INTAKE_SCHEMAS,
  ...FEATURE_SCHEMAS,
  ...JOB_LOG_SCHEMAS,
  ...LINEAGE_SCHEMAS,
  ...SWEEP_SCHEMAS,
  ...SCHEDULE_SCHEMAS,
  ...RUN_SCHEMAS,
  ...OPERATE_SCHEMAS,
  ...MONITOR_SCHEMAS,
  ...PERFORMANCE_SCHEMAS,
};

/** The OpenAPI 3.1 document, made from the very schemas that requests are held to. */
export function buildOpenApi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ALL_ROUTES) (paths[route.path] ??= {})[route.method] = describeOperation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'ML Pipeline Service',
      version: releaseVersion(),
      description: 'From raw data to a served, watched model.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A JWT of the issuer, or a service token' },
      },
    },
  };
}

const operationIdOf = ({ method, path }: RouteDefinition) =>
  `${method}_${path.replaceAll(/[{}]/g, '').replaceAll(/[/-]+/g, '_').replace(/^_/, '')}`;

function describeOperation(route: RouteDefinition): Record<string, unknown> {
  const isStarting =
    route.method === 'post' &&
    (route.answers.some((answer) => answer.status === 202) || route.path.endsWith('/rollback'));
  return {
    operationId: operationIdOf(route),
    tags: [route.tag],
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    'x-role': route.role,
    // Without authentication, which is for loopback only, no token is needed.
    security: route.role === 'public' ? [] : [{ bearer: [] }, {}],
    parameters: [
      ...pathParameters(route.path),
      ...queryParameters(route.query),
      ...(isStarting ? [idempotencyParameter] : []),
      ...(PREDICTING.test(route.path) ? [timeoutParameter] : []),
    ],
    ...describeBody(route),
    responses: { ...describeAnswers(route), ...describeErrors(route) },
    'x-codeSamples': makeCodeSamples({ ...route, isStarting }),
  };
}

function describeBody({ body, example, otherBodies, isBodyOptional }: RouteDefinition) {
  if (!body && !otherBodies) return {};
  const json = body && { schema: jsonSchema(body), ...(example === undefined ? {} : { example }) };
  const content = { ...(json ? { 'application/json': json } : {}), ...otherBodies };
  return { requestBody: { required: !isBodyOptional, content } };
}

const idempotencyParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key and body give the same job again',
  schema: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[!-~]+$' },
};

function pathParameters(path: string) {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));
}

function queryParameters(query: z.ZodType | undefined) {
  if (!query) return [];
  const schema = jsonSchema(query) as { properties?: Record<string, { description?: string }>; required?: string[] };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: false,
    ...(property.description ? { description: property.description } : {}),
    schema: name === 'limit' ? { type: 'integer', minimum: 1, maximum: 500, default: 50 } : property,
  }));
}

interface DescribedAnswer {
  description: string;
  headers: object;
  content?: Record<string, object>;
  links?: Record<string, object>;
}

function describeAnswers(route: RouteDefinition) {
  const described: Record<string, DescribedAnswer> = {};
  for (const { status, description, schema, contentType = 'application/json' } of route.answers) {
    const answer = (described[status] ??= { description, headers: correlationHeader });
    // One status may have several representations, of which the caller's Accept chooses.
    if (!schema) continue;
    answer.content = { ...answer.content, [contentType]: { schema } };
    const links = describeLinks(route, { status, schema }, SCHEMAS, { routes: ALL_ROUTES, operationIdOf });
    if (contentType === 'application/json' && Object.keys(links).length > 0) answer.links = links;
  }
  return described;
}

/** What every call with a body can meet. */
const SIGN_IN_ERRORS = ['unauthenticated', 'role_insufficient'] as const;
const BODY_ERRORS = [
  'request_malformed',
  'body_too_slow',
  'body_too_large',
  'media_type_unsupported',
  'request_invalid',
] as const;

function describeErrors(route: RouteDefinition) {
  const byStatus = new Map<number, string[]>();
  const ofBody = route.body || route.otherBodies ? BODY_ERRORS : [];
  for (const code of new Set([
    ...(route.errors ?? []),
    ...(route.role === 'public' ? [] : SIGN_IN_ERRORS),
    ...ofBody,
    ...(PREDICTING.test(route.path) ? (['deadline_exceeded'] as const) : []),
    'internal_error' as const,
  ])) {
    const status = route.path.startsWith('/v2') ? inferenceStatus(code) : ERROR_TABLE[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const content = route.path.startsWith('/v2')
    ? { 'application/json': { schema: { $ref: '#/components/schemas/InferenceError' } } }
    : { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !route.answers.some((answer) => answer.status === status))
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => ERROR_TABLE[code as keyof typeof ERROR_TABLE].title).join('; '),
          headers: correlationHeader,
          content,
        },
      ]),
  );
}
