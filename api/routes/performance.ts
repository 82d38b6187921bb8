import type { Request } from 'express';
import { analyticsQuerySchema } from '../../core/schemas/analytics.js';
import { withDatabase } from '../../services/database/database.js';
import { readMonitor } from '../../services/monitors/monitor-settings.js';
import { parseRequest } from '../../services/parse-request.js';
import { readPerformanceAnalytics } from '../../services/performance/performance-analytics.js';
import { readPredictionAnalytics } from '../../services/performance/prediction-analytics.js';
import { modelDefinition } from '../../services/training/models-config.js';
import type { ApiContext } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

/** @throws ServiceError `request_invalid`, `model_not_found` */
async function readQuery(request: Request, context: ApiContext) {
  const query = parseRequest(analyticsQuerySchema, request.query);
  return { query, definition: modelDefinition(await context.readModelsConfig(), query.model_type) };
}

const DAYS =
  'Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. An entry of the series stands for ' +
  'the predictions that were made in it; one without any is left out.';
const errors = ['request_invalid', 'model_not_found', 'dependency_unavailable'] as const;

export const performanceRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/analytics/predictions',
    tag: 'Monitoring',
    summary: 'What a model has answered: counts, latency, scores, versions, by day or hour',
    description:
      `${DAYS} It reads sums, not the log, so it is quick over any number of predictions and stays when retention drops the log. What a ` +
      'shadow would have answered is not in it, nor are requests that were turned away.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series', schema: ref('PredictionAnalytics') }],
    errors,
    async handle(request, _response, context) {
      const { query, definition } = await readQuery(request, context);
      return withDatabase(() => readPredictionAnalytics(context.database, definition.name, query, Date.now()));
    },
  },
  {
    method: 'get',
    path: '/analytics/model-performance',
    tag: 'Monitoring',
    summary: 'How well a model’s answers came true, beside what was expected of them',
    description:
      `${DAYS} Realised metrics come from feedback, each with its 95 % interval and the rows it rests on; estimates need no truth and stand ` +
      'beside them with the error that they had so far. A truth counts to the time of its prediction, however late it comes, and a corrected ' +
      'one replaces the former.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The metrics', schema: ref('ModelPerformance') }],
    errors,
    async handle(request, _response, context) {
      const { query, definition } = await readQuery(request, context);
      return withDatabase(async () => {
        const { settings } = await readMonitor(definition, context.database);
        const watched = { model: definition.name, settings: settings.performance };
        return readPerformanceAnalytics(context.database, watched, query, Date.now());
      });
    },
  },
];
