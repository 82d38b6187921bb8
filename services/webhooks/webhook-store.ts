import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { makeSecret } from './sign-message.js';

/** The channel on which those who deliver hear of new work. */
export const WEBHOOKS_CHANNEL = 'mlops_webhooks';

/** Every change of a state looks through all of them. */
const MOST_WEBHOOKS = 100;
/** Attempts that a delivery shows, the latest. */
const SHOWN_ATTEMPTS = 20;

export interface NewWebhook {
  url: string;
  events: string[];
  model?: string;
  description?: string;
  secret?: string;
  subject: string;
}

const present = ({ id, url, events, model, description, subject, createdAt }: Prisma.WebhookGetPayload<object>) => ({
  webhook_id: id,
  url,
  events,
  model,
  description,
  created_by: subject,
  created_at: createdAt.toISOString(),
});

function presentDelivery(
  row: Prisma.WebhookDeliveryGetPayload<object>,
  attempts: Prisma.WebhookAttemptGetPayload<object>[],
) {
  return {
    delivery_id: row.id,
    webhook_id: row.webhookId,
    message_id: row.messageId,
    event: row.event,
    payload: JSON.parse(row.body) as unknown,
    state: row.state,
    attempts: attempts.map(({ at, statusCode, latencyMs, error }) => ({
      at: at.toISOString(),
      status_code: statusCode,
      latency_ms: latencyMs,
      error,
    })),
    next_attempt_at: row.state === 'pending' ? (row.nextAttemptAt?.toISOString() ?? null) : null,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** Who is told of changes, and what became of telling them. No answer has a secret but the first. */
export function createWebhookStore({ prisma }: Database) {
  async function find(id: string) {
    const row = await prisma.webhook.findUnique({ where: { id } });
    if (row) return row;
    throw new ServiceError('webhook_not_found', `There is no webhook "${id.slice(0, 100)}". GET /webhooks lists them.`);
  }

  async function show(rows: Prisma.WebhookDeliveryGetPayload<object>[]) {
    const attempts = await prisma.webhookAttempt.findMany({
      where: { deliveryId: { in: rows.map(({ id }) => id) } },
      orderBy: { id: 'desc' },
    });
    return rows.map((row) =>
      presentDelivery(row, attempts.filter(({ deliveryId }) => deliveryId === row.id).slice(0, SHOWN_ATTEMPTS)),
    );
  }

  const wake = () => prisma.$executeRaw`SELECT pg_notify(${WEBHOOKS_CHANNEL}, '')`;

  async function deliveryOf(webhookId: string, id: string) {
    await find(webhookId);
    const row = await prisma.webhookDelivery.findFirst({ where: { id, webhookId } });
    if (row) return row;
    throw new ServiceError(
      'delivery_not_found',
      `The webhook ${webhookId} has no delivery "${id.slice(0, 100)}". GET /webhooks/${webhookId}/deliveries lists them.`,
    );
  }

  return {
    /** @returns the webhook with its secret, which is not shown again. @throws ServiceError `webhook_limit` */
    async create({ secret = makeSecret(), ...data }: NewWebhook) {
      const id = `whk-${randomBytes(10).toString('hex')}`;
      const row = await prisma.$transaction(async (transaction) => {
        await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('webhooks'))`;
        if ((await transaction.webhook.count()) >= MOST_WEBHOOKS)
          throw new ServiceError(
            'webhook_limit',
            `There are ${MOST_WEBHOOKS} webhooks already, which is the most there can be. Delete one first.`,
          );
        const created = await transaction.webhook.create({ data: { ...data, id } });
        await transaction.webhookSecret.create({ data: { webhookId: id, secret } });
        return created;
      });
      return { ...present(row), secret };
    },

    async list() {
      const rows = await prisma.webhook.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
      return { items: rows.map(present), next_cursor: null };
    },

    get: async (id: string) => present(await find(id)),

    /** With its deliveries: what was not sent by now is not sent any more. */
    async remove(id: string): Promise<void> {
      await find(id);
      await prisma.webhook.deleteMany({ where: { id } });
    },

    async deliveries(webhookId: string, page: { limit: number; cursor?: string }, state?: string) {
      await find(webhookId);
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.webhookDelivery.findMany({
            where: { webhookId, state },
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.webhookDelivery.findFirst({ where: { id, webhookId } }),
      });
      return { items: await show(rows), next_cursor };
    },

    /** Sends a delivery once more, from its first attempt on; the message and its id are the same. */
    async replay(webhookId: string, id: string) {
      await deliveryOf(webhookId, id);
      const data = { state: 'pending', attempts: 0, nextAttemptAt: new Date(), finishedAt: null };
      await prisma.webhookDelivery.updateMany({ where: { id }, data });
      await wake();
      return (await show([await deliveryOf(webhookId, id)]))[0]!;
    },

    /** Sends a message of the type `webhook.test` to one webhook. */
    async test(webhookId: string) {
      await find(webhookId);
      const id = `evt-test-${randomBytes(10).toString('hex')}`;
      const message = {
        id,
        sequence: null,
        type: 'webhook.test',
        timestamp: new Date().toISOString(),
        data: { webhook_id: webhookId },
      };
      const row = await prisma.webhookDelivery.create({
        data: { webhookId, messageId: id, event: message.type, body: JSON.stringify(message) },
      });
      await wake();
      return (await show([row]))[0]!;
    },
  };
}

export type WebhookStore = ReturnType<typeof createWebhookStore>;
