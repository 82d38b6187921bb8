import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

/** 32 random bytes. */
export const makeSecret = (): string => PREFIX + randomBytes(32).toString('base64');

/**
 * The headers of the Standard Webhooks scheme. A receiver checks the signature over `id.timestamp.body`, refuses old timestamps,
 * and drops an id that it has had.
 * @param secret `whsec_` and base64
 */
export function signMessage(
  message: { id: string; body: string },
  { secret, nowMs }: { secret: string; nowMs: number },
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const signature = createHmac('sha256', key).update(`${message.id}.${timestamp}.${message.body}`).digest('base64');
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
