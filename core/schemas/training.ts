import { z } from 'zod';
import { canonicalModelName, NAME_PATTERN } from '../names.js';
import { hyperparametersSchema } from './model-config.js';
import { optimizeSchema } from './optimize.js';
import { searchRequestSchema } from './search.js';

export const modelNameSchema = z
  .string()
  .max(64)
  .transform(canonicalModelName)
  .pipe(z.string().regex(NAME_PATTERN, 'must be a model name such as user_behavior'));

/** `2024-01-01` or a full ISO-8601 time with a zone. A date means its midnight in UTC. */
export const instantSchema = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .describe('ISO-8601 date or time; a date means midnight UTC');

export const trainRequestSchema = z.strictObject({
  model_type: modelNameSchema.describe('A model of models/config.yaml'),
  training_data: z
    .strictObject({
      source: z.string().min(1).max(128).optional().describe('A data type or a dataset id; the model’s own by default'),
      start_date: instantSchema.optional().describe('Rows before it are not used'),
      end_date: instantSchema.optional().describe('Rows at or after it are not used'),
      filters: z
        .record(z.string().min(1).max(128), z.union([z.string(), z.number(), z.boolean()]))
        .optional()
        .describe('Column = value; for user_behavior also active_users_only'),
    })
    .refine((data) => !data.start_date || !data.end_date || Date.parse(data.start_date) < Date.parse(data.end_date), {
      path: ['end_date'],
      message: 'must be after start_date',
    })
    .optional(),
  hyperparameters: hyperparametersSchema.optional(),
  search: z
    .union([z.literal(false), searchRequestSchema])
    .optional()
    .describe(
      'Look for good hyperparameters first, by many trials; by default as the entry of the model says, with false not',
    ),
  optimize: z
    .union([z.literal(false), optimizeSchema])
    .optional()
    .describe(
      'Serve a smaller, faster variant of the fitted model where it loses no more than stated; by default as the entry of the model says',
    ),
  validation_split: z.number().min(0.05).max(0.5).default(0.2).describe('Share of the entities that is held out'),
  cross_validation: z.boolean().default(false).describe('Also report 5-fold estimates over all rows'),
  auto_deploy: z.boolean().default(false).describe('Deploy the version when it beats the baseline'),
});
export type TrainRequest = z.output<typeof trainRequestSchema>;
