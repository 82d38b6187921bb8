import {
  alertBudgetQuerySchema,
  alertCommentSchema,
  alertNoteSchema,
  alertResolveSchema,
  alertsQuerySchema,
  silenceRequestSchema,
} from '../../core/schemas/alert.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { readBudget } from '../../services/alerts/false-alarm-budget.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, pathParameter } from '../http-context.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const ALERT = '/alerts/{alert_id}';
const inFull = { status: 200, description: 'The alert', schema: ref('AlertInFull') };
const errors = ['alert_not_found', 'dependency_unavailable'] as const;
const bodyErrors = [...errors, 'request_malformed', 'request_invalid', 'media_type_unsupported'] as const;

export const alertRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/alerts',
    tag: 'Alerts',
    summary: 'What somebody should look at, newest first',
    role: 'viewer',
    query: alertsQuerySchema,
    answers: [{ status: 200, description: 'A page of alerts', schema: listOf('Alert') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const query = parseRequest(alertsQuerySchema, request.query);
      return withDatabase(() => context.alerts.list({ ...query, models: modelsOf(response) }));
    },
  },
  {
    method: 'get',
    path: '/alerts/budget',
    tag: 'Alerts',
    summary: 'The false alarms that a model may have within a year, and those that it had',
    description:
      'All monitors and rules of a model share it. What a person marks as false counts; when it is used up, each rule of the model asks for ' +
      'one more window before it opens an alert.',
    role: 'viewer',
    query: alertBudgetQuerySchema,
    answers: [{ status: 200, description: 'The budget', schema: ref('AlertBudget') }],
    errors: ['request_invalid', 'model_not_found', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { model } = parseRequest(alertBudgetQuerySchema, request.query);
      const config = await context.readModelsConfig();
      return withDatabase(() => readBudget({ database: context.database, config }, model, new Date()));
    },
  },
  {
    method: 'get',
    path: '/alerts/silences',
    tag: 'Alerts',
    summary: 'Times in which nobody is told of some alerts, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of silences', schema: listOf('AlertSilence') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.silences.list(page));
    },
  },
  {
    method: 'post',
    path: '/alerts/silences',
    tag: 'Alerts',
    summary: 'Tell nobody of some alerts for a time',
    description:
      'They are opened and resolved all the same. What is still open at the end of the silence is told then; what was over by then is not.',
    role: 'operator',
    body: silenceRequestSchema,
    example: {
      model: 'user_behavior',
      subject: 'input:*',
      reason: 'The import is being mended.',
      ends_at: '2030-01-01T08:00:00Z',
    },
    answers: [{ status: 201, description: 'The silence', schema: ref('AlertSilence') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(silenceRequestSchema, request.body);
      if (body.model !== undefined) modelDefinition(await context.readModelsConfig(), body.model);
      const silence = await withDatabase(() => context.silences.create(body, callerOf(response).subject));
      response.status(201);
      return silence;
    },
  },
  {
    method: 'delete',
    path: '/alerts/silences/{silence_id}',
    tag: 'Alerts',
    summary: 'End a silence now',
    role: 'operator',
    answers: [{ status: 204, description: 'The silence is over' }],
    errors: ['silence_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      await withDatabase(() => context.silences.end(pathParameter(request, 'silence_id'), callerOf(response).subject));
      response.status(204);
      return undefined;
    },
  },
  {
    method: 'get',
    path: ALERT,
    tag: 'Alerts',
    summary: 'An alert with its evidence, its history and its deliveries',
    role: 'viewer',
    answers: [inFull],
    errors,
    handle: (request, _response, context) => withDatabase(() => context.alerts.get(pathParameter(request, 'alert_id'))),
  },
  {
    method: 'post',
    path: `${ALERT}/acknowledge`,
    tag: 'Alerts',
    summary: 'Say that somebody looks after it',
    description: 'Receivers are told of it. May be repeated.',
    role: 'engineer',
    body: alertNoteSchema,
    isBodyOptional: true,
    example: { note: 'I ask the team of the import.' },
    answers: [inFull],
    errors: [...bodyErrors, 'alert_conflict'],
    handle: (request, response, context) => {
      const { note } = parseRequest(alertNoteSchema, request.body ?? {});
      const { subject } = callerOf(response);
      return withDatabase(() => context.alerts.acknowledge(pathParameter(request, 'alert_id'), subject, note));
    },
  },
  {
    method: 'post',
    path: `${ALERT}/resolve`,
    tag: 'Alerts',
    summary: 'Say that it is over, or that nothing was wrong',
    description:
      'With "false_alarm": true it counts against the budget of the model; an alert that is resolved already can still be marked, and the ' +
      'mark be taken back with false. What is found in later windows opens a new alert.',
    role: 'engineer',
    body: alertResolveSchema,
    isBodyOptional: true,
    example: { note: 'A holiday that the monitor did not know of.', false_alarm: true },
    answers: [inFull],
    errors: bodyErrors,
    handle: (request, response, context) => {
      const body = parseRequest(alertResolveSchema, request.body ?? {});
      const { subject } = callerOf(response);
      return withDatabase(() => context.alerts.resolve(pathParameter(request, 'alert_id'), subject, body));
    },
  },
  {
    method: 'post',
    path: `${ALERT}/comment`,
    tag: 'Alerts',
    summary: 'Write something into the history of an alert',
    role: 'engineer',
    body: alertCommentSchema,
    example: { note: 'The unit of `duration` changed upstream on Monday.' },
    answers: [inFull],
    errors: bodyErrors,
    handle: (request, response, context) => {
      const { note } = parseRequest(alertCommentSchema, request.body);
      const { subject } = callerOf(response);
      return withDatabase(() => context.alerts.comment(pathParameter(request, 'alert_id'), subject, note));
    },
  },
];
