import { repairRequestSchema, repairsQuerySchema } from '../../core/schemas/repair.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { checkRepair, repairIdOf } from '../../services/repair/open-repair.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { modelsOf } from '../model-scope.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

export const repairRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/models/{model}/repair',
    tag: 'Alerts',
    summary: 'Train a model anew on fresh data, and roll the version out if it does better',
    description:
      'It learns from predictions since the change whose outcome is known, or from the newest dataset. The new version is held against the ' +
      'present one on fresh rows that neither has learnt from, and rolled out by a canary where it is shown to do better; else that is what ' +
      'comes of it. With `on_drift` of a schedule, alerts that advise to retrain do the same by themselves.',
    role: 'operator',
    body: repairRequestSchema,
    isBodyOptional: true,
    example: { reason: 'The prices were raised.', since: '2026-01-01T00:00:00Z' },
    answers: [{ status: 202, description: 'The repair was accepted', schema: ref('RepairAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'version_not_deployed',
      'repair_conflict',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const config = await context.readModelsConfig();
      const { name: model } = modelDefinition(config, pathParameter(request, 'model'));
      const body = parseRequest(repairRequestSchema, request.body ?? {});
      const input = {
        type: 'repair' as const,
        model,
        request: { ...body, model },
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context)))) {
        await withDatabase(() => checkRepair(input.request, { database: context.database, config }));
        context.metrics.jobsStarted.inc({ type: 'repair' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), repair_id: repairIdOf(job.job_id) };
    },
  },
  {
    method: 'get',
    path: '/repairs',
    tag: 'Alerts',
    summary: 'List repairs, newest first',
    role: 'viewer',
    query: repairsQuerySchema,
    answers: [{ status: 200, description: 'A page of repairs', schema: listOf('Repair') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const query = parseRequest(repairsQuerySchema, request.query);
      return withDatabase(() => context.repairs.list({ ...query, models: modelsOf(response) }));
    },
  },
  {
    method: 'get',
    path: '/repairs/{repair_id}',
    tag: 'Alerts',
    summary: 'The story of a repair: what was found, learnt, judged and rolled out',
    role: 'viewer',
    answers: [{ status: 200, description: 'The repair', schema: ref('RepairInFull') }],
    errors: ['repair_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.repairs.get(pathParameter(request, 'repair_id'))),
  },
];
