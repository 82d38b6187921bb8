import { z } from 'zod';
import { retentionScheduleSchema } from '../../core/schemas/retention.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { planRetention } from '../../services/retention/plan-retention.js';
import { createRetentionSchedule } from '../../services/retention/retention-schedule.js';
import { callerOf, correlationIdOf } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { ref, type RouteDefinition } from './route-definition.js';

const nothing = z.strictObject({});
const schedule = [{ status: 200, description: 'The schedule', schema: ref('RetentionSchedule') }];

export const retentionRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/retention/plan',
    tag: 'Data',
    summary: 'What the retention policy would delete now, without deleting it',
    description:
      'The policy is `models/retention.yaml`. `held` is what it would let go, and a version or a job relies on: that is never deleted. `records` ' +
      'counts the rows of the database that are older than their days; these go by themselves within the hour. Counts end at 100,000.',
    role: 'operator',
    answers: [{ status: 200, description: 'The plan', schema: ref('RetentionPlan') }],
    errors: ['dependency_unavailable'],
    async handle(_request, _response, context) {
      const { retention: policy } = await context.readModelsConfig();
      return { policy, ...(await withDatabase(() => planRetention(policy, context, Date.now()))) };
    },
  },
  {
    method: 'post',
    path: '/retention/run',
    tag: 'Data',
    summary: 'Delete what the retention policy lets go',
    description: 'The result of the job is `{deleted, bytes, ids, held}`.',
    role: 'operator',
    body: nothing,
    isBodyOptional: true,
    example: {},
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      parseRequest(nothing, request.body);
      const input = {
        type: 'retain' as const,
        request: {},
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context))))
        context.metrics.jobsStarted.inc({ type: 'retain' });
      return jobAccepted(response, await startJob(input, context));
    },
  },
  {
    method: 'get',
    path: '/retention/schedule',
    tag: 'Schedules',
    summary: 'When retention is applied',
    role: 'viewer',
    answers: schedule,
    errors: ['schedule_not_found', 'dependency_unavailable'],
    handle: (_request, _response, context) => createRetentionSchedule(context.temporal).get(),
  },
  {
    method: 'put',
    path: '/retention/schedule',
    tag: 'Schedules',
    summary: 'Apply retention by the clock',
    role: 'operator',
    body: retentionScheduleSchema,
    example: { cron: '0 3 * * *' },
    answers: schedule,
    errors: ['request_malformed', 'request_invalid', 'media_type_unsupported', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      createRetentionSchedule(context.temporal).put(parseRequest(retentionScheduleSchema, request.body)),
  },
  {
    method: 'delete',
    path: '/retention/schedule',
    tag: 'Schedules',
    summary: 'Apply retention no more by the clock',
    role: 'operator',
    answers: [{ status: 204, description: 'The schedule is gone' }],
    errors: ['schedule_not_found', 'dependency_unavailable'],
    async handle(_request, response, context) {
      const retention = createRetentionSchedule(context.temporal);
      await retention.get();
      await retention.remove();
      response.status(204);
      return undefined;
    },
  },
];
