import { z } from 'zod';
import { commonPredictFields, entityIdSchema, featuresSchema } from '../schemas/prediction.js';

/** What only a model of the kind `anomaly_detection` has in its config entry, below `anomaly`. */
export const anomalySettingsSchema = z.strictObject({});

/** A request to judge one row. */
export const anomalyRequestSchema = z.strictObject({
  entity_id: entityIdSchema.optional(),
  features: featuresSchema,
  threshold: z.number().min(0).max(1).default(0.5).describe('The sensitivity'),
  ...commonPredictFields,
});
