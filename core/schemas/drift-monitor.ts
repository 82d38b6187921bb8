import { z } from 'zod';

/** What of the distributions is watched. */
export const driftMonitorSchema = z.strictObject({
  enabled: z.boolean().default(true),
  window_hours: z.int().min(1).max(2016).default(24).describe('Hours of the log that one judgement looks at'),
  least_rows: z.int().min(50).max(1_000_000).default(200).describe('Fewer rows in a window are not judged'),
});
export type DriftMonitorSettings = z.output<typeof driftMonitorSchema>;
