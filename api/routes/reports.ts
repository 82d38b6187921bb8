import { withDatabase } from '../../services/database/database.js';
import { compareVersions } from '../../services/registry/compare-versions.js';
import { describeCard } from '../../services/reports/model-card.js';
import { readReport } from '../../services/reports/read-report.js';
import { renderCard } from '../../services/reports/render-card.js';
import { createReportPages } from '../../services/reports/report-pages.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

/** The page may show itself and nothing else; the meta element in it says the same where it is opened from a disk. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** One thread that draws, whoever asks. */
export const reportPages = createReportPages();

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
      const page = await reportPages.page(`${name} ${row.version} ${row.digest}`, document);
      response.setHeader('Content-Security-Policy', PAGE_POLICY);
      response.type('html').send(page);
      return undefined;
    },
  },
  {
    method: 'get',
    path: '/models/{model}/versions/{version}/card',
    tag: 'Models',
    summary: 'The model card of a version, as Markdown or as data',
    description:
      'What it is for, what it learned from, how good it is and where it is worse, its limits, who approved it, what was noted and what became ' +
      'of it. Made from stored data only. Markdown; with `Accept: application/json` the same as data.',
    role: 'viewer',
    answers: [
      { status: 200, description: 'The card', contentType: 'text/markdown', schema: { type: 'string' } },
      { status: 200, description: 'The card', schema: ref('ModelCard') },
    ],
    errors: ['model_not_found', 'version_not_found', 'dependency_unavailable'],
    async handle(request, response, context) {
      const definition = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const { modelStoragePath } = context.config;
      const card = await withDatabase(async () => {
        const row = await context.versions.find(definition.name, pathParameter(request, 'version'));
        return describeCard(row, definition, { ...context, modelStoragePath });
      });
      response.vary('Accept');
      if (request.accepts(['text/markdown', 'json']) === 'json') return card;
      response.type('text/markdown').send(renderCard(card));
      return undefined;
    },
  },
  {
    method: 'get',
    path: '/models/{model}/versions/{version}/compare/{other}',
    tag: 'Models',
    summary: 'Two versions side by side: settings, features, data, figures, size and latency',
    description:
      'Differences are those of the second version against the first. `verdict` says whether a difference is more than chance; it is `unknown` ' +
      'where the two were judged on different rows, and `basis` says why.',
    role: 'viewer',
    answers: [{ status: 200, description: 'The comparison', schema: ref('Comparison') }],
    errors: ['model_not_found', 'version_not_found', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const { modelStoragePath } = context.config;
      return withDatabase(async () => {
        const first = await context.versions.find(name, pathParameter(request, 'version'));
        const second = await context.versions.find(name, pathParameter(request, 'other'));
        return compareVersions(first, second, { ...context, modelStoragePath });
      });
    },
  },
];
