import { z } from 'zod';
import { versionOrAliasSchema } from './deployment.js';

/** One feature: a number, a text, a truth value, or null for "not known". */
export const featureValueSchema = z.union([z.number(), z.string().max(10_000), z.boolean(), z.null()]);
export const featuresSchema = z.record(z.string().max(256), featureValueSchema);

/** What every request for a prediction may hold. */
export const commonPredictFields = {
  model_version: versionOrAliasSchema.optional().describe('A version or an alias; the deployed version by default'),
  explain: z.boolean().optional().describe('Add the contribution of each feature'),
};
export const entityIdSchema = z.string().min(1).max(256).describe('The entity that the prediction is about');

export const batchRequestSchema = z.strictObject({
  instances: z.array(z.unknown()).min(1).max(10_000).describe('Each as in a single prediction'),
  model_version: versionOrAliasSchema.optional(),
});

/** What turned out to be true of a head; of a forecast its steps, of a list the items that were taken. */
export const outcomeValueSchema = z.union([
  featureValueSchema,
  z.array(z.union([z.number(), z.string().max(256), z.null()])).max(1000),
]);

export type OutcomeValue = z.output<typeof outcomeValueSchema>;

export const feedbackRequestSchema = z
  .strictObject({
    outcome: z
      .record(z.string().min(1).max(256), outcomeValueSchema)
      .default({})
      .describe(
        'What turned out to be true, by prediction head; of a forecast the measured values from its first step on, null for a gap; of `items` the item that was taken, or several',
      ),
    metrics: z
      .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,62}$/, 'must be a name such as revenue'), z.number())
      .default({})
      .refine((metrics) => Object.keys(metrics).length <= 50, 'has more than 50 figures')
      .describe(
        'Figures of your business that this prediction led to, by name: what rollouts and experiments can be judged by',
      ),
    observed_at: z.iso
      .datetime({ offset: true })
      .refine((time) => Date.parse(time) >= 0, 'must not lie before 1970')
      .optional()
      .describe('When it was observed; now by default'),
  })
  .refine(({ outcome, metrics }) => Object.keys(outcome).length + Object.keys(metrics).length > 0, {
    path: ['outcome'],
    message: 'must name a head, or "metrics" a figure',
  });

/** What a model answers from. */
export interface ScoreInput {
  entityId?: string;
  features: Readonly<Record<string, string | number | boolean | null>>;
  /** What else the request of the kind holds, such as `forecast_horizon`, `threshold` or `limit`; plain JSON. */
  options?: Readonly<Record<string, unknown>>;
}

export interface PredictInput extends ScoreInput {
  modelVersion?: string;
  explain: boolean;
  /** Who asks. */
  caller?: string;
}
