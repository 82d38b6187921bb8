import { deliveriesQuerySchema, webhookRequestSchema } from '../../core/schemas/webhook.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { checkReceiver } from '../../services/webhooks/find-receiver.js';
import { callerOf, pathParameter } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const WEBHOOK = '/webhooks/{webhook_id}';
const errors = ['webhook_not_found', 'dependency_unavailable'] as const;

export const webhookRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/webhooks',
    tag: 'Webhooks',
    summary: 'Be told of every change of the state of versions',
    description:
      'Messages are written in the same transaction as the change and sent at least once, signed by the Standard Webhooks scheme ' +
      '(`webhook-id`, `webhook-timestamp`, `webhook-signature`). `id` and `sequence` tell a repetition. What fails is tried again for about ' +
      'a day. The answer has the secret, which is not shown again. Addresses of private networks are refused unless WEBHOOK_ALLOWED_HOSTS names them.',
    role: 'admin',
    body: webhookRequestSchema,
    example: { url: 'https://hooks.example.com/models', events: ['version.production', 'version.retired'] },
    answers: [{ status: 201, description: 'The webhook with its secret', schema: ref('WebhookCreated') }],
    errors: ['model_not_found', 'webhook_limit', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { model, ...wanted } = parseRequest(webhookRequestSchema, request.body);
      const name = model === undefined ? undefined : modelDefinition(await context.readModelsConfig(), model).name;
      await checkReceiver(wanted.url, context.config.webhookAllowedHosts);
      const subject = callerOf(response).subject;
      const created = await withDatabase(() => context.webhooks.create({ ...wanted, model: name, subject }));
      response.status(201).setHeader('Location', `/webhooks/${created.webhook_id}`);
      return created;
    },
  },
  {
    method: 'get',
    path: '/webhooks',
    tag: 'Webhooks',
    summary: 'List the webhooks, newest first',
    role: 'operator',
    answers: [{ status: 200, description: 'All webhooks', schema: listOf('Webhook') }],
    errors: ['dependency_unavailable'],
    handle: (_request, _response, context) => withDatabase(() => context.webhooks.list()),
  },
  {
    method: 'get',
    path: WEBHOOK,
    tag: 'Webhooks',
    summary: 'A webhook',
    role: 'operator',
    answers: [{ status: 200, description: 'The webhook', schema: ref('Webhook') }],
    errors,
    handle: (request, _response, context) =>
      withDatabase(() => context.webhooks.get(pathParameter(request, 'webhook_id'))),
  },
  {
    method: 'delete',
    path: WEBHOOK,
    tag: 'Webhooks',
    summary: 'Delete a webhook, with its deliveries',
    role: 'admin',
    answers: [{ status: 204, description: 'The webhook is gone' }],
    errors,
    async handle(request, response, context) {
      await withDatabase(() => context.webhooks.remove(pathParameter(request, 'webhook_id')));
      response.status(204);
      return undefined;
    },
  },
  {
    method: 'post',
    path: `${WEBHOOK}/test`,
    tag: 'Webhooks',
    summary: 'Send a message of the type webhook.test',
    description: 'GET …/deliveries tells what came of it.',
    role: 'operator',
    answers: [{ status: 201, description: 'The delivery', schema: ref('Delivery') }],
    errors,
    async handle(request, response, context) {
      const delivery = await withDatabase(() => context.webhooks.test(pathParameter(request, 'webhook_id')));
      response.status(201);
      return delivery;
    },
  },
  {
    method: 'get',
    path: `${WEBHOOK}/deliveries`,
    tag: 'Webhooks',
    summary: 'What was sent to a webhook, newest first: attempts, status, latency, error, next attempt',
    description: 'Kept for 30 days after the end of a delivery.',
    role: 'operator',
    query: deliveriesQuerySchema,
    answers: [{ status: 200, description: 'A page of deliveries', schema: listOf('Delivery') }],
    errors: [...errors, 'request_invalid'],
    handle: (request, _response, context) => {
      const { state, ...page } = parseRequest(deliveriesQuerySchema, request.query);
      return withDatabase(() => context.webhooks.deliveries(pathParameter(request, 'webhook_id'), page, state));
    },
  },
  {
    method: 'post',
    path: `${WEBHOOK}/deliveries/{delivery_id}/replay`,
    tag: 'Webhooks',
    summary: 'Send a delivery once more',
    description:
      'The same message with the same id, from the first attempt on; also one that was given up or has arrived.',
    role: 'operator',
    answers: [{ status: 200, description: 'The delivery', schema: ref('Delivery') }],
    errors: [...errors, 'delivery_not_found'],
    handle: (request, _response, context) =>
      withDatabase(() =>
        context.webhooks.replay(pathParameter(request, 'webhook_id'), pathParameter(request, 'delivery_id')),
      ),
  },
];
