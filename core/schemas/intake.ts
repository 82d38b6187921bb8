import { z } from 'zod';
import { DATA_FORMATS } from './ingestion.js';

export const uploadQuerySchema = z.strictObject({
  format: z.enum(DATA_FORMATS).optional().describe('What the body is; as its Content-Type says without it'),
  compression: z
    .enum(['none', 'gzip', 'zstd'])
    .optional()
    .describe('How the body is packed; as its Content-Encoding says without it'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits')
    .optional()
    .describe('What the SHA-256 of the body must be'),
});

export const eventSchema = z.looseObject({
  event_id: z.string().min(1).max(200).describe('Of several events with one id the first is kept'),
});
