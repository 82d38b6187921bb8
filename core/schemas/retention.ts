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

/** How many days rows of the database stay that no file stands for. Each hour what is older goes. */
const records = z.strictObject({
  jobs: days
    .default(400)
    .describe(
      'Ended jobs and their idempotency keys, but for those that a dataset, version, rollout, trial or repair came from',
    ),
  runs: days.default(400).describe('Runs and sweeps that led to no version which is still registered'),
  findings: days.default(400).describe('What monitors found'),
  alerts: days
    .min(366)
    .default(400)
    .describe(
      'Resolved alerts with their history, and silences that are over; the budget of false alarms counts a year',
    ),
  messages: days.default(30).describe('Messages of webhooks and alerts that were delivered or given up'),
  hourly_sums: days.default(400).describe('What /analytics/* answers by the hour'),
  daily_sums: days.default(3650).describe('What /analytics/* answers by the day'),
});
export type RecordDays = z.output<typeof records>;

/** `models/retention.yaml`. Without it no dataset is ever deleted. */
export const retentionFileSchema = z.strictObject({
  datasets: z
    .record(z.string().regex(NAME_PATTERN), rule)
    .default({})
    .describe('By data type; `default` is for all others'),
  quarantine_days: days.optional().describe('Quarantined rows of older snapshots go; the counts and reasons stay'),
  staging_days: days.default(7).describe('What no job has ended or taken over by then goes'),
  records: records.prefault({}).describe('Rows of the database, in days'),
});
export type RetentionPolicy = z.output<typeof retentionFileSchema>;

export const retentionScheduleSchema = z.strictObject(timingShape);

/** The input of the workflow of an erasure: never the person. */
export const eraseJobSchema = z.strictObject({ erasure_id: z.string().regex(/^era-[0-9a-f]{20}$/) });
