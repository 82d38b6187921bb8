import { z } from 'zod';
import { LINE_LEVELS } from '../names.js';
import { pageQuerySchema } from './listing.js';

export const jobLogQuerySchema = pageQuerySchema.extend({
  level: z.enum(LINE_LEVELS).optional().describe('Lines of this level and above'),
});

/** What a reader of the events of a job may ask for besides its status. */
export const jobEventsQuerySchema = z.strictObject({
  logs_after: z
    .string()
    .regex(/^\d{1,18}$/, 'must be the id of a line of the log, or 0 for all')
    .optional()
    .describe('Events `log` with the lines of the log after the one with this id, as they come; 0 for all'),
});
