import { OVERLAP_POLICIES } from '../core/schemas/schedule.js';
import { count, nullableText, strict, text, time } from './openapi-types.js';

/** What every schedule tells, whatever it starts. */
const schedule = {
  schedule_id: text,
  cron: text,
  timezone: text,
  overlap: { enum: [...OVERLAP_POLICIES] },
  jitter_seconds: { type: 'number', minimum: 0 },
  catch_up_seconds: { type: 'number', minimum: 0 },
  paused: { type: 'boolean' },
  note: nullableText,
  next_runs: { type: 'array', items: time },
  recent_runs: { type: 'array', items: strict({ job_id: text, scheduled_at: time, started_at: time }) },
  runs: strict({ started: count, skipped: count, missed: count }),
};

/** The shapes of the answers about schedules. */
export const SCHEDULE_SCHEMAS = {
  Schedule: strict({ model: text, ...schedule, on_drift: { type: 'boolean' }, training: { type: 'object' } }),
  DrillSchedule: strict({ ...schedule, drill: { type: 'object' } }),
  RetentionSchedule: strict(schedule),
};
