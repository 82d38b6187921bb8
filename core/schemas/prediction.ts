import { z } from 'zod';
import { versionOrAliasSchema } from './deployment.js';

/** One feature: a number, a text, a truth value, or null for "not known". */
export const featureValueSchema = z.union([z.number(), z.string().max(10_000), z.boolean(), z.null()]);
export const featuresSchema = z.record(z.string().max(256), featureValueSchema);

const common = {
  features: featuresSchema.describe('Values by the names of the model’s signature; a missing one counts as not known'),
  model_version: versionOrAliasSchema.optional().describe('A version or an alias; the deployed version by default'),
  explain: z.boolean().optional().describe('Add the contribution of each feature'),
};
const entityId = z.string().min(1).max(256).describe('The entity that the prediction is about');

export const userBehaviorRequestSchema = z.strictObject({ user_id: entityId.optional(), ...common });
export const projectSuccessRequestSchema = z.strictObject({ project_id: entityId.optional(), ...common });
export const tableRequestSchema = z.strictObject({
  entity_id: entityId.optional(),
  user_id: entityId.optional(),
  project_id: entityId.optional(),
  ...common,
});

export const batchRequestSchema = z.strictObject({
  instances: z.array(z.unknown()).min(1).max(10_000).describe('Each as in a single prediction'),
  model_version: versionOrAliasSchema.optional(),
});

export const feedbackRequestSchema = z.strictObject({
  outcome: z
    .record(z.string().min(1).max(256), featureValueSchema)
    .describe('What turned out to be true, by prediction head'),
  observed_at: z.iso
    .datetime({ offset: true })
    .refine((time) => Date.parse(time) >= 0, 'must not lie before 1970')
    .optional()
    .describe('When it was observed; now by default'),
});

export interface PredictInput {
  entityId?: string;
  features: Record<string, string | number | boolean | null>;
  modelVersion?: string;
  explain: boolean;
}
