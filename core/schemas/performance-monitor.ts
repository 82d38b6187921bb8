import { z } from 'zod';

const features = z.array(z.string().min(1).max(200)).max(5).default([]);

/** What of realised and expected metrics is watched. */
export const performanceMonitorSchema = z.strictObject({
  enabled: z.boolean().default(true),
  label_maturity_hours: z
    .int()
    .min(0)
    .max(8760)
    .default(24)
    .describe('A prediction counts once it is so old, so that quick truths do not stand for all'),
  least_rows: z
    .int()
    .min(10)
    .max(1_000_000)
    .default(30)
    .describe('Windows with fewer truths are not judged; they are unknown'),
  margin: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('A loss that is worse by this share than on the rows held out is no decay yet'),
  segments: features.describe(
    'Features whose values are watched one by one, from when they are named on: at most 50 values each',
  ),
  fairness: z
    .strictObject({
      groups: features.describe('Features whose values are groups that must be treated alike'),
      most_gap: z
        .number()
        .gt(0)
        .max(1)
        .default(0.1)
        .describe('The largest difference of rates between a group and all others'),
    })
    .prefault({}),
  stream: z.boolean().default(true).describe('Whether the newest answers are watched as they come'),
});
export type PerformanceMonitorSettings = z.output<typeof performanceMonitorSchema>;
