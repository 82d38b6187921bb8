import { replayRequestSchema } from '../../core/schemas/replay.js';
import { withDatabase } from '../../services/database/database.js';
import { datasetIdOf } from '../../services/datasets/ingestion.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { planReplay } from '../../services/quarantine/plan-replay.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { ref, type RouteDefinition } from './route-definition.js';

export const quarantineRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/data/datasets/{dataset_id}/quarantine/replay',
    tag: 'Data',
    summary: 'Correct the rows in quarantine, and check them again',
    description:
      'Makes a new dataset: the good rows, and after them those that are good now; the rest stays in its quarantine with the reasons that are left. ' +
      'Without corrections the rows are held to what models/data-types.yaml says today.',
    role: 'engineer',
    body: replayRequestSchema,
    isBodyOptional: true,
    example: {
      rules: [{ rule: 'cast_number', column: 'team_size' }],
      rows: [{ row_number: 17, values: { outcome: 'success' } }],
    },
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'dataset_not_found',
      'quarantine_empty',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(replayRequestSchema, request.body ?? {});
      const asked = { dataset_id: pathParameter(request, 'dataset_id'), ...body };
      const input = {
        type: 'replay' as const,
        request: asked,
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      const known = await withDatabase(() => findKeyedJob(input, context));
      if (!known) {
        await withDatabase(() => planReplay({ jobId: 'check', request: asked }, context));
        context.metrics.jobsStarted.inc({ type: 'replay' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), dataset_id: datasetIdOf(job.job_id) };
    },
  },
];
