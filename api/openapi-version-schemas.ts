import { VERSION_EVENTS, VERSION_STATES } from '../core/policy/lifecycle.js';
import { ROLES } from '../core/roles.js';
import { DELIVERY_STATES } from '../core/schemas/webhook.js';
import {
  anything,
  count,
  nullableNumber,
  nullableText,
  nullableTime,
  strict,
  text,
  texts,
  time,
} from './openapi-types.js';

const comparedVersion = strict({
  version: text,
  state: { enum: VERSION_STATES },
  promotable: { type: 'boolean' },
  created_at: time,
  bytes: { type: ['integer', 'null'] },
  latency: {
    anyOf: [strict({ answers: count, median_us: { type: 'number' }, p99_us: { type: 'number' } }), { type: 'null' }],
  },
});
const comparedSides = {
  type: 'array',
  items: strict({ name: text, a: anything, b: anything, differs: { type: 'boolean' } }),
};
const webhook = {
  webhook_id: text,
  url: text,
  events: { type: 'array', items: { enum: VERSION_EVENTS } },
  model: nullableText,
  description: nullableText,
  created_by: text,
  created_at: time,
};

/** The shapes of what is said about versions, and to whom. */
const measured = { type: 'number' };

export const VERSION_SCHEMAS = {
  Optimization: {
    anyOf: [
      strict({
        asked: { type: 'object' },
        heads: { type: 'object', additionalProperties: { $ref: '#/components/schemas/Variant' } },
      }),
      { type: 'null' },
    ],
  },
  Variant: strict(
    {
      used: { type: 'boolean' },
      reason: text,
      loss: { enum: ['log_loss', 'absolute_error'] },
      change: strict({ value: measured, lower: measured, upper: measured, entities: count }),
      bytes: strict({ before: count, after: count }),
      cpu_us_per_row: strict({ before: measured, after: measured }),
    },
    ['loss', 'change', 'bytes', 'cpu_us_per_row'],
  ),
  VersionEvent: strict({
    event_id: text,
    from: { enum: [...VERSION_STATES, null] },
    to: { enum: [...VERSION_STATES, 'deleted'] },
    by: text,
    reason: nullableText,
    deployment_id: nullableText,
    at: time,
  }),
  VersionNote: strict({ note_id: text, text, by: text, at: time }),
  Approvals: strict({
    required: { anyOf: [strict({ count, role: { enum: ROLES } }), { type: 'null' }] },
    approved: { type: 'boolean' },
    approved_by: texts,
    rejected_by: texts,
    missing: count,
    decisions: {
      type: 'array',
      items: strict({
        decision: { enum: ['approve', 'reject'] },
        by: text,
        role: { enum: ROLES },
        note: nullableText,
        at: time,
      }),
    },
  }),
  Alias: strict({ model: text, alias: text, version: text, updated_at: time }),
  ModelCard: strict({
    model: text,
    version: text,
    kind: text,
    state: { enum: VERSION_STATES },
    digest: text,
    created_at: time,
    tags: { type: 'object', additionalProperties: text },
    intended_use: { type: 'object' },
    training: { type: 'object' },
    summary: texts,
    metrics: { type: 'object' },
    verdict: { type: 'object' },
    calibration: { type: 'array', items: { type: 'object' } },
    slices: { type: 'array', items: { type: 'object' } },
    limits: texts,
    lineage: { type: 'object' },
    approvals: { $ref: '#/components/schemas/Approvals' },
    notes: { type: 'array', items: { $ref: '#/components/schemas/VersionNote' } },
    history: { type: 'array', items: { $ref: '#/components/schemas/VersionEvent' } },
  }),
  Comparison: strict({
    model: text,
    a: comparedVersion,
    b: comparedVersion,
    hyperparameters: comparedSides,
    features: strict({ only_a: texts, only_b: texts, shared: texts, retyped: texts }),
    data: comparedSides,
    same_rows: { type: 'boolean' },
    basis: text,
    metrics: {
      type: 'array',
      items: strict({
        head: text,
        metric: text,
        better: { enum: ['higher', 'lower', null] },
        a: { anyOf: [{ $ref: '#/components/schemas/Metric' }, { type: 'null' }] },
        b: { anyOf: [{ $ref: '#/components/schemas/Metric' }, { type: 'null' }] },
        difference: nullableNumber,
        lower: nullableNumber,
        upper: nullableNumber,
        verdict: { enum: ['better', 'worse', 'not_told_apart', 'unknown'] },
      }),
    },
    paired: strict({
      rows: count,
      verdict: { enum: ['safe', 'worse', 'undecided', 'unknown'] },
      reason: text,
      findings: { type: 'array', items: { type: 'object' } },
    }),
  }),
  Webhook: strict(webhook),
  WebhookCreated: strict({ ...webhook, secret: text }),
  Delivery: strict({
    delivery_id: text,
    webhook_id: text,
    message_id: text,
    event: text,
    payload: { type: 'object' },
    state: { enum: DELIVERY_STATES },
    attempts: {
      type: 'array',
      items: strict({ at: time, status_code: { type: ['integer', 'null'] }, latency_ms: count, error: nullableText }),
    },
    next_attempt_at: nullableTime,
    created_at: time,
    finished_at: nullableTime,
  }),
};
