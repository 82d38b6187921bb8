import { ServiceError } from '../../core/errors.js';
import { freezeRequestSchema } from '../../core/schemas/freeze.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, pathParameter } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

function freezeName(name: string): string {
  if (NAME.test(name)) return name;
  throw new ServiceError('request_invalid', 'The name of the freeze cannot be used.', [
    { path: 'freeze', message: 'must be lower case letters, digits, _ and -, at most 63, such as black-friday' },
  ]);
}

export const freezeRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/freezes',
    tag: 'Deployments',
    summary: 'Times in which no rollout takes a step up, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of freezes', schema: listOf('Freeze') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.freezes.list(page));
    },
  },
  {
    method: 'put',
    path: '/freezes/{freeze}',
    tag: 'Deployments',
    summary: 'Freeze traffic for a time, once or every week',
    description:
      'Rollouts stay at their share until it is over; harm still ends them, and rolling back is always possible. A new version with ' +
      '"strategy": "immediate" is refused meanwhile.',
    role: 'operator',
    body: freezeRequestSchema,
    example: {
      reason: 'Nobody is on call.',
      window: { days: ['fri'], from: '16:00', to: '08:00', time_zone: 'Europe/Berlin' },
    },
    answers: [{ status: 200, description: 'The freeze', schema: ref('Freeze') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const name = freezeName(pathParameter(request, 'freeze'));
      const body = parseRequest(freezeRequestSchema, request.body);
      if (body.model !== undefined) modelDefinition(await context.readModelsConfig(), body.model);
      return withDatabase(() => context.freezes.put(name, body, callerOf(response).subject));
    },
  },
  {
    method: 'delete',
    path: '/freezes/{freeze}',
    tag: 'Deployments',
    summary: 'End a freeze',
    role: 'operator',
    answers: [{ status: 204, description: 'The freeze is gone' }],
    errors: ['freeze_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      await withDatabase(() => context.freezes.remove(pathParameter(request, 'freeze')));
      response.status(204);
    },
  },
];
