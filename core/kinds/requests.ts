import { z } from 'zod';
import type { ModelKind } from '../names.js';
import { commonPredictFields, entityIdSchema, featuresSchema, type PredictInput } from '../schemas/prediction.js';
import { anomalyRequestSchema } from './anomaly-detection.js';
import { recommendRequestSchema } from './recommendation.js';
import { forecastRequestSchema } from './resource-usage.js';

const features = featuresSchema.describe(
  'Values by the names of the model’s signature; a missing one counts as not known',
);

const userBehaviorRequestSchema = z.strictObject({
  user_id: entityIdSchema.optional(),
  features,
  recent_activities: z
    .array(z.string().min(1).max(256))
    .max(1000)
    .optional()
    .describe(
      'Types of the user’s latest events in the last 60 days, the latest last; the next activity is told from their order',
    ),
  ...commonPredictFields,
});
const projectSuccessRequestSchema = z.strictObject({
  project_id: entityIdSchema.optional(),
  features,
  ...commonPredictFields,
});
/** Of anyone's own table. */
export const tableRequestSchema = z.strictObject({
  entity_id: entityIdSchema.optional(),
  user_id: entityIdSchema.optional(),
  project_id: entityIdSchema.optional(),
  features,
  ...commonPredictFields,
});

/** The shape of a request for a prediction, by kind. */
export const PREDICT_REQUESTS = {
  user_behavior: userBehaviorRequestSchema,
  project_success: projectSuccessRequestSchema,
  resource_usage: forecastRequestSchema,
  anomaly_detection: anomalyRequestSchema,
  recommendation: recommendRequestSchema,
  classification: tableRequestSchema,
  regression: tableRequestSchema,
} satisfies Record<ModelKind, z.ZodType>;

/** A checked request as the scorers take it: the entity, the features, and whatever else the kind has as options. */
export function toPredictInput(parsed: Record<string, unknown>): PredictInput {
  const {
    entity_id: entity,
    user_id: user,
    project_id: project,
    series_id: series,
    features: given,
    model_version: modelVersion,
    explain,
    ...options
  } = parsed;
  return {
    entityId: (entity ?? user ?? project ?? series) as string | undefined,
    features: (given ?? {}) as PredictInput['features'],
    modelVersion: modelVersion as string | undefined,
    explain: explain === true,
    ...(Object.keys(options).length > 0 ? { options } : {}),
  };
}
