import { SANDBOX_MODEL } from '../../core/names.js';
import { drillRequestSchema, drillScheduleSchema } from '../../core/schemas/drill.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { createDrillSchedule } from '../../services/drills/drill-schedule.js';
import { checkDrill, drillIdOf } from '../../services/drills/open-drill.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { modelsOf } from '../model-scope.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

/** A drill as it was asked for, of a model that there is. @throws ServiceError `request_invalid`, `model_not_found` */
async function readDrill(body: unknown, context: ApiContext) {
  // The one kind that needs no further word.
  const given = typeof body === 'object' && body !== null && !Array.isArray(body) ? { kind: 'rollout', ...body } : body;
  const request = parseRequest(drillRequestSchema, given ?? { kind: 'rollout' });
  if (request.kind === 'rollout') return request;
  return { ...request, model: modelDefinition(await context.readModelsConfig(), request.model).name };
}

export const drillRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/drills',
    tag: 'Drills',
    summary: 'Rehearse a bad rollout, or replay the log without a difference',
    description:
      '`rollout` (the default) puts versions that are known to be bad into shadow and canary of a sandbox model and tells how long it took ' +
      'until they were found and nobody was answered by them any more; the job fails when one is not found. `aa_replay` splits the real log ' +
      'of a model at random, again and again, and tells how often the rules would have rolled back without a reason.',
    role: 'operator',
    body: drillRequestSchema,
    isBodyOptional: true,
    example: { kind: 'rollout', faults: ['wrong', 'slow', 'error'], strategies: ['shadow', 'canary'] },
    answers: [{ status: 202, description: 'The drill was accepted', schema: ref('DrillAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'version_not_deployed',
      'drill_conflict',
      'log_insufficient',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = await readDrill(request.body, context);
      const input = {
        type: 'drill' as const,
        model: body.kind === 'rollout' ? SANDBOX_MODEL : body.model,
        request: { ...body },
        idempotencyKey: idempotencyKeyOf(request),
        sentBody: body,
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context)))) {
        await withDatabase(() => checkDrill(context.database, body));
        context.metrics.jobsStarted.inc({ type: 'drill' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), drill_id: drillIdOf(job.job_id) };
    },
  },
  {
    method: 'get',
    path: '/drills',
    tag: 'Drills',
    summary: 'List drills, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of drills', schema: listOf('Drill') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.drills.list(page, modelsOf(response)));
    },
  },
  {
    method: 'get',
    path: '/drills/schedule',
    tag: 'Drills',
    summary: 'When drills are held',
    role: 'viewer',
    answers: [{ status: 200, description: 'The schedule', schema: ref('DrillSchedule') }],
    errors: ['schedule_not_found', 'dependency_unavailable'],
    handle: (_request, _response, context) => createDrillSchedule(context.temporal).get(),
  },
  {
    method: 'put',
    path: '/drills/schedule',
    tag: 'Drills',
    summary: 'Hold drills by the clock',
    description: 'A Temporal Schedule: it survives restarts, and never holds two drills at once.',
    role: 'operator',
    body: drillScheduleSchema,
    example: { cron: '0 4 * * 1' },
    answers: [{ status: 200, description: 'The schedule', schema: ref('DrillSchedule') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, _response, context) {
      const body = parseRequest(drillScheduleSchema, request.body);
      return createDrillSchedule(context.temporal).put({ ...body, drill: await readDrill(body.drill, context) });
    },
  },
  {
    method: 'delete',
    path: '/drills/schedule',
    tag: 'Drills',
    summary: 'Hold no more drills by the clock',
    role: 'operator',
    answers: [{ status: 204, description: 'The schedule is gone' }],
    errors: ['schedule_not_found', 'dependency_unavailable'],
    async handle(_request, response, context) {
      const schedule = createDrillSchedule(context.temporal);
      await schedule.get();
      await schedule.remove();
      response.status(204);
      return undefined;
    },
  },
  {
    method: 'get',
    path: '/drills/{drill_id}',
    tag: 'Drills',
    summary: 'A drill: what became of each version, or the false alarm rates',
    role: 'viewer',
    answers: [{ status: 200, description: 'The drill', schema: ref('Drill') }],
    errors: ['drill_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => withDatabase(() => context.drills.get(pathParameter(request, 'drill_id'))),
  },
];
