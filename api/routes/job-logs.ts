import { jobLogQuerySchema } from '../../core/schemas/job-log.js';
import { ServiceError } from '../../core/errors.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { pathParameter } from '../http-context.js';
import { listOf, type RouteDefinition } from './route-definition.js';

export const jobLogRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/jobs/{job_id}/logs',
    tag: 'Jobs',
    summary: 'What a job has logged, newest first',
    description:
      'Stages and waits of its workflow, each attempt of its steps with its duration and figures, and what else its processes have said about it at the level of ' +
      'the log. Of each job the newest 2,000 lines are kept, for `JOB_LOG_DAYS`. `GET /jobs/{job_id}/events?logs_after=0` follows them as they come.',
    role: 'viewer',
    query: jobLogQuerySchema,
    answers: [{ status: 200, description: 'A page of lines', schema: listOf('JobLogLine') }],
    errors: ['request_invalid', 'job_not_found', 'dependency_unavailable'],
    handle: (request, _response, { jobs, jobLog }) =>
      withDatabase(async () => {
        const id = pathParameter(request, 'job_id');
        const query = parseRequest(jobLogQuerySchema, request.query);
        const page = await jobLog.list(id, query);
        if (page.items.length === 0 && !(await jobs.get(id)))
          throw new ServiceError('job_not_found', `There is no job "${id.slice(0, 100)}". GET /jobs lists them.`);
        return page;
      }),
  },
];
