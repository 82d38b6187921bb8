import { z } from 'zod';
import { WEEK_DAYS } from '../policy/freeze.js';
import { modelNameSchema } from './training.js';

const timeSchema = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 17:30');

const onceSchema = z
  .strictObject({
    starts_at: z.iso.datetime({ offset: true }),
    ends_at: z.iso.datetime({ offset: true }),
  })
  .refine(({ starts_at: start, ends_at: end }) => Date.parse(end) > Date.parse(start), {
    path: ['ends_at'],
    message: 'must be after starts_at',
  });

const weeklySchema = z.strictObject({
  days: z.array(z.enum(WEEK_DAYS)).min(1).max(7).describe('Days on which the window begins'),
  from: timeSchema,
  to: timeSchema.describe('The next day when it is not after `from`'),
  time_zone: z.string().max(64).default('UTC').refine(isTimeZone, 'must be a time zone such as Europe/Berlin or UTC'),
});

function isTimeZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const freezeRequestSchema = z.strictObject({
  model: modelNameSchema.optional().describe('All models by default'),
  reason: z.string().min(1).max(500),
  window: z.union([onceSchema, weeklySchema]).describe('Once, or every week'),
});
