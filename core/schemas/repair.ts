import { z } from 'zod';
import { canarySchema } from './deployment.js';
import { pageQuerySchema } from './listing.js';
import { REPAIR_SOURCES } from './repair-settings.js';
import { instantSchema, modelNameSchema, trainRequestSchema } from './training.js';

export const REPAIR_STATES = ['running', 'repaired', 'not_better', 'rolled_back', 'failed', 'cancelled'] as const;
export type RepairState = (typeof REPAIR_STATES)[number];

const repairShape = {
  reason: z.string().trim().min(1).max(500).optional().describe('Why, for those who read the story'),
  since: instantSchema
    .optional()
    .describe('From when on the data are of the world as it is now; by default the beginning of the oldest alert'),
  source: z.enum(REPAIR_SOURCES).optional().describe('By default as the entry of the model says'),
  training: trainRequestSchema
    .omit({ model_type: true, training_data: true, auto_deploy: true })
    .prefault({})
    .describe('As in POST /models/train'),
  canary: canarySchema.optional().describe('By default as the entry of the model says'),
};
export const repairRequestSchema = z.strictObject(repairShape);

/** The input of the workflow. */
export const repairJobSchema = z.strictObject({
  ...repairShape,
  model: modelNameSchema,
  alert_id: z.string().max(100).optional(),
});

export const repairsQuerySchema = pageQuerySchema.extend({
  model: modelNameSchema.optional(),
  state: z.enum(REPAIR_STATES).optional(),
});
