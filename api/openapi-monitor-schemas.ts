import { FINDING_STATES, MONITOR_NAMES, SEVERITIES } from '../core/monitoring/finding.js';
import { count, nullableNumber, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

/** The shapes of the answers about monitors. */
export const MONITOR_SCHEMAS = {
  Finding: strict({
    id: text,
    model: text,
    version: nullableText,
    monitor: { enum: [...MONITOR_NAMES] },
    subject: text,
    segment: text,
    window_start: time,
    window_end: time,
    state: { enum: [...FINDING_STATES] },
    severity: { enum: [...SEVERITIES] },
    value: nullableNumber,
    threshold: nullableNumber,
    summary: text,
    evidence: { type: 'object' },
    found_at: time,
  }),
  Monitor: strict({
    model: text,
    settings: { type: 'object' },
    declared_in: { enum: ['default', 'config', 'api'] },
    updated_by: nullableText,
    updated_at: nullableTime,
    next_run: nullableTime,
    last_run: {
      anyOf: [
        { type: 'null' },
        strict({ job_id: text, status: text, started_at: nullableTime, finished_at: nullableTime }),
      ],
    },
    findings: {
      description: 'What the newest window of each monitor shows; null before the first run',
      anyOf: [
        { type: 'null' },
        strict({
          window_end: time,
          states: strict({ ok: count, suspect: count, alarm: count, unknown: count }),
          worst: { type: 'array', items: { $ref: '#/components/schemas/Finding' } },
        }),
      ],
    },
  }),
};
