import { scheduleRequestSchema } from '../../core/schemas/schedule.js';
import { trainRequestSchema } from '../../core/schemas/training.js';
import { parseRequest } from '../../services/parse-request.js';
import { createRetrainSchedules } from '../../services/pipelines/retrain-schedule.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

const path = '/schedules/{model}';
const errors = ['model_not_found', 'schedule_not_found', 'dependency_unavailable'] as const;

export const scheduleRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path,
    tag: 'Schedules',
    summary: 'The retraining schedule of a model',
    role: 'viewer',
    answers: [{ status: 200, description: 'The schedule', schema: ref('Schedule') }],
    errors,
    async handle(request, _response, context) {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      return createRetrainSchedules(context.temporal).get(name);
    },
  },
  {
    method: 'put',
    path,
    tag: 'Schedules',
    summary: 'Retrain a model by the clock',
    description:
      'A Temporal Schedule: it survives restarts, never runs twice at once, and makes up for at most ten minutes after an outage.',
    role: 'operator',
    body: scheduleRequestSchema,
    example: { cron: '0 3 * * 1', training: { auto_deploy: true } },
    answers: [{ status: 200, description: 'The schedule', schema: ref('Schedule') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, _response, context) {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const body = parseRequest(scheduleRequestSchema, request.body);
      parseRequest(trainRequestSchema, { model_type: name, ...body.training });
      return createRetrainSchedules(context.temporal).put(name, body);
    },
  },
  {
    method: 'delete',
    path,
    tag: 'Schedules',
    summary: 'Stop retraining by the clock',
    role: 'operator',
    answers: [{ status: 204, description: 'The schedule is gone' }],
    errors,
    async handle(request, response, context) {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const schedules = createRetrainSchedules(context.temporal);
      await schedules.get(name);
      await schedules.remove(name);
      response.status(204);
      return undefined;
    },
  },
];
