import type { Request, Response } from 'express';
import { commandRequestSchema, ladderRequestSchema, promoteRequestSchema } from '../../core/schemas/deployment.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { controlRollout, type RolloutCommand } from '../../services/deployments/control-rollout.js';
import { parseRequest } from '../../services/parse-request.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

/** What a person can want of a rollout that is under way. */
const COMMANDS = {
  pause: 'Hold a rollout at its step; harm still ends it',
  resume: 'Let a paused rollout go on',
  approve: 'Agree that the version gets all traffic once the evidence allows it',
  abort: 'End a rollout; the present version has all traffic again',
} as const;

const COMMAND_ERRORS = [
  'request_malformed',
  'request_invalid',
  'role_insufficient',
  'deployment_not_found',
  'deployment_conflict',
  'media_type_unsupported',
  'dependency_unavailable',
] as const;

async function command(
  request: Request,
  response: Response,
  context: ApiContext,
  { note, ...wanted }: RolloutCommand & { note?: string },
) {
  const id = pathParameter(request, 'deployment_id');
  const call = { caller: callerOf(response), note, correlationId: correlationIdOf(response) };
  await withDatabase(() => controlRollout(id, wanted, call, context));
  response.status(202);
  return withDatabase(() => context.deployments.get(id));
}

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
    handle: (request, response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.deployments.list(page, modelsOf(response)));
    },
  },
  {
    method: 'get',
    path: '/deployments/{deployment_id}',
    tag: 'Deployments',
    summary: 'A rollout: its state, how the traffic is split, and the latest evidence with its verdict',
    role: 'viewer',
    answers: [{ status: 200, description: 'The rollout', schema: ref('DeploymentDetail') }],
    errors: ['deployment_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.deployments.get(pathParameter(request, 'deployment_id'))),
  },
  {
    method: 'get',
    path: '/deployments/{deployment_id}/evidence',
    tag: 'Deployments',
    summary: 'Every window of a rollout: evidence, rule and verdict, newest first',
    description: '`reproduced` says that judging the evidence by the rule once more gave the same verdict.',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of windows', schema: listOf('EvidenceWindow') }],
    errors: ['deployment_not_found', 'request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.deployments.evidence(pathParameter(request, 'deployment_id'), page));
    },
  },
  ...Object.entries(COMMANDS).map(([action, summary]): RouteDefinition => ({
    method: 'post',
    path: `/deployments/{deployment_id}/${action}`,
    tag: 'Deployments',
    summary,
    role: 'operator',
    body: commandRequestSchema,
    isBodyOptional: true,
    example: { note: 'The campaign is over.' },
    answers: [{ status: 202, description: 'The rollout was told', schema: ref('DeploymentDetail') }],
    errors: COMMAND_ERRORS,
    handle: (request, response, context) => {
      const { note } = parseRequest(commandRequestSchema, request.body ?? {});
      return command(request, response, context, { action: action as keyof typeof COMMANDS, note });
    },
  })),
  {
    method: 'post',
    path: '/deployments/{deployment_id}/promote',
    tag: 'Deployments',
    summary: 'Give the version on trial all traffic now, whatever the evidence says as yet',
    role: 'operator',
    body: promoteRequestSchema,
    isBodyOptional: true,
    example: { note: 'Seen enough.' },
    answers: [{ status: 202, description: 'The rollout was told', schema: ref('DeploymentDetail') }],
    errors: [...COMMAND_ERRORS, 'traffic_frozen'],
    handle: (request, response, context) =>
      command(request, response, context, {
        action: 'promote',
        ...parseRequest(promoteRequestSchema, request.body ?? {}),
      }),
  },
  {
    method: 'put',
    path: '/deployments/{deployment_id}/ladder',
    tag: 'Deployments',
    summary: 'Change the shares that are still to come',
    description: 'The share of the step under way stays as it is; the next one is the first that is larger.',
    role: 'operator',
    body: ladderRequestSchema,
    example: { steps: [10, 50, 100] },
    answers: [{ status: 202, description: 'The rollout was told', schema: ref('DeploymentDetail') }],
    errors: COMMAND_ERRORS,
    handle: (request, response, context) =>
      command(request, response, context, { action: 'set_ladder', ...parseRequest(ladderRequestSchema, request.body) }),
  },
];
