import { z } from 'zod';
import { timingShape } from './schedule.js';
import { NAME_PATTERN } from '../names.js';

const days = z.int().min(1).max(36_500);
const rule = z.strictObject({
  keep_newest: z
    .int()
    .min(1)
    .max(100_000)
    .default(1)
    .describe('So many newest snapshots of the data type stay, whatever their age'),
  days: days.describe('Older ones go'),
});

/** `models/retention.yaml`. Without it nothing is ever deleted. */
export const retentionFileSchema = z.strictObject({
  datasets: z
    .record(z.string().regex(NAME_PATTERN), rule)
    .default({})
    .describe('By data type; `default` is for all others'),
  quarantine_days: days.optional().describe('Quarantined rows of older snapshots go; the counts and reasons stay'),
  staging_days: days.default(7).describe('What no job has ended or taken over by then goes'),
});
export type RetentionPolicy = z.output<typeof retentionFileSchema>;

export const retentionScheduleSchema = z.strictObject(timingShape);

/** The input of the workflow of an erasure: never the person. */
export const eraseJobSchema = z.strictObject({ erasure_id: z.string().regex(/^era-[0-9a-f]{20}$/) });
