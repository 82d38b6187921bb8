import {
  runMetricsQuerySchema,
  runsCompareQuerySchema,
  runsQuerySchema,
  runsReportQuerySchema,
} from '../../core/schemas/run.js';
import { digestOf } from '../../services/canonical-json.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { compareRuns } from '../../services/tracking/compare-runs.js';
import { buildRunsReport, chooseMeasure, MOST_CURVE_RUNS, rankRuns } from '../../services/tracking/runs-report.js';
import { pathParameter } from '../http-context.js';
import { PAGE_POLICY, reportPages } from './reports.js';
import { modelsOf } from '../model-scope.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const RUN = '/runs/{run_id}';
/** Of more runs the latest are looked at. */
const MOST_REPORTED = 2000;
const CURVE_POINTS = 200;

export const runRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/runs',
    tag: 'Runs',
    summary: 'Trainings and trials: parameters, metrics, artifacts, environment and cost',
    description:
      '`filter` compares `metrics.…`, `params.…` and the columns of a run (`status`, `model`, `version`, `wall_seconds`, `created_at`, …) by ' +
      '`=`, `!=`, `<`, `<=`, `>`, `>=`, `in (…)`, `contains`, `is null`, put together with `and`, `or`, `not` and brackets. Names with other ' +
      'characters stand in backquotes. A run without a value fits no comparison. What cannot be read is 422 with its place.',
    role: 'viewer',
    query: runsQuerySchema,
    answers: [{ status: 200, description: 'A page of runs', schema: listOf('Run') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle: (request, response, context) => {
      const query = parseRequest(runsQuerySchema, request.query);
      return withDatabase(() => context.runs.list({ ...query, models: modelsOf(response) }));
    },
  },
  {
    method: 'get',
    path: '/runs/compare',
    tag: 'Runs',
    summary: 'Runs side by side: what differs first',
    role: 'viewer',
    query: runsCompareQuerySchema,
    answers: [{ status: 200, description: 'The comparison', schema: ref('RunComparison') }],
    errors: ['request_invalid', 'run_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const { ids } = parseRequest(runsCompareQuerySchema, request.query);
      return withDatabase(async () => compareRuns(await context.runs.getAll(ids)));
    },
  },
  {
    method: 'get',
    path: '/runs/report',
    tag: 'Runs',
    summary: 'A page with plots of runs, or the figures behind it',
    description:
      `Of the latest ${MOST_REPORTED} runs that fit: how a metric went from run to run, which parameters it depends on, all parameters in parallel ` +
      'coordinates, and the curves of the best. One self-contained HTML page without scripts; with `Accept: application/json` the same as data.',
    role: 'viewer',
    query: runsReportQuerySchema,
    answers: [
      { status: 200, description: 'The page', contentType: 'text/html', schema: { type: 'string' } },
      { status: 200, description: 'The page as data', schema: ref('RunsReport') },
    ],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { metric, goal, ...selection } = parseRequest(runsReportQuerySchema, request.query);
      const document = await withDatabase(async () => {
        const runs = await context.runs.latest(selection, MOST_REPORTED);
        const measure = chooseMeasure(runs, { metric, goal });
        const best = rankRuns(runs, measure).slice(0, MOST_CURVE_RUNS);
        const curves = await context.runs.curves(
          best.map((run) => run.run_id),
          { points: CURVE_POINTS },
        );
        return buildRunsReport(runs, curves, measure);
      });
      response.vary('Accept');
      if (request.accepts(['html', 'json']) === 'json') return document;
      const page = await reportPages.page(digestOf(document), document);
      response.setHeader('Content-Security-Policy', PAGE_POLICY);
      response.type('html').send(page);
      return undefined;
    },
  },
  {
    method: 'get',
    path: RUN,
    tag: 'Runs',
    summary: 'A run',
    description: 'The id is that of its job.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The run', schema: ref('Run') }],
    errors: ['run_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => withDatabase(() => context.runs.get(pathParameter(request, 'run_id'))),
  },
  {
    method: 'get',
    path: `${RUN}/metrics`,
    tag: 'Runs',
    summary: 'The curves of a run: figures by step, as the fit reports them',
    description: 'Also while the run goes; about a second behind.',
    role: 'viewer',
    query: runMetricsQuerySchema,
    answers: [{ status: 200, description: 'The curves by name', schema: listOf('RunCurve') }],
    errors: ['request_invalid', 'run_not_found', 'dependency_unavailable'],
    handle: (request, _response, context) => {
      const query = parseRequest(runMetricsQuerySchema, request.query);
      return withDatabase(async () => {
        const { run_id: id } = await context.runs.get(pathParameter(request, 'run_id'));
        return { items: await context.runs.curves([id], query), next_cursor: null };
      });
    },
  },
];
