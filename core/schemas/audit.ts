import { z } from 'zod';
import { pageQuerySchema } from './listing.js';

const word = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\0]*$/, 'must have no NUL')
    .optional();

export const auditQuerySchema = z.strictObject({
  ...pageQuerySchema.shape,
  kind: z.enum(['call', 'denied', 'change', 'decision', 'key_use']).optional(),
  action: word(300).describe('`job.created`, or a call such as `POST /models/train`'),
  subject: word(200),
  model: word(64),
  target: word(300),
  correlation_id: word(128),
  from: z.iso.datetime().optional().describe('From this time on'),
  to: z.iso.datetime().optional().describe('Until before this time'),
});

export const auditVerifyQuerySchema = z
  .strictObject({
    seq: z.coerce.number().pipe(z.int().min(1)).optional().describe('An entry whose hash you have kept'),
    hash: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
      .optional()
      .describe('The hash that it had'),
  })
  .refine(({ seq, hash }) => (seq === undefined) === (hash === undefined), {
    error: 'needs seq and hash together',
    path: ['seq'],
  });
