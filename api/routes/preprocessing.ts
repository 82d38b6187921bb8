import { preprocessRequestSchema } from '../../core/schemas/preprocessing.js';
import { withDatabase } from '../../services/database/database.js';
import { datasetIdOf } from '../../services/datasets/ingestion.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { planPreprocessing } from '../../services/preprocessing/plan-preprocessing.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { ref, type RouteDefinition } from './route-definition.js';

export const preprocessingRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/data/preprocess',
    tag: 'Data',
    summary: 'Prepare a dataset: gaps, outliers, scales, encodings',
    description:
      'Learns from all rows of a dataset and writes them, prepared, as a new dataset with its lineage; rows that are left out are in its quarantine with the reason. ' +
      'For a model use `preprocessing` in its entry of models/config.yaml instead: it is the same, learnt from training rows alone and applied to every request.',
    role: 'engineer',
    body: preprocessRequestSchema,
    example: {
      dataset_id: 'ds_0123456789abcdef0123',
      preprocessing_config: { normalize: false, handle_missing: 'median', feature_scaling: 'standard' },
      keep: ['project_id'],
    },
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'dataset_not_found',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(preprocessRequestSchema, request.body);
      const input = {
        type: 'preprocess' as const,
        // As it was sent: what is left out has its default again in the workflow.
        request: request.body as Record<string, unknown>,
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      const known = await withDatabase(() => findKeyedJob(input, context));
      if (!known) {
        await withDatabase(() => planPreprocessing({ jobId: 'check', request: body }, context));
        context.metrics.jobsStarted.inc({ type: 'preprocess' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), dataset_id: datasetIdOf(job.job_id) };
    },
  },
  {
    method: 'get',
    path: '/data/datasets/{dataset_id}/preprocessor',
    tag: 'Data',
    summary: 'What a preprocessed dataset was made by: every number that was learnt',
    role: 'viewer',
    answers: [{ status: 200, description: 'The preprocessor', schema: ref('Preprocessor') }],
    errors: ['dataset_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.datasets.preprocessor(pathParameter(request, 'dataset_id'))),
  },
];
