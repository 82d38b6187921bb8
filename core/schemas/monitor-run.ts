import { z } from 'zod';
import { FINDING_STATES, MONITOR_NAMES } from '../monitoring/finding.js';
import { pageQuerySchema } from './listing.js';
import { modelNameSchema } from './training.js';

/** The body of `POST /monitors/{model}/run`. */
export const monitorRunSchema = z.strictObject({
  window_end: z.iso
    .datetime({ offset: true })
    .optional()
    .describe(
      'End of the windows that are judged, not later than now; by default the last whole multiple of `every_hours`',
    ),
});
/** The input of the workflow: the body with the model that stands in the path. */
export const monitorJobSchema = monitorRunSchema.extend({ model: modelNameSchema });

const instant = z.iso.datetime({ offset: true }).optional();
export const findingsQuerySchema = pageQuerySchema.extend({
  monitor: z.enum(MONITOR_NAMES).optional(),
  state: z.enum(FINDING_STATES).optional(),
  subject: z.string().max(300).optional().describe('Of one thing that is watched, such as `input:age`'),
  from: instant.describe('Windows that end at or after it'),
  to: instant.describe('Windows that end before it'),
});
export type FindingsQuery = z.output<typeof findingsQuerySchema>;
