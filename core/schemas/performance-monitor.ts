import { z } from 'zod';

/** What of realised and expected metrics is watched. */
export const performanceMonitorSchema = z.strictObject({
  enabled: z.boolean().default(true),
  label_maturity_hours: z
    .int()
    .min(0)
    .max(8760)
    .default(24)
    .describe('A prediction counts once it is so old, so that quick truths do not stand for all'),
  segments: z.array(z.string().max(200)).max(5).default([]).describe('Features whose values are watched one by one'),
});
export type PerformanceMonitorSettings = z.output<typeof performanceMonitorSchema>;
