import { REPAIR_STATES } from '../core/schemas/repair.js';
import { accepted } from './openapi-schemas.js';
import { nullableText, nullableTime, strict, text, time } from './openapi-types.js';

const repair = {
  repair_id: text,
  model: text,
  state: { enum: REPAIR_STATES },
  alert_id: nullableText,
  trigger: text,
  requested_by: text,
  since: nullableTime,
  former_version: text,
  new_version: nullableText,
  reason: nullableText,
  job_id: text,
  created_at: time,
  finished_at: nullableTime,
};

/** The shapes of the answers about repairs. */
export const REPAIR_SCHEMAS = {
  RepairAccepted: strict({ ...accepted, repair_id: text }),
  Repair: strict(repair),
  RepairInFull: strict({
    ...repair,
    story: text,
    steps: {
      type: 'array',
      items: strict({
        step: { enum: ['opened', 'collected', 'trained', 'judged', 'rolled_out', 'closed'] },
        summary: text,
        detail: { type: 'object' },
        at: time,
      }),
    },
  }),
};
