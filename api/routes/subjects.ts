import { entityIdSchema } from '../../core/schemas/prediction.js';
import { pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { erasureKeyOf } from '../../services/erasure/erasure-store.js';
import { parseRequest } from '../../services/parse-request.js';
import { startJob } from '../../services/pipelines/start-job.js';
import { forgetInAll } from '../all-processes.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

export const subjectRoutes: RouteDefinition[] = [
  {
    method: 'delete',
    path: '/subjects/{entity_id}',
    tag: 'Lineage',
    summary: 'Erase a person from every store',
    description:
      'From logged predictions and outcomes, features, datasets with their quarantine, exported logs, spools and caches; then every store is searched. ' +
      'The report tells what went, what was found afterwards, which versions learnt from the person, and what no call can reach. The job carries an id only, ' +
      'never the person. A second call before the first has ended is the same erasure.',
    role: 'admin',
    answers: [{ status: 202, description: 'The erasure was accepted', schema: ref('ErasureAccepted') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, response, context) {
      const subject = parseRequest(entityIdSchema, pathParameter(request, 'entity_id'));
      const { subject: requestedBy } = callerOf(response);
      const erasureId = await withDatabase(() => context.erasures.request(subject, requestedBy));
      context.metrics.jobsStarted.inc({ type: 'erase' });
      const job = await startJob(
        {
          type: 'erase',
          request: { erasure_id: erasureId },
          // The erasure has one job, however often it is asked for.
          idempotencyKey: erasureKeyOf(erasureId),
          correlationId: correlationIdOf(response),
          requestedBy,
        },
        context,
      );
      return { ...jobAccepted(response, job), erasure_id: erasureId };
    },
  },
  {
    method: 'post',
    path: '/subjects/forget',
    tag: 'Lineage',
    summary: 'Have all API processes forget what they answered',
    description: 'Empties the caches in their memory, and brings what they have spooled to the database. An erasure does this by itself.',
    role: 'admin',
    answers: [{ status: 200, description: 'What was forgotten', schema: ref('Forgotten') }],
    errors: [],
    handle: () => forgetInAll(),
  },
  {
    method: 'get',
    path: '/erasures',
    tag: 'Lineage',
    summary: 'List erasures, newest first',
    role: 'admin',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of erasures', schema: listOf('Erasure') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => context.erasures.list(page));
    },
  },
  {
    method: 'get',
    path: '/erasures/{erasure_id}',
    tag: 'Lineage',
    summary: 'An erasure and its report; whom it was about is not kept',
    role: 'admin',
    answers: [{ status: 200, description: 'The erasure', schema: ref('Erasure') }],
    errors: ['erasure_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.erasures.get(pathParameter(request, 'erasure_id'))),
  },
];
