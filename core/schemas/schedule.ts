import { z } from 'zod';
import { trainRequestSchema } from './training.js';

/** Five fields of cron, in UTC. */
export const cron = z
  .string()
  .max(120)
  .regex(/^\s*(\S+\s+){4}\S+\s*$/, 'must have five fields: minute hour day-of-month month day-of-week');

export const scheduleRequestSchema = z.strictObject({
  cron: cron.describe('When to retrain: five cron fields, UTC'),
  paused: z.boolean().default(false),
  training: trainRequestSchema.omit({ model_type: true }).prefault({}).describe('As in POST /models/train'),
});
export type ScheduleRequest = z.output<typeof scheduleRequestSchema>;
