import { ingestRequestSchema } from '../../core/schemas/ingestion.js';
import { datasetsQuerySchema, pageQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { datasetIdOf, planIngestion } from '../../services/datasets/ingestion.js';
import { sealSource } from '../../services/sources/seal-source.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { flushEventsOfAll } from '../all-processes.js';
import { callerOf, correlationIdOf, pathParameter } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

export const dataRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/data/ingest',
    tag: 'Data',
    summary: 'Read a source into a dataset',
    description:
      'A PostgreSQL table or query, an HTTP API, objects of an S3 store, an upload, events, or CSV, TSV, NDJSON, JSON, Parquet or Arrow files (gzip and zstd too) ' +
      'below DATA_SOURCE_ROOTS become an immutable, typed, checked snapshot. ' +
      'Credentials are taken out of the source before anything is stored in a workflow. The result of the job is `{dataset_id, rows, quarantined_rows, digest}`.',
    role: 'engineer',
    body: ingestRequestSchema,
    example: { source: 'projects.csv', data_type: 'projects' },
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'source_forbidden',
      'source_unreadable',
      'upload_not_found',
      'idempotency_key_reused',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(ingestRequestSchema, request.body);
      const idempotencyKey = idempotencyKeyOf(request);
      const source = await withDatabase(() => sealSource(context.database, body.source));
      // What was acknowledged before the call is in the dataset.
      if (source.startsWith('events:')) await flushEventsOfAll();
      const sealed = { ...body, source };
      const input = {
        type: 'ingest' as const,
        request: sealed,
        idempotencyKey,
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      const known = await withDatabase(() => findKeyedJob(input, context));
      if (!known) {
        await withDatabase(() => planIngestion({ jobId: 'check', request: sealed }, context));
        context.metrics.jobsStarted.inc({ type: 'ingest' });
      }
      const job = await startJob(input, context);
      return { ...jobAccepted(response, job), dataset_id: datasetIdOf(job.job_id) };
    },
  },
  {
    method: 'get',
    path: '/data/datasets',
    tag: 'Data',
    summary: 'List datasets, newest first',
    role: 'viewer',
    query: datasetsQuerySchema,
    answers: [{ status: 200, description: 'A page of datasets', schema: listOf('DatasetSummary') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { limit, cursor, data_type: dataType } = parseRequest(datasetsQuerySchema, request.query);
      return withDatabase(() => context.datasets.list({ dataType }, { limit, cursor }));
    },
  },
  {
    method: 'get',
    path: '/data/datasets/{dataset_id}',
    tag: 'Data',
    summary: 'A dataset with its profile and quality report',
    role: 'viewer',
    answers: [{ status: 200, description: 'The dataset', schema: ref('Dataset') }],
    errors: ['dataset_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) =>
      withDatabase(() => context.datasets.get(pathParameter(request, 'dataset_id'))),
  },
  {
    method: 'get',
    path: '/data/datasets/{dataset_id}/rows',
    tag: 'Data',
    summary: 'The rows of a dataset, in the order of the source',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'Rows', schema: listOf('Row') }],
    errors: ['dataset_not_found', 'request_invalid', 'dependency_unavailable'],
    handle(request, _response, context) {
      return withDatabase(() =>
        context.datasets.rows(pathParameter(request, 'dataset_id'), parseRequest(pageQuerySchema, request.query)),
      );
    },
  },
  {
    method: 'get',
    path: '/data/datasets/{dataset_id}/quarantine',
    tag: 'Data',
    summary: 'The rows that failed a check, with every reason',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'Rows with reasons', schema: listOf('QuarantinedRow') }],
    errors: ['dataset_not_found', 'request_invalid', 'dependency_unavailable'],
    handle(request, _response, context) {
      return withDatabase(() =>
        context.datasets.quarantine(pathParameter(request, 'dataset_id'), parseRequest(pageQuerySchema, request.query)),
      );
    },
  },
];
