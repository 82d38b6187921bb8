import type { Request } from 'express';
import { analyticsQuerySchema } from '../../core/schemas/analytics.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import type { ApiContext } from '../http-context.js';

/** How the days of a query are counted, for the description of each route that takes one. */
export const DAYS =
  'Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June.';
export const ANALYTICS_ERRORS = ['request_invalid', 'model_not_found', 'dependency_unavailable'] as const;

/** The query of `/analytics/*`, and the model that it names. @throws ServiceError `request_invalid`, `model_not_found` */
export async function readAnalyticsQuery(request: Request, context: ApiContext) {
  const query = parseRequest(analyticsQuerySchema, request.query);
  return { query, definition: modelDefinition(await context.readModelsConfig(), query.model_type) };
}
