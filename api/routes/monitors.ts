import type { Request } from 'express';
import { monitorSchema } from '../../core/schemas/monitor.js';
import { findingsQuerySchema, monitorRunSchema } from '../../core/schemas/monitor-run.js';
import { withDatabase } from '../../services/database/database.js';
import { listFindings } from '../../services/monitors/monitor-findings.js';
import { createMonitorSchedule } from '../../services/monitors/monitor-schedule.js';
import { writeMonitor } from '../../services/monitors/monitor-settings.js';
import { readMonitorStatus } from '../../services/monitors/monitor-status.js';
import { refuseFutureWindow } from '../../services/monitors/plan-monitoring.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { modelDefinition, type ModelDefinition } from '../../services/training/models-config.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const path = '/monitors/{model}';
const errors = ['model_not_found', 'dependency_unavailable'] as const;
const bodyErrors = ['request_malformed', 'request_invalid', 'media_type_unsupported'] as const;
const answers = [{ status: 200, description: 'How it is watched, and what was found', schema: ref('Monitor') }];

/** @throws ServiceError `model_not_found` */
const readPath = async (request: Request, context: ApiContext): Promise<ModelDefinition> =>
  modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));

export const monitorRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path,
    tag: 'Monitoring',
    summary: 'How a model is watched, its last and its next run, and what the newest windows show',
    role: 'viewer',
    answers,
    errors,
    async handle(request, _response, context) {
      const definition = await readPath(request, context);
      return withDatabase(() => readMonitorStatus(definition, context));
    },
  },
  {
    method: 'put',
    path,
    tag: 'Monitoring',
    summary: 'Set how a model is watched',
    description:
      'Replaces the former settings as a whole, also those of the models file: what is left out has its default again. The runs are a Temporal ' +
      'Schedule, which survives restarts; `enabled: false` ends it, and what was found stays.',
    role: 'engineer',
    body: monitorSchema,
    example: { every_hours: 24, owner: 'growth team', drift: { window_hours: 24, least_rows: 200 } },
    answers,
    errors: [...bodyErrors, ...errors],
    async handle(request, response, context) {
      const definition = await readPath(request, context);
      const settings = parseRequest(monitorSchema, request.body);
      await withDatabase(() => writeMonitor(definition.name, settings, callerOf(response).subject, context.database));
      await createMonitorSchedule(context.temporal, definition.name).keep(settings);
      return withDatabase(() => readMonitorStatus(definition, context));
    },
  },
  {
    method: 'post',
    path: `${path}/run`,
    tag: 'Monitoring',
    summary: 'Judge a window now',
    description:
      'Without `window_end` the last whole window. A window that was judged before is judged again, and its findings replace the former ones.',
    role: 'engineer',
    body: monitorRunSchema,
    isBodyOptional: true,
    example: { window_end: '2024-06-30T00:00:00Z' },
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [...bodyErrors, ...errors, 'idempotency_key_reused'],
    async handle(request, response, context) {
      const { name: model } = await readPath(request, context);
      const body = parseRequest(monitorRunSchema, request.body ?? {});
      const input = {
        type: 'monitor' as const,
        model,
        request: { ...body, model },
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context)))) {
        refuseFutureWindow(body.window_end, Date.now());
        context.metrics.jobsStarted.inc({ type: 'monitor' });
      }
      return jobAccepted(response, await startJob(input, context));
    },
  },
  {
    method: 'get',
    path: `${path}/findings`,
    tag: 'Monitoring',
    summary: 'What the monitors of a model have found, latest windows first',
    role: 'viewer',
    query: findingsQuerySchema,
    answers: [{ status: 200, description: 'A page of findings', schema: listOf('Finding') }],
    errors: ['request_invalid', ...errors],
    async handle(request, _response, context) {
      const { name } = await readPath(request, context);
      const query = parseRequest(findingsQuerySchema, request.query);
      return withDatabase(() => listFindings(context.database, name, query));
    },
  },
];
