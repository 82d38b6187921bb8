import { FAULTS } from '../core/schemas/drill.js';
import { accepted } from './openapi-schemas.js';
import { count, nullableNumber, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

/** The shapes of the answers about drills. */
export const DRILL_SCHEMAS = {
  DrillAccepted: strict({ ...accepted, drill_id: text }),
  Drill: strict({
    drill_id: text,
    kind: { enum: ['rollout', 'aa_replay'] },
    model: text,
    state: { enum: ['pending', 'running', 'passed', 'failed', 'cancelled'] },
    settings: { type: 'object' },
    trials: { type: 'array', items: { $ref: '#/components/schemas/DrillTrial' } },
    result: { type: ['object', 'null'] },
    reason: nullableText,
    job_id: text,
    created_at: time,
    finished_at: nullableTime,
  }),
  DrillTrial: strict({
    fault: { enum: [...FAULTS, 'none'] },
    strategy: { enum: ['shadow', 'canary'] },
    version: text,
    deployment_id: text,
    state: text,
    reason: nullableText,
    passed: { type: 'boolean' },
    first_answer_at: nullableTime,
    detected_at: nullableTime,
    safe_at: nullableTime,
    seconds_to_detection: nullableNumber,
    seconds_to_safety: nullableNumber,
    requests: count,
    failed_requests: count,
    answered: count,
    stood_in: count,
    scored: count,
  }),
};
