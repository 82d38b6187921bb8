import { z } from 'zod';
import { canarySchema } from './deployment.js';

/** Where the rows of a repair come from. */
export const REPAIR_SOURCES = ['auto', 'log', 'snapshot'] as const;

/** `repair` of an entry of `models/config.yaml`: how much a model may be retrained without a person. */
export const repairSettingsSchema = z.strictObject({
  source: z
    .enum(REPAIR_SOURCES)
    .default('auto')
    .describe(
      'log: predictions whose outcome is known; snapshot: the newest dataset of the model; auto: the log where it has enough rows',
    ),
  least_rows: z.int().min(50).max(10_000_000).default(500).describe('Fewer labelled rows since the change are too few'),
  debounce_minutes: z
    .number()
    .min(0)
    .max(10_080)
    .default(60)
    .describe('So long an alert must stand, so that what belongs together is one repair'),
  trainings: z.int().min(0).max(1000).default(4).describe('Repairs by themselves within `period_days`'),
  period_days: z.int().min(1).max(366).default(30),
  backoff_hours: z
    .number()
    .min(0)
    .max(8760)
    .default(72)
    .describe('After a repair that did not help no other begins for so long; twice as long after each further one'),
  canary: canarySchema.prefault({}).describe('How the new version is rolled out, as in POST /models/{model}/deploy'),
});
export type RepairSettings = z.output<typeof repairSettingsSchema>;
