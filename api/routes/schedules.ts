import type { Request } from 'express';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { scheduleNoteSchema, scheduleRequestSchema } from '../../core/schemas/schedule.js';
import { trainRequestSchema } from '../../core/schemas/training.js';
import { parseRequest } from '../../services/parse-request.js';
import { createRetrainSchedules } from '../../services/pipelines/retrain-schedule.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, pathParameter, type ApiContext } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const path = '/schedules/{model}';
const errors = ['model_not_found', 'schedule_not_found', 'dependency_unavailable'] as const;
const bodyErrors = ['request_malformed', 'request_invalid', 'media_type_unsupported'] as const;
const answers = [{ status: 200, description: 'The schedule', schema: ref('Schedule') }];

/** The schedules, and the model of the path by its name in the config. @throws ServiceError `model_not_found` */
async function readPath(request: Request, context: ApiContext) {
  const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
  return { name, schedules: createRetrainSchedules(context.temporal) };
}

/** A route that changes whether a schedule runs, and keeps why. */
const noteRoute = (action: 'pause' | 'resume', summary: string, description: string): RouteDefinition => ({
  method: 'post',
  path: `${path}/${action}`,
  tag: 'Schedules',
  summary,
  description,
  role: 'operator',
  body: scheduleNoteSchema,
  isBodyOptional: true,
  example: { note: action === 'pause' ? 'release freeze' : 'the freeze is over' },
  answers,
  errors: [...errors, ...bodyErrors],
  async handle(request, response, context) {
    const { name, schedules } = await readPath(request, context);
    const { note } = parseRequest(scheduleNoteSchema, request.body ?? {});
    return schedules[action](name, note ?? `${action}d by ${callerOf(response).subject}`);
  },
});

export const scheduleRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/schedules',
    tag: 'Schedules',
    summary: 'The retraining schedules of all models, by name',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of schedules', schema: listOf('Schedule') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { limit, cursor = '' } = parseRequest(pageQuerySchema, request.query);
      const names = [...(await context.readModelsConfig()).models.keys()].filter((name) => name > cursor).toSorted();
      const all = await createRetrainSchedules(context.temporal).list(names);
      const items = all.slice(0, limit);
      return { items, next_cursor: all.length > limit ? items.at(-1)!.model : null };
    },
  },
  {
    method: 'get',
    path,
    tag: 'Schedules',
    summary: 'The retraining schedule of a model, with its next and its latest runs',
    role: 'viewer',
    answers,
    errors,
    async handle(request, _response, context) {
      const { name, schedules } = await readPath(request, context);
      return schedules.get(name);
    },
  },
  {
    method: 'put',
    path,
    tag: 'Schedules',
    summary: 'Retrain a model by the clock',
    description:
      'A Temporal Schedule: it survives restarts. Replaces the former one as a whole, so that what is left out has its default again: never ' +
      'two runs at once, at most ten minutes made up for after an outage, UTC. With `on_drift` alerts that advise to retrain begin a repair.',
    role: 'operator',
    body: scheduleRequestSchema,
    example: { cron: '0 3 * * 1', timezone: 'Europe/Berlin', jitter_seconds: 300, training: { auto_deploy: true } },
    answers,
    errors: [...bodyErrors, 'model_not_found', 'dataset_not_found', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { name, schedules } = await readPath(request, context);
      const body = parseRequest(scheduleRequestSchema, request.body);
      parseRequest(trainRequestSchema, { model_type: name, ...body.training });
      return schedules.put(name, body);
    },
  },
  noteRoute('pause', 'Start no runs until it is resumed', 'Runs under way go on. The note is shown with the schedule.'),
  noteRoute('resume', 'Start runs again', 'Runs whose time passed meanwhile are not made up for.'),
  {
    method: 'post',
    path: `${path}/trigger`,
    tag: 'Schedules',
    summary: 'Start a run now, besides those by the clock',
    description:
      'Also while the schedule is paused. Its overlap policy holds for this run, too: with `skip`, a call that is repeated while the run goes ' +
      'starts no second one. The run appears in `recent_runs`.',
    role: 'operator',
    answers,
    errors,
    async handle(request, _response, context) {
      const { name, schedules } = await readPath(request, context);
      return schedules.trigger(name);
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
      const { name, schedules } = await readPath(request, context);
      await schedules.get(name);
      await schedules.remove(name);
      response.status(204);
      return undefined;
    },
  },
];
