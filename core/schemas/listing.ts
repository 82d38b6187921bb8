import { z } from 'zod';
import { JOB_STATUSES, JOB_TYPES } from '../names.js';
import { SWEEP_STATES, TRIAL_STATES } from './search.js';
import { modelNameSchema } from './training.js';

const limit = z.coerce.number().pipe(z.int().min(1).max(500)).default(50).describe('At most this many items');
const cursor = z.string().max(512).optional().describe('`next_cursor` of the page before');

export const pageQuerySchema = z.strictObject({ limit, cursor });
export const jobsQuerySchema = z.strictObject({
  limit,
  cursor,
  status: z.enum(JOB_STATUSES).optional(),
  type: z.enum(JOB_TYPES).optional(),
  model: modelNameSchema.optional(),
});
export const datasetsQuerySchema = z.strictObject({ limit, cursor, data_type: z.string().max(63).optional() });
export const rowsQuerySchema = z.strictObject({ limit });
export const sweepsQuerySchema = pageQuerySchema.extend({
  model: modelNameSchema.optional(),
  state: z.enum(SWEEP_STATES).optional(),
});
export const trialsQuerySchema = pageQuerySchema.extend({ state: z.enum(TRIAL_STATES).optional() });
