import { z } from 'zod';

/** What of the distributions is watched. */
export const driftMonitorSchema = z.strictObject({
  enabled: z.boolean().default(true),
  window_hours: z.int().min(1).max(2016).default(24).describe('Hours of the log that one judgement looks at'),
  least_rows: z.int().min(50).max(1_000_000).default(200).describe('Fewer rows in a window are not judged'),
  segments: z
    .array(z.string().min(1).max(200))
    .max(5)
    .default([])
    .describe('Features whose ten most frequent values are watched one by one, besides all rows together'),
  multivariate: z
    .boolean()
    .default(true)
    .describe('Once a week, whether a week of rows is told from the reference by all features together'),
});
export type DriftMonitorSettings = z.output<typeof driftMonitorSchema>;
