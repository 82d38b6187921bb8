import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import { jobEventsQuerySchema } from '../../core/schemas/job-log.js';
import { jobsQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { TERMINAL, type Job } from '../../services/jobs/job.js';
import { parseRequest } from '../../services/parse-request.js';
import { cancelJob } from '../../services/pipelines/cancel-job.js';
import { settleJob } from '../../services/pipelines/reconcile-jobs.js';
import { startJob } from '../../services/pipelines/start-job.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { isStillSignedIn } from '../middleware/authenticate.js';
import { followJobLog } from './follow-job-log.js';
import { followSweep } from './follow-sweep.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';
import { streamJobEvents } from './stream-job-events.js';

/** The job as it is now; one whose workflow was ended from outside gets its end first. */
async function currentJob(id: string, context: ApiContext): Promise<Job> {
  const job = await withDatabase(() => context.jobs.get(id));
  if (!job) throw new ServiceError('job_not_found', `There is no job "${id.slice(0, 100)}". GET /jobs lists them.`);
  if (job.status !== 'running') return job;
  // Without Temporal the row is still the best that is known.
  return (await settleJob(id, context).catch(() => undefined)) ?? job;
}

function statusOf(job: Job) {
  const { job_id, type, status, progress, stage, created_at, started_at, finished_at, eta_seconds } = job;
  return { job_id, type, status, progress, stage, created_at, started_at, finished_at, eta_seconds };
}

export const jobRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/jobs',
    tag: 'Jobs',
    summary: 'List jobs, newest first',
    role: 'viewer',
    query: jobsQuerySchema,
    answers: [{ status: 200, description: 'A page of jobs', schema: listOf('Job') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { limit, cursor, ...filter } = parseRequest(jobsQuerySchema, request.query);
      return withDatabase(() => context.jobs.list({ ...filter, models: modelsOf(response) }, { limit, cursor }));
    },
  },
  {
    method: 'get',
    path: '/jobs/{job_id}',
    tag: 'Jobs',
    summary: 'A job with its request, result or error',
    role: 'viewer',
    answers: [{ status: 200, description: 'The job', schema: ref('Job') }],
    errors: ['job_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => currentJob(pathParameter(request, 'job_id'), context),
  },
  {
    method: 'get',
    path: '/jobs/{job_id}/status',
    tag: 'Jobs',
    summary: 'How far a job is',
    description: '`progress` goes from 0 to 1 and never back.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The status', schema: ref('JobStatus') }],
    errors: ['job_not_found', 'dependency_unavailable'],
    handle: async (request, _response, context) =>
      statusOf(await currentJob(pathParameter(request, 'job_id'), context)),
  },
  {
    method: 'get',
    path: '/jobs/{job_id}/events',
    tag: 'Jobs',
    summary: 'Follow a job as server-sent events',
    description:
      'Each event `status` carries what GET /jobs/{job_id}/status answers; the stream ends with the job, or with the token of its reader. Of a training job with a search ' +
      'also `sweep` with what GET /sweeps/{sweep_id} answers, and `trial` with a trial and its curve so far, whenever they change. With `logs_after` also `log` with each ' +
      'line that the job logs, as GET /jobs/{job_id}/logs has it; a reader whose stream broke goes on after the last line that it has.',
    role: 'viewer',
    query: jobEventsQuerySchema,
    answers: [
      { status: 200, description: 'A stream of events', contentType: 'text/event-stream', schema: { type: 'string' } },
    ],
    errors: ['request_invalid', 'job_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { logs_after: after } = parseRequest(jobEventsQuerySchema, request.query);
      const id = pathParameter(request, 'job_id');
      const { type } = await currentJob(id, context);
      const more = [
        ...(type === 'train' ? [followSweep(id, context.sweeps)] : []),
        ...(after === undefined ? [] : [followJobLog(id, BigInt(after), context.jobLog)]),
      ];
      const readMore = async (isOver: boolean) =>
        (await Promise.all(more.map((read) => read(isOver).catch(() => [])))).flat();
      const read = async () => statusOf(await currentJob(id, context));
      await streamJobEvents(request, response, read, readMore, () => isStillSignedIn(request, context.authenticator));
    },
  },
  {
    method: 'post',
    path: '/jobs/{job_id}/cancel',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description:
      'The job stops at once: a fit is killed, a rollout gives the traffic back. A cancelled job answers the same again.',
    role: 'operator',
    answers: [{ status: 202, description: 'The cancellation is under way', schema: ref('JobStatus') }],
    errors: ['job_not_found', 'job_conflict', 'dependency_unavailable'],
    async handle(request, response, context) {
      const id = pathParameter(request, 'job_id');
      const job = await currentJob(id, context);
      if (job.status === 'completed' || job.status === 'failed')
        throw new ServiceError('job_conflict', `The job ${id} has ${job.status} already.`);
      if (!TERMINAL.includes(job.status)) await cancelJob(id, context);
      response.status(202);
      return statusOf(await currentJob(id, context));
    },
  },
  {
    method: 'post',
    path: '/jobs/{job_id}/retry',
    tag: 'Jobs',
    summary: 'Start a failed or cancelled job again',
    description: 'A new job with the same request; the old one stays as it is.',
    role: 'engineer',
    answers: [{ status: 202, description: 'The new job', schema: ref('JobAccepted') }],
    errors: ['job_not_found', 'job_conflict', 'idempotency_key_reused', 'dependency_unavailable'],
    async handle(request, response, context) {
      const job = await currentJob(pathParameter(request, 'job_id'), context);
      if (job.status !== 'failed' && job.status !== 'cancelled')
        throw new ServiceError(
          'job_conflict',
          `The job ${job.job_id} is ${job.status}; only a failed or cancelled one can be started again.`,
        );
      const again = await startJob(
        {
          type: job.type,
          model: job.model ?? undefined,
          request: job.request as Record<string, unknown>,
          idempotencyKey: idempotencyKeyOf(request) ?? `retry-${job.job_id}-${randomBytes(8).toString('hex')}`,
          sentBody: { retry_of: job.job_id },
          correlationId: correlationIdOf(response),
          requestedBy: callerOf(response).subject,
        },
        context,
      );
      return jobAccepted(response, again);
    },
  },
];
