import { z } from 'zod';
import { VERSION_EVENTS } from '../policy/lifecycle.js';
import { pageQuerySchema } from './listing.js';
import { modelNameSchema } from './training.js';

/** Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. */
const SECRET = /^whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const webhookSecretSchema = z
  .string()
  .regex(SECRET, 'must be whsec_ and the base64 of 24 to 64 bytes')
  .refine((secret) => {
    const bytes = (secret.replace(/=+$/, '').length - 'whsec_'.length) * 0.75;
    return bytes >= 24 && bytes < 65;
  }, 'must be whsec_ and the base64 of 24 to 64 bytes');

export const DELIVERY_STATES = ['pending', 'delivered', 'dead'] as const;

export const webhookRequestSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
    .max(2000)
    .describe('Where messages are posted; https, and http only to hosts of WEBHOOK_ALLOWED_HOSTS'),
  events: z
    .array(z.enum(VERSION_EVENTS as [string, ...string[]]))
    .max(VERSION_EVENTS.length)
    .default([])
    .describe('Only these; all without any'),
  model: modelNameSchema.optional().describe('Only of this model'),
  secret: webhookSecretSchema.optional().describe('What messages are signed with; made when it is left out'),
  description: z.string().trim().min(1).max(500).optional(),
});

export const deliveriesQuerySchema = z.strictObject({
  ...pageQuerySchema.shape,
  state: z.enum(DELIVERY_STATES).optional(),
});
