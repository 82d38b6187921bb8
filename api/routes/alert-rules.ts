import { ServiceError } from '../../core/errors.js';
import { RULE_NAME } from '../../core/schemas/alert-rule.js';
import { alertRuleSchema, newAlertRuleSchema, type AlertRuleSettings } from '../../core/schemas/alert.js';
import { putTestMessage } from '../../services/alerts/alert-deliverer.js';
import { findReceiverById, readReceivers } from '../../services/alerts/receivers.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { callerOf, pathParameter, type ApiContext } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const RULE = '/alerts/rules/{rule}';
const bodyErrors = [
  'request_malformed',
  'request_invalid',
  'model_not_found',
  'alert_conflict',
  'media_type_unsupported',
  'dependency_unavailable',
] as const;
const example = {
  when: { monitor: 'drift', subject: 'input:price', least_severity: 'medium' },
  severity: 'high',
  open_after: 2,
  owner: 'pricing team',
  receivers: ['email'],
};

/** @throws ServiceError `request_invalid` for a name that no rule of the API can have */
function ruleName(name: string): string {
  if (RULE_NAME.test(name)) return name;
  throw new ServiceError('request_invalid', 'The name of the rule cannot be used.', [
    { path: 'rule', message: 'must be lower case letters, digits, _ and -, at most 63, such as drift-of-price' },
  ]);
}

/** @throws ServiceError `model_not_found` */
async function checkModels({ models }: AlertRuleSettings, context: ApiContext): Promise<void> {
  const config = await context.readModelsConfig();
  for (const model of models) modelDefinition(config, model);
}

export const alertRuleRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/alerts/rules',
    tag: 'Alerts',
    summary: 'What opens alerts, in the order in which rules are asked',
    description:
      'A finding belongs to the first rule that fits it: those of the API by name, those of models/config.yaml, those built in.',
    role: 'viewer',
    answers: [{ status: 200, description: 'All rules', schema: listOf('AlertRule') }],
    errors: ['dependency_unavailable'],
    handle: (_request, _response, context) => withDatabase(() => context.alertRules.list()),
  },
  {
    method: 'post',
    path: '/alerts/rules',
    tag: 'Alerts',
    summary: 'Make a rule',
    role: 'operator',
    body: newAlertRuleSchema,
    example: { name: 'drift-of-price', ...example },
    answers: [{ status: 201, description: 'The rule', schema: ref('AlertRule') }],
    errors: bodyErrors,
    async handle(request, response, context) {
      const { name, ...rule } = parseRequest(newAlertRuleSchema, request.body);
      await checkModels(rule, context);
      const made = await withDatabase(() => context.alertRules.create(name, rule, callerOf(response).subject));
      response.status(201).setHeader('Location', `/alerts/rules/${name}`);
      return made;
    },
  },
  {
    method: 'get',
    path: RULE,
    tag: 'Alerts',
    summary: 'A rule',
    role: 'viewer',
    answers: [{ status: 200, description: 'The rule', schema: ref('AlertRule') }],
    errors: ['alert_rule_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => withDatabase(() => context.alertRules.get(pathParameter(request, 'rule'))),
  },
  {
    method: 'put',
    path: RULE,
    tag: 'Alerts',
    summary: 'Make or replace a rule',
    description:
      'One of the name of a built-in rule takes its place; with "enabled": false nothing opens alerts in its stead.',
    role: 'operator',
    body: alertRuleSchema,
    example,
    answers: [{ status: 200, description: 'The rule', schema: ref('AlertRule') }],
    errors: bodyErrors,
    async handle(request, response, context) {
      const name = ruleName(pathParameter(request, 'rule'));
      const rule = parseRequest(alertRuleSchema, request.body);
      await checkModels(rule, context);
      return withDatabase(() => context.alertRules.put(name, rule, callerOf(response).subject));
    },
  },
  {
    method: 'delete',
    path: RULE,
    tag: 'Alerts',
    summary: 'Delete a rule of the API',
    description: 'What is built in under its name is in force again. Its open alerts are resolved.',
    role: 'operator',
    answers: [{ status: 204, description: 'The rule is gone' }],
    errors: ['alert_rule_not_found', 'alert_conflict', 'dependency_unavailable'],
    async handle(request, response, context) {
      await withDatabase(() => context.alertRules.remove(pathParameter(request, 'rule'), callerOf(response).subject));
      response.status(204);
      return undefined;
    },
  },
  {
    method: 'get',
    path: '/alerts/receivers',
    tag: 'Alerts',
    summary: 'Who is told of alerts, and what waits for them',
    description:
      'They are named by the environment: ALERT_WEBHOOK_URLS, ALERT_SLACK_URLS, ALERT_EMAIL_TO, ALERTMANAGER_URL.',
    role: 'operator',
    answers: [{ status: 200, description: 'All receivers', schema: listOf('AlertReceiver') }],
    errors: ['dependency_unavailable'],
    handle: (_request, _response, { config, database }) => withDatabase(() => readReceivers(database, config.alerts)),
  },
  {
    method: 'post',
    path: '/alerts/receivers/{receiver_id}/test',
    tag: 'Alerts',
    summary: 'Send a message of the type alert.test',
    description: 'GET /alerts/receivers tells whether it still waits.',
    role: 'operator',
    answers: [{ status: 201, description: 'The message', schema: ref('AlertTest') }],
    errors: ['receiver_not_found', 'dependency_unavailable'],
    async handle(request, response, { config, database }) {
      const { id } = findReceiverById(config.alerts, pathParameter(request, 'receiver_id'));
      const messageId = await withDatabase(() => putTestMessage(database, id, callerOf(response).subject));
      response.status(201);
      return { message_id: messageId, receiver_id: id };
    },
  },
];
