import { tokenRequestSchema, tokensQuerySchema } from '../../core/schemas/service-token.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { callerOf, pathParameter } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const TOKEN = '/tokens/{token_id}';
const shared = { tag: 'Access', role: 'admin' } as const;
const errors = ['token_not_found', 'dependency_unavailable'] as const;

export const tokenRoutes: RouteDefinition[] = [
  {
    ...shared,
    method: 'post',
    path: '/tokens',
    summary: 'Make a token for a program',
    description:
      'The answer has the token, which is not shown again: only a hash of it is kept. With `models` it reaches what belongs to these models, and ' +
      'answers 404 for all others. Two tokens in use never have the same name.',
    body: tokenRequestSchema,
    example: { name: 'checkout', role: 'predictor', models: ['user_behavior'], expires_in_days: 90 },
    answers: [{ status: 201, description: 'The token', schema: ref('ServiceTokenCreated') }],
    errors: ['token_conflict', 'dependency_unavailable'],
    async handle(request, response, context) {
      const wanted = parseRequest(tokenRequestSchema, request.body);
      const created = await withDatabase(() => context.tokens.create(wanted, callerOf(response).subject));
      response.status(201).setHeader('Location', `/tokens/${created.token_id}`);
      return created;
    },
  },
  {
    ...shared,
    method: 'get',
    path: '/tokens',
    summary: 'List the tokens of programs, newest first; those that were revoked or have ended, too',
    query: tokensQuerySchema,
    answers: [{ status: 200, description: 'A page of tokens', schema: listOf('ServiceToken') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(tokensQuerySchema, request.query);
      return withDatabase(() => context.tokens.list(page));
    },
  },
  {
    ...shared,
    method: 'get',
    path: TOKEN,
    summary: 'A token: its beginning, role, end and last use',
    answers: [{ status: 200, description: 'The token', schema: ref('ServiceToken') }],
    errors,
    handle: (request, _response, context) => withDatabase(() => context.tokens.get(pathParameter(request, 'token_id'))),
  },
  {
    ...shared,
    method: 'delete',
    path: TOKEN,
    summary: 'Revoke a token',
    description:
      'It is refused by every process within about a second. Its row stays. The same call again answers the same.',
    answers: [{ status: 200, description: 'The revoked token', schema: ref('ServiceToken') }],
    errors,
    handle: (request, response, context) =>
      withDatabase(() => context.tokens.revoke(pathParameter(request, 'token_id'), callerOf(response).subject)),
  },
];
