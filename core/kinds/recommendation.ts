import { z } from 'zod';
import { commonPredictFields, entityIdSchema } from '../schemas/prediction.js';

/** What only a model of the kind `recommendation` has in its config entry, below `recommend`. */
export const recommendSettingsSchema = z.strictObject({});

/** A request for items for one user. */
export const recommendRequestSchema = z.strictObject({
  user_id: entityIdSchema,
  limit: z.int().min(1).max(100).default(10).describe('Items to answer with'),
  exclude: z.array(z.string().min(1).max(256)).max(1000).default([]).describe('Items never to answer with'),
  ...commonPredictFields,
});
