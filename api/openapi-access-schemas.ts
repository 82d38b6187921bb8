import { ROLES } from '../core/roles.js';
import { count, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

const token = {
  token_id: text,
  name: text,
  prefix: { type: 'string', description: 'How the token begins' },
  role: { enum: [...ROLES] },
  models: { type: ['array', 'null'], items: text, description: 'null = all' },
  created_by: text,
  created_at: time,
  expires_at: nullableTime,
  last_used_at: { ...nullableTime, description: 'To about five seconds' },
  revoked_at: nullableTime,
  revoked_by: nullableText,
};

/** The shapes of the answers about who may do what. */
export const ACCESS_SCHEMAS = {
  Whoami: strict({
    subject: text,
    role: { enum: [...ROLES] },
    models: { type: ['array', 'null'], items: text, description: 'null = all' },
  }),
  ServiceToken: strict(token),
  AuditEntry: strict({
    seq: count,
    at: time,
    kind: { enum: ['call', 'denied', 'change', 'decision', 'key_use'] },
    action: text,
    subject: text,
    role: nullableText,
    address: nullableText,
    model: nullableText,
    target: nullableText,
    status: { type: ['integer', 'null'] },
    correlation_id: nullableText,
    detail: { type: 'object' },
    previous: text,
    hash: text,
  }),
  AuditVerdict: strict(
    {
      intact: { type: 'boolean' },
      entries: count,
      head: strict({ seq: count, hash: text }),
      first_broken: strict({ seq: count, reason: text }),
    },
    ['first_broken'],
  ),
  ServiceTokenCreated: strict({ ...token, token: { type: 'string', description: 'Shown once' } }),
};
