import { z } from 'zod';
import { ROLES } from '../roles.js';
import { pageQuerySchema } from './listing.js';
import { modelNameSchema } from './training.js';

export const tokenRequestSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 'must be lower case letters, digits, _, . and -, at most 63')
    .describe('What it is for; callers with it are written down as token:{name}'),
  role: z.enum(ROLES),
  models: z
    .array(modelNameSchema)
    .min(1)
    .max(100)
    .optional()
    .describe('Only what belongs to these models; everything that the role allows without it'),
  expires_in_days: z
    .number()
    .positive()
    .max(3650)
    .optional()
    .describe('Days until it ends by itself; never without it'),
});

export const tokensQuerySchema = pageQuerySchema;
