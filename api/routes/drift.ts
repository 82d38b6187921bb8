import { analyticsQuerySchema } from '../../core/schemas/analytics.js';
import { withDatabase } from '../../services/database/database.js';
import { readDriftAnalytics } from '../../services/drift/drift-analytics.js';
import { readQualityAnalytics } from '../../services/quality/quality-analytics.js';
import { ANALYTICS_ERRORS, DAYS, readAnalyticsQuery } from './analytics-query.js';
import { ref, type RouteDefinition } from './route-definition.js';

const WINDOWS = `${DAYS} A window counts to the day, or the hour, in which its last moment lies.`;

export const driftRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/analytics/drift',
    tag: 'Monitoring',
    summary: 'How a model’s inputs, answers and truths differ from their reference, column by column, by day or hour',
    description:
      `${WINDOWS} Of several windows in one entry the worst is shown. Chances stand under \`tests\` and distances under \`effects\`, never under one ` +
      'name. `segment` shows those of a feature’s values instead of all rows.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series of each column', schema: ref('DriftAnalytics') }],
    errors: ANALYTICS_ERRORS,
    async handle(request, _response, context) {
      const { query, definition } = await readAnalyticsQuery(request, context);
      return withDatabase(() => readDriftAnalytics(context.database, definition.name, query, Date.now()));
    },
  },
  {
    method: 'get',
    path: '/analytics/data-quality',
    tag: 'Monitoring',
    summary: 'The state of a model’s data, as it was ingested and as it was sent for predictions',
    description:
      `${WINDOWS} \`datasets\`: snapshots of the model’s data type, their quarantined rows, their validation reports, and the age of the newest one. \`requests\`: ` +
      'violations of types and declared ranges, missing values and values beyond those of the reference, as the monitors found them.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series', schema: ref('DataQuality') }],
    errors: ANALYTICS_ERRORS,
    async handle(request, _response, context) {
      const { query, definition } = await readAnalyticsQuery(request, context);
      return withDatabase(() => readQualityAnalytics(context.database, definition, query, Date.now()));
    },
  },
];
