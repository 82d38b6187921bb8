import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { pathParameter } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

export const deploymentRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/deployments',
    tag: 'Deployments',
    summary: 'List rollouts, newest first',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of rollouts', schema: listOf('Deployment') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.deployments.list(page));
    },
  },
  {
    method: 'get',
    path: '/deployments/{deployment_id}',
    tag: 'Deployments',
    summary: 'A rollout with the evidence of each step',
    role: 'viewer',
    answers: [{ status: 200, description: 'The rollout', schema: ref('Deployment') }],
    errors: ['deployment_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.deployments.get(pathParameter(request, 'deployment_id'))),
  },
];
