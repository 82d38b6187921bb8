import type { Database } from '../database/database.js';
import { OutboxDeliverer, type Outbox, type OutboxWork } from '../outbox/outbox-deliverer.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import { findReceiver } from './find-receiver.js';
import { postMessage } from './post-message.js';
import { signMessage } from './sign-message.js';
import { WEBHOOKS_CHANNEL } from './webhook-store.js';

interface Claimed extends OutboxWork {
  message_id: string;
  body: string;
  url: string;
  secret: string;
}

const CLAIM = `UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => $3)
  FROM (SELECT due.id, w.url, s.secret FROM webhooks w JOIN webhook_secrets s ON s.webhook_id = w.id
    CROSS JOIN LATERAL (SELECT id FROM webhook_deliveries
      WHERE webhook_id = w.id AND state = 'pending' AND next_attempt_at <= now()
      ORDER BY next_attempt_at, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) due
    WHERE w.id <> ALL($1) LIMIT $2) claimed
  WHERE d.id = claimed.id
  RETURNING d.id, d.webhook_id AS receiver, d.message_id, d.body, d.attempts, claimed.url, claimed.secret`;

/** Sends the messages of webhooks, each to the one that asked for it. */
export function createWebhookDeliverer(context: {
  database: Database;
  databaseUrl: string;
  logger: Logger;
  allowedHosts: readonly string[];
  failPoint: FailPoint;
}): OutboxDeliverer<Claimed> {
  const { prisma, pool } = context.database;
  const outbox: Outbox<Claimed> = {
    channel: WEBHOOKS_CHANNEL,
    failPoint: 'webhook:after-send',
    claim: async (...values) => (await pool.query<Claimed>(CLAIM, values)).rows,
    async send({ message_id: id, body, url, secret }) {
      const receiver = await findReceiver(url, context.allowedHosts);
      const headers = signMessage({ id, body }, { secret, nowMs: Date.now() });
      return postMessage(receiver, { headers, body });
    },
    record: ({ id, attempts }, attempt, fate) =>
      prisma.$transaction(async (transaction) => {
        // Not if it was asked for again, or lapsed, meanwhile. One whose webhook was deleted is gone.
        const { count } = await transaction.webhookDelivery.updateMany({
          where: { id, attempts, state: 'pending' },
          data: fate,
        });
        if (count > 0) await transaction.webhookAttempt.create({ data: { deliveryId: id, ...attempt } });
      }),
  };
  return new OutboxDeliverer(outbox, context);
}
