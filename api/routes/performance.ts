import { analyticsQuerySchema } from '../../core/schemas/analytics.js';
import { withDatabase } from '../../services/database/database.js';
import { readMonitor } from '../../services/monitors/monitor-settings.js';
import { readPerformanceAnalytics } from '../../services/performance/performance-analytics.js';
import { readPredictionAnalytics } from '../../services/performance/prediction-analytics.js';
import { ANALYTICS_ERRORS, DAYS, readAnalyticsQuery } from './analytics-query.js';
import { ref, type RouteDefinition } from './route-definition.js';

const SERIES = `${DAYS} An entry of the series stands for the predictions that were made in it; one without any is left out.`;

export const performanceRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/analytics/predictions',
    tag: 'Monitoring',
    summary: 'What a model has answered: counts, latency, scores, versions, by day or hour',
    description:
      `${SERIES} It reads sums, not the log, so it is quick over any number of predictions and stays when retention drops the log. What a ` +
      'shadow would have answered is not in it, nor are requests that were turned away.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series', schema: ref('PredictionAnalytics') }],
    errors: ANALYTICS_ERRORS,
    async handle(request, _response, context) {
      const { query, definition } = await readAnalyticsQuery(request, context);
      return withDatabase(() => readPredictionAnalytics(context.database, definition.name, query, Date.now()));
    },
  },
  {
    method: 'get',
    path: '/analytics/model-performance',
    tag: 'Monitoring',
    summary: 'How well a model’s answers came true, beside what was expected of them',
    description:
      `${SERIES} Realised metrics come from feedback, each with its 95 % interval and the rows it rests on; estimates need no truth and stand ` +
      'beside them with the error that they had so far. A truth counts to the time of its prediction, however late it comes, and a corrected ' +
      'one replaces the former.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The metrics', schema: ref('ModelPerformance') }],
    errors: ANALYTICS_ERRORS,
    async handle(request, _response, context) {
      const { query, definition } = await readAnalyticsQuery(request, context);
      return withDatabase(async () => {
        const { settings } = await readMonitor(definition, context.database);
        const watched = { model: definition.name, settings: settings.performance };
        return readPerformanceAnalytics(context.database, watched, query, Date.now());
      });
    },
  },
];
