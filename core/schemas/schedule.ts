import { z } from 'zod';
import { trainRequestSchema } from './training.js';

/** What becomes of a run whose time has come while the former one still goes; Temporal's names in lower case. */
export const OVERLAP_POLICIES = [
  'skip',
  'buffer_one',
  'buffer_all',
  'cancel_other',
  'terminate_other',
  'allow_all',
] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const note = z.string().trim().min(1).max(500).optional();
const DAY_SECONDS = 86_400;

/** When a job is started by the clock, whatever the job. */
export const timingShape = {
  cron: z
    .string()
    .max(120)
    .regex(/^\s*(\S+\s+){4}\S+\s*$/, 'must have five fields: minute hour day-of-month month day-of-week')
    .describe('When: five cron fields'),
  timezone: z
    .string()
    .max(64)
    // Offsets have no summer time, and Temporal knows none.
    .refine((name) => /^[A-Za-z]/.test(name) && isTimezone(name), 'must be a time zone such as Europe/Berlin or UTC')
    .default('UTC')
    .describe('The IANA time zone that the fields of cron are in'),
  overlap: z
    .enum(OVERLAP_POLICIES)
    .default('skip')
    .describe('A run whose time has come while the former one still goes'),
  jitter_seconds: z
    .int()
    .min(0)
    .max(DAY_SECONDS)
    .default(0)
    .describe('Each run starts up to so much later, drawn anew each time, so that many schedules do not start at once'),
  catch_up_seconds: z
    .int()
    .min(10)
    .max(366 * DAY_SECONDS)
    .default(600)
    .describe('After an outage, runs missed longer ago than this are not made up for'),
  paused: z.boolean().default(false),
  note: note.describe('Why it is paused, or anything else that the next person should know'),
};
export type ScheduleTiming = z.output<z.ZodObject<typeof timingShape>>;

export const scheduleRequestSchema = z.strictObject({
  ...timingShape,
  on_drift: z
    .boolean()
    .default(false)
    .describe(
      'Whether alerts that advise to retrain begin a repair (POST /models/{model}/repair) by themselves; a paused schedule begins none',
    ),
  training: trainRequestSchema.omit({ model_type: true }).prefault({}).describe('As in POST /models/train'),
});
export type ScheduleRequest = z.output<typeof scheduleRequestSchema>;

export const scheduleNoteSchema = z.strictObject({ note });
