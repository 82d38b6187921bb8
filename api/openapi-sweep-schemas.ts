import { SWEEP_STATES, TRIAL_STATES } from '../core/schemas/search.js';
import { count, nullableNumber, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

const number = { type: 'number' };
const nullableCount = { type: ['integer', 'null'], minimum: 0 };
const configuration = { type: 'object', additionalProperties: true };
const curve = {
  type: 'array',
  items: strict({ resource: number, loss: nullableNumber }),
  description: 'Losses on the way, lower is better; null where it was no number',
};

/** The shapes of the answers about sweeps. */
export const SWEEP_SCHEMAS = {
  Sweep: strict({
    sweep_id: text,
    job_id: text,
    model: text,
    state: { enum: [...SWEEP_STATES] },
    settings: { type: 'object', additionalProperties: true },
    warm_start: strict({
      sweep_id: nullableText,
      configurations: { type: 'array', items: configuration },
    }),
    trials: count,
    timeout_seconds: nullableCount,
    counts: strict({ running: count, completed: count, pruned: count, failed: count, stopped: count }),
    best: {
      anyOf: [{ type: 'null' }, strict({ trial: count, loss: nullableNumber, configuration })],
    },
    front: {
      type: 'array',
      items: strict({ trial: count, configuration, values: { type: 'object', additionalProperties: number } }),
      description:
        'Of several objectives the trials within the constraints that no other betters in all, by the first objective; the first of them is the best',
    },
    eta_seconds: nullableNumber,
    reason: nullableText,
    created_at: time,
    finished_at: nullableTime,
  }),
  SweepTrial: strict({
    sweep_id: text,
    trial: count,
    state: { enum: [...TRIAL_STATES] },
    configuration,
    source: { enum: ['sampler', 'warm_start'] },
    loss: nullableNumber,
    losses: { type: 'array', items: number },
    violation: nullableNumber,
    metrics: { type: 'object', additionalProperties: number },
    curve,
    reason: nullableText,
    cached_from: { ...nullableText, description: 'The equal trial whose measurement was taken over' },
    attempts: count,
    seconds: nullableNumber,
    peak_memory_mb: nullableCount,
    worker: nullableText,
    started_at: time,
    finished_at: nullableTime,
  }),
};
