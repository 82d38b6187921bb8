import type { Request } from 'express';
import { ServiceError } from '../../core/errors.js';
import {
  featureViewSchema,
  historicalRequestSchema,
  materializeRequestSchema,
  onlineRequestSchema,
  viewNameSchema,
} from '../../core/schemas/feature-view.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { checkView } from '../../services/features/check-view.js';
import { refuseSecondFilling } from '../../services/features/plan-materialization.js';
import { readHistorical } from '../../services/features/read-historical.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

function viewOf(request: Request): string {
  const parsed = viewNameSchema.safeParse(pathParameter(request, 'view'));
  if (parsed.success) return parsed.data;
  throw new ServiceError('request_invalid', 'The name of the view is not one.', [
    { path: 'view', message: parsed.error.issues[0]!.message },
  ]);
}

const away = 'dependency_unavailable' as const;

export const featureRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/features/views',
    tag: 'Features',
    summary: 'The catalogue of feature views, by name',
    description:
      'Each with its newest version, what the online store holds of it and up to when, and the versions of models that learnt from it.',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of views', schema: listOf('FeatureView') }],
    errors: ['request_invalid', away],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.viewCatalogue.list(page));
    },
  },
  {
    method: 'get',
    path: '/features/views/{view}',
    tag: 'Features',
    summary: 'A feature view: definition, versions, statistics, consumers, freshness',
    role: 'viewer',
    answers: [{ status: 200, description: 'The view', schema: ref('FeatureViewDetail') }],
    errors: ['feature_view_not_found', 'request_invalid', away],
    handle: (request, _response, context) => withDatabase(() => context.viewCatalogue.get(viewOf(request))),
  },
  {
    method: 'put',
    path: '/features/views/{view}',
    tag: 'Features',
    summary: 'Declare a feature view, or its next version',
    description:
      'A definition that equals the newest version changes nothing; any other becomes the next version, and the former ones stay. SQL is one ' +
      'SELECT over the data types that it names, without functions whose value changes from call to call. A view whose SQL looks into the future is refused: ' +
      'what it says was known at a time must come out the same without what its sources learnt later.',
    role: 'engineer',
    body: featureViewSchema,
    example: {
      owner: 'growth',
      description: 'What a user has done',
      entity: 'user_id',
      event_time: 'occurred_at',
      ttl_seconds: 2_592_000,
      source: 'user_events',
      features: { last_event: { type: 'string', expression: 'event_type' } },
    },
    answers: [{ status: 200, description: 'The view', schema: ref('FeatureViewDetail') }],
    errors: ['request_malformed', 'request_invalid', 'feature_view_conflict', 'media_type_unsupported', away],
    async handle(request, response, context) {
      const view = viewOf(request);
      const definition = parseRequest(featureViewSchema, request.body);
      const { database, folders, featureViews } = context;
      return withDatabase(async () => {
        await checkView(view, definition, { database, datasetsFolder: folders.datasets });
        await featureViews.put(view, definition, callerOf(response).subject);
        return context.viewCatalogue.get(view);
      });
    },
  },
  {
    method: 'post',
    path: '/features/views/{view}/materialize',
    tag: 'Features',
    summary: 'Fill the online store from a view',
    description:
      'Without `start` only what became known since the last time is looked at, where that is enough. Count and checksum are read back. The result of the job is ' +
      '`{view, version, mode, end, entities, checksum, store}`. One at a time a view: a second is 409.',
    role: 'engineer',
    body: materializeRequestSchema,
    isBodyOptional: true,
    example: {},
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'feature_view_not_found',
      'dataset_not_found',
      'feature_view_conflict',
      'idempotency_key_reused',
      'media_type_unsupported',
      away,
    ],
    async handle(request, response, context) {
      const view = viewOf(request);
      const body = parseRequest(materializeRequestSchema, request.body);
      const input = {
        type: 'materialize' as const,
        request: { view, ...body },
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context)))) {
        await withDatabase(() => context.featureViews.latest(view));
        await withDatabase(() => refuseSecondFilling(context.database.prisma, view));
        context.metrics.jobsStarted.inc({ type: 'materialize' });
      }
      return jobAccepted(response, await startJob(input, context));
    },
  },
  {
    method: 'post',
    path: '/features/online',
    tag: 'Features',
    summary: 'What is known of entities now',
    description:
      'From Redis where it is configured and has the view in full, else from PostgreSQL. Each view tells `status` (`fresh`, `expired` or `missing`) and the age of ' +
      'its values; an expired value is null, by the same rule as in POST /features/historical. On-demand features are computed from `request`.',
    role: 'predictor',
    body: onlineRequestSchema,
    example: { view: 'user_activity', entity_ids: ['user_1', 'user_2'] },
    answers: [{ status: 200, description: 'An item an entity, in order', schema: ref('OnlineFeatures') }],
    errors: ['request_malformed', 'request_invalid', 'feature_view_not_found', 'media_type_unsupported', away],
    handle(request, _response, context) {
      const { view, views, entity_ids: entities, request: given } = parseRequest(onlineRequestSchema, request.body);
      return withDatabase(() => context.onlineFeatures.answer(views ?? [view!], entities, given ?? {}));
    },
  },
  {
    method: 'post',
    path: '/features/historical',
    tag: 'Features',
    summary: 'What was known of entities at given times',
    description:
      'The row that counts at a time is the latest one by event time of those that were available by then; of equal ones the one that was available later. ' +
      'Nothing that became known afterwards is ever used.',
    role: 'engineer',
    body: historicalRequestSchema,
    example: { views: ['user_activity'], entities: [{ entity_id: 'user_1', as_of: '2024-03-01T00:00:00Z' }] },
    answers: [{ status: 200, description: 'An item an entity and time, in order', schema: ref('HistoricalFeatures') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'feature_view_not_found',
      'dataset_not_found',
      'deadline_exceeded',
      'media_type_unsupported',
      away,
    ],
    handle(request, _response, context) {
      const body = parseRequest(historicalRequestSchema, request.body);
      const { database, featureViews: views, folders } = context;
      return withDatabase(() => readHistorical(body, { database, views, datasetsFolder: folders.datasets }));
    },
  },
];
