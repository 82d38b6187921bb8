import { z } from 'zod';
import { VERSION_PATTERN } from '../names.js';
import { modelNameSchema } from './training.js';

const DAY_MS = 86_400_000;
const MOST_DAYS = { day: 3660, hour: 92 };

/** Which answers and truths a series is about. */
export const analyticsQuerySchema = z
  .strictObject({
    model_type: modelNameSchema.describe('The model, with `_` or `-`'),
    start_date: z.iso.date().optional().describe('The first day (UTC); 29 days before the last by default'),
    end_date: z.iso.date().optional().describe('The last day (UTC), included; today by default'),
    interval: z.enum(['day', 'hour']).default('day').describe('What one entry of the series stands for'),
    version: z.string().regex(VERSION_PATTERN, 'must be a version such as v1.2.0').optional(),
    segment: z
      .string()
      .min(1)
      .max(301)
      .optional()
      .describe('A feature that is watched by segments, for each of its values, or `feature=value` for one of them'),
  })
  .refine(({ start_date: start, end_date: end }) => !(start && end && end < start), {
    path: ['end_date'],
    message: 'must not lie before start_date',
  })
  .refine(
    ({ start_date: start, end_date: end, interval }) => !(start && end) || daysOf(start, end) <= MOST_DAYS[interval],
    {
      path: ['start_date'],
      message: `spans too much: at most ${MOST_DAYS.day} days by day, ${MOST_DAYS.hour} by hour`,
    },
  );
export type AnalyticsQuery = z.output<typeof analyticsQuerySchema>;

const daysOf = (start: string, end: string) => (Date.parse(end) - Date.parse(start)) / DAY_MS + 1;

/** The days of a query, as dates and as the times [from, to). */
export interface AnalyticsDays {
  start_date: string;
  end_date: string;
  from: Date;
  to: Date;
}

/** Both days are whole and included. A query with a start alone ends today, but no earlier than it starts. */
export function daysOfQuery(
  { start_date: start, end_date: end, interval }: AnalyticsQuery,
  nowMs: number,
): AnalyticsDays {
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const today = dateOf(nowMs);
  const last = end ?? (start !== undefined && start > today ? start : today);
  const first = start ?? dateOf(Date.parse(last) - 29 * DAY_MS);
  // An open end may span more than a page of hours: the newest are shown.
  const earliest = dateOf(Date.parse(last) - (MOST_DAYS[interval] - 1) * DAY_MS);
  const from = first < earliest ? earliest : first;
  return { start_date: from, end_date: last, from: new Date(from), to: new Date(Date.parse(last) + DAY_MS) };
}
