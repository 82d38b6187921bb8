import { logLevelRequestSchema } from '../../core/schemas/log-level.js';
import { parseRequest } from '../../services/parse-request.js';
import { callerOf } from '../http-context.js';
import { logLevelOfAll } from '../all-processes.js';
import { ref, type RouteDefinition } from './route-definition.js';

const PATH = '/operate/log-level';
const answers = [{ status: 200, description: 'The level', schema: ref('LogLevel') }];

export const logLevelRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: PATH,
    tag: 'Operate',
    summary: 'The level of the log, and until when',
    role: 'operator',
    answers,
    handle: (_request, _response, context) => context.logLevel.follow(),
  },
  {
    method: 'put',
    path: PATH,
    tag: 'Operate',
    summary: 'Change the level of the log for a time',
    description:
      'Of all API processes at once, and of the workers of the same machine within a second; needs no database. What is started meanwhile ' +
      'follows, too.',
    role: 'operator',
    body: logLevelRequestSchema,
    example: { level: 'DEBUG', seconds: 900 },
    answers,
    async handle(request, response, context) {
      const { level, seconds } = parseRequest(logLevelRequestSchema, request.body);
      await context.logLevel.set(level, seconds);
      context.logger.warn({ level_now: level, seconds, by: callerOf(response).subject }, 'the level of the log is set');
      return logLevelOfAll();
    },
  },
  {
    method: 'delete',
    path: PATH,
    tag: 'Operate',
    summary: 'Go back to the configured level of the log',
    role: 'operator',
    answers,
    async handle(_request, _response, context) {
      await context.logLevel.reset();
      return logLevelOfAll();
    },
  },
];
