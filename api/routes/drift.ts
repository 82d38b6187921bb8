import { analyticsQuerySchema } from '../../core/schemas/analytics.js';
import { withDatabase } from '../../services/database/database.js';
import { readDriftAnalytics } from '../../services/drift/drift-analytics.js';
import { parseRequest } from '../../services/parse-request.js';
import { readQualityAnalytics } from '../../services/quality/quality-analytics.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { ref, type RouteDefinition } from './route-definition.js';

const DAYS =
  'Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. A window counts to the day, or the hour, ' +
  'in which its last moment lies.';
const errors = ['request_invalid', 'model_not_found', 'dependency_unavailable'] as const;

export const driftRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/analytics/drift',
    tag: 'Monitoring',
    summary: 'How a model’s inputs, answers and truths differ from their reference, column by column, by day or hour',
    description:
      `${DAYS} Of several windows in one entry the worst is shown. Chances stand under \`tests\` and distances under \`effects\`, never under one ` +
      'name. `segment` shows those of a feature’s values instead of all rows.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series of each column', schema: ref('DriftAnalytics') }],
    errors,
    async handle(request, _response, context) {
      const query = parseRequest(analyticsQuerySchema, request.query);
      const { name } = modelDefinition(await context.readModelsConfig(), query.model_type);
      return withDatabase(() => readDriftAnalytics(context.database, name, query, Date.now()));
    },
  },
  {
    method: 'get',
    path: '/analytics/data-quality',
    tag: 'Monitoring',
    summary: 'The state of a model’s data, as it was ingested and as it was sent for predictions',
    description:
      `${DAYS} \`datasets\`: snapshots of the model’s data type, their quarantined rows, their validation reports, and the age of the newest one. \`requests\`: ` +
      'violations of types and declared ranges, missing values and values beyond those of the reference, as the monitors found them.',
    role: 'viewer',
    query: analyticsQuerySchema,
    answers: [{ status: 200, description: 'The series', schema: ref('DataQuality') }],
    errors,
    async handle(request, _response, context) {
      const query = parseRequest(analyticsQuerySchema, request.query);
      const definition = modelDefinition(await context.readModelsConfig(), query.model_type);
      return withDatabase(() => readQualityAnalytics(context.database, definition, query, Date.now()));
    },
  },
];
