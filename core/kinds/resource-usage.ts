import { z } from 'zod';
import { commonPredictFields, entityIdSchema, featuresSchema } from '../schemas/prediction.js';

/** What only a model of the kind `resource_usage` has in its config entry, below `forecast`. */
export const forecastSettingsSchema = z.strictObject({});

/** A request for a forecast: from features alone, from a stored series, or from a history. */
export const forecastRequestSchema = z.strictObject({
  series_id: entityIdSchema.optional(),
  features: featuresSchema.optional(),
  forecast_horizon: z.int().min(1).max(365).default(30).describe('Steps of the model’s frequency'),
  ...commonPredictFields,
});
