import { z } from 'zod';
import { driftMonitorSchema } from './drift-monitor.js';
import { performanceMonitorSchema } from './performance-monitor.js';

/** How one model is watched: the body of `PUT /monitors/{model}`, and `monitor` in `models/config.yaml`. */
export const monitorSchema = z.strictObject({
  enabled: z.boolean().default(true),
  /** How often the log is judged. */
  every_hours: z
    .int()
    .min(1)
    .max(168)
    .default(24)
    .describe('Hours between two runs; windows end on whole multiples of it, in UTC'),
  owner: z.string().trim().min(1).max(200).optional().describe('Who is told of alarms, as text in the alert'),
  drift: driftMonitorSchema.prefault({}),
  performance: performanceMonitorSchema.prefault({}),
});
export type MonitorSettings = z.output<typeof monitorSchema>;
