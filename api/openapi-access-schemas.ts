import { ROLES } from '../core/roles.js';
import { nullableText, nullableTime, strict, text, time } from './openapi-types.js';

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
  ServiceToken: strict(token),
  ServiceTokenCreated: strict({ ...token, token: { type: 'string', description: 'Shown once' } }),
};
