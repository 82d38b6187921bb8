import { RULE_ORIGINS } from '../core/policy/alert-rules.js';
import { RECEIVER_KINDS } from '../core/schemas/alert-rule.js';
import { ALERT_STATUSES } from '../core/schemas/alert.js';
import { MONITOR_NAMES } from '../core/monitoring/finding.js';
import { DELIVERY_STATES } from '../core/schemas/webhook.js';
import { count, nullableNumber, nullableText, nullableTime, strict, text, texts, time } from './openapi-types.js';

const severity = { enum: ['low', 'medium', 'high'] } as const;
const nullableSeverity = { enum: ['low', 'medium', 'high', null] } as const;
const truth = { type: 'boolean' } as const;

const alert = {
  alert_id: text,
  rule: text,
  model: nullableText,
  version: nullableText,
  monitor: { enum: [...MONITOR_NAMES, 'platform'] },
  subject: text,
  segment: text,
  severity,
  status: { enum: ALERT_STATUSES },
  summary: text,
  value: nullableNumber,
  threshold: nullableNumber,
  owner: nullableText,
  false_alarm: truth,
  silenced_by: nullableText,
  opened_at: time,
  first_window_end: time,
  last_window_end: time,
  acknowledged_at: nullableTime,
  acknowledged_by: nullableText,
  resolved_at: nullableTime,
  resolved_by: nullableText,
};

/** The shapes of the answers about alerts. */
export const ALERT_SCHEMAS = {
  Alert: strict(alert),
  AlertInFull: strict({
    ...alert,
    evidence: { type: 'object' },
    history: {
      type: 'array',
      items: strict({
        event: {
          enum: [
            'opened',
            'escalated',
            'acknowledged',
            'resolved',
            'commented',
            'marked_false',
            'marked_true',
            'repair_begun',
            'repair_waits',
          ],
        },
        by: text,
        note: nullableText,
        detail: { type: ['object', 'null'] },
        telling: { enum: ['never', 'waiting', 'told', 'dropped'] },
        message_id: nullableText,
        at: time,
      }),
    },
    deliveries: {
      type: 'array',
      items: strict({
        delivery_id: text,
        receiver: text,
        message_id: text,
        state: { enum: DELIVERY_STATES },
        attempts: count,
        last_status_code: { type: ['integer', 'null'] },
        last_error: nullableText,
        next_attempt_at: nullableTime,
        created_at: time,
        finished_at: nullableTime,
      }),
    },
  }),
  AlertRule: strict({
    name: text,
    declared_in: { enum: RULE_ORIGINS },
    enabled: truth,
    description: nullableText,
    when: { type: 'object' },
    severity: nullableSeverity,
    open_after: count,
    resolve_after: count,
    owner: nullableText,
    receivers: texts,
    models: texts,
  }),
  AlertSilence: strict({
    silence_id: text,
    model: nullableText,
    rule: nullableText,
    subject: nullableText,
    severity: nullableSeverity,
    reason: text,
    state: { enum: ['planned', 'active', 'over'] },
    starts_at: time,
    ends_at: time,
    created_by: text,
    created_at: time,
  }),
  AlertReceiver: strict({
    receiver_id: text,
    kind: { enum: RECEIVER_KINDS },
    address: text,
    waiting: count,
    dead: count,
  }),
  AlertTest: strict({ message_id: text, receiver_id: text }),
  AlertBudget: strict({
    model: text,
    since: time,
    false_alarms_per_year: { type: 'number' },
    alerts: count,
    used: count,
    left: { type: 'number' },
    used_up: truth,
    extra_windows: count,
    false_alarms: {
      type: 'array',
      items: strict({
        alert_id: text,
        rule: text,
        subject: text,
        summary: text,
        opened_at: time,
        marked_by: nullableText,
      }),
    },
  }),
};
