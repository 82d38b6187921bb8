import { count, nullableText, strict } from './openapi-types.js';

/** The shapes of the answers about the keys of the service. */
export const ENCRYPTION_SCHEMAS = {
  KeysReport: strict({
    writing_key_id: { ...nullableText, description: 'The first of `ENCRYPTION_KEYS`; null = nothing is encrypted' },
    keys: {
      type: 'array',
      items: strict({
        key_id: { ...nullableText, description: 'null = not encrypted' },
        files: count,
        bytes: { type: 'number', minimum: 0 },
      }),
    },
  }),
};
