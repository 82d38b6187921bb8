import type { Request, Response } from 'express';
import { validateRequestSchema } from '../../core/schemas/expectation.js';
import { rowsQuerySchema, validationsQuerySchema } from '../../core/schemas/listing.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { createReportPages } from '../../services/reports/report-pages.js';
import { validateStoredDataset } from '../../services/validation/validate-stored-dataset.js';
import { describeReport } from '../../services/validation/report-page.js';
import {
  findReport,
  listReports,
  newestReport,
  reportRows,
  type StoredReport,
} from '../../services/validation/report-store.js';
import { pathParameter, type ApiContext } from '../http-context.js';
import { PAGE_POLICY } from './reports.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const pages = createReportPages();
/** Failing rows that the page shows. */
const SHOWN_ROWS = 50;
/** A validation is one call: a large dataset with many checks is held to this. */
const TIME_LIMIT_MS = 60_000;

const reportAnswers: RouteDefinition['answers'] = [
  { status: 200, description: 'The report', schema: ref('ValidationReport') },
  { status: 200, description: 'The report', contentType: 'text/html', schema: { type: 'string' } },
];

/** As a page where HTML is asked for first, else as data. */
async function sendReport(request: Request, response: Response, context: ApiContext, report: StoredReport) {
  response.vary('Accept');
  if (request.accepts(['json', 'html']) !== 'html') return report;
  const { items } = await reportRows(context.database, context.folders.datasets, report.report_id, SHOWN_ROWS);
  const page = await pages.page(report.report_id, describeReport(report, items));
  response.setHeader('Content-Security-Policy', PAGE_POLICY);
  response.type('html').send(page);
  return undefined;
}

export const validationRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/data/validate',
    tag: 'Data',
    summary: 'Hold a dataset to expectations, and keep the report',
    description:
      'Types, ranges, sets, patterns, uniqueness, references, freshness, volume, distributions and your own SELECT, each with a severity and the share of rows that must hold. ' +
      'Without `expectations` those of the data type in models/data-types.yaml. The same question of the same data gives the same report. Ends after 60 s.',
    role: 'engineer',
    body: validateRequestSchema,
    example: {
      dataset_id: 'ds_0123456789abcdef0123',
      expectations: [
        { check: 'not_null', column: 'team_size', mostly: 0.95 },
        { check: 'range', column: 'complexity_score', minimum: 0, maximum: 1, severity: 'warning' },
      ],
    },
    answers: [{ status: 200, description: 'The report', schema: ref('ValidationReport') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'dataset_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
      'deadline_exceeded',
    ],
    async handle(request, _response, context) {
      const body = parseRequest(validateRequestSchema, request.body);
      return withDatabase(() =>
        validateStoredDataset(body, {
          ...context,
          folder: context.folders.datasets,
          nowMs: Date.now(),
          timeLimitMs: TIME_LIMIT_MS,
        }),
      );
    },
  },
  {
    method: 'get',
    path: '/data/validations',
    tag: 'Data',
    summary: 'List validation reports, newest first',
    role: 'viewer',
    query: validationsQuerySchema,
    answers: [{ status: 200, description: 'A page of reports', schema: listOf('ValidationSummary') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { limit, cursor, dataset_id: datasetId } = parseRequest(validationsQuerySchema, request.query);
      return withDatabase(() => listReports(context.database, { datasetId }, { limit, cursor }));
    },
  },
  {
    method: 'get',
    path: '/data/validations/{report_id}',
    tag: 'Data',
    summary: 'A validation report, as data or as a page',
    description: 'As data; with `Accept: text/html` one self-contained page without scripts.',
    role: 'viewer',
    answers: reportAnswers,
    errors: ['report_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      const report = await withDatabase(() => findReport(context.database, pathParameter(request, 'report_id')));
      return sendReport(request, response, context, report);
    },
  },
  {
    method: 'get',
    path: '/data/validations/{report_id}/rows',
    tag: 'Data',
    summary: 'The first rows that failed, with every reason',
    role: 'viewer',
    query: rowsQuerySchema,
    answers: [{ status: 200, description: 'Rows with reasons', schema: listOf('QuarantinedRow') }],
    errors: ['report_not_found', 'request_invalid', 'dependency_unavailable'],
    handle(request, _response, context) {
      const { limit } = parseRequest(rowsQuerySchema, request.query);
      const id = pathParameter(request, 'report_id');
      return withDatabase(() => reportRows(context.database, context.folders.datasets, id, limit));
    },
  },
  {
    method: 'get',
    path: '/data/datasets/{dataset_id}/validation',
    tag: 'Data',
    summary: 'The newest validation report of a dataset, as data or as a page',
    role: 'viewer',
    answers: reportAnswers,
    errors: ['report_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      const report = await withDatabase(() => newestReport(context.database, pathParameter(request, 'dataset_id')));
      return sendReport(request, response, context, report);
    },
  },
];
