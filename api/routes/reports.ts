import { withDatabase } from '../../services/database/database.js';
import { readReport } from '../../services/reports/read-report.js';
import { createReportPages } from '../../services/reports/report-pages.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

/** The page may show itself and nothing else; the meta element in it says the same where it is opened from a disk. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const pages = createReportPages();

export const reportRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/models/{model}/versions/{version}/report',
    tag: 'Models',
    summary: 'The report of a version: one page with plots, or the figures behind it',
    description:
      'How good the version is on rows that no fit has seen: curves, reliability, residuals, what it rests on, where it is worse, and whether it may take traffic. ' +
      'Takes a version or an alias. One self-contained HTML page without scripts, which can be saved and printed; with `Accept: application/json` the same as data.',
    role: 'viewer',
    answers: [
      { status: 200, description: 'The report', contentType: 'text/html', schema: { type: 'string' } },
      { status: 200, description: 'The report', schema: ref('Report') },
    ],
    errors: ['model_not_found', 'version_not_found', 'report_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const row = await withDatabase(() => context.versions.find(name, pathParameter(request, 'version')));
      const document = await readReport(row, context.config.modelStoragePath);
      response.vary('Accept');
      if (request.accepts(['html', 'json']) === 'json') return document;
      const page = await pages.page(`${name} ${row.version} ${row.digest}`, document);
      response.setHeader('Content-Security-Policy', PAGE_POLICY);
      response.type('html').send(page);
      return undefined;
    },
  },
];
