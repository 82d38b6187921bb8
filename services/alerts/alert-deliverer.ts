import { randomUUID } from 'node:crypto';
import type { AlertSettings } from './alert-settings.js';
import type { Database } from '../database/database.js';
import { hostOf } from '../network/find-address.js';
import { OutboxDeliverer, type Outbox, type OutboxWork } from '../outbox/outbox-deliverer.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import { findReceiver } from '../webhooks/find-receiver.js';
import { postMessage } from '../webhooks/post-message.js';
import { signMessage } from '../webhooks/sign-message.js';
import { toAlertmanager, toSlack, type AlertMessage, type ToldAlert } from './alert-message.js';
import { listReceivers, type AlertReceiver } from './receivers.js';
import { sendEmail } from './send-email.js';

/** The channel on which those who deliver alerts hear of new messages. */
export const ALERTS_CHANNEL = 'mlops_alerts';

interface Claimed extends OutboxWork {
  message_id: string;
  body: string;
}

const CLAIM = `UPDATE alert_deliveries d SET attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => $3)
  FROM (SELECT due.id FROM unnest($4::text[]) AS known(receiver)
    CROSS JOIN LATERAL (SELECT id FROM alert_deliveries
      WHERE receiver = known.receiver AND state = 'pending' AND next_attempt_at <= now()
      ORDER BY next_attempt_at, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) due
    WHERE known.receiver <> ALL($1) LIMIT $2) claimed
  WHERE d.id = claimed.id
  RETURNING d.id, d.receiver, d.message_id, d.body, d.attempts`;

/** Sends alerts to the receivers that the environment names; a message to one that is not named any more waits. */
export function createAlertDeliverer(context: {
  database: Database;
  databaseUrl: string;
  logger: Logger;
  settings: AlertSettings;
  /** Of webhooks: what these may reach in a private network. */
  allowedHosts: readonly string[];
  failPoint: FailPoint;
}): OutboxDeliverer<Claimed> {
  const { prisma, pool } = context.database;
  const receivers = new Map(listReceivers(context.settings).map((one) => [one.id, one]));
  const outbox: Outbox<Claimed> = {
    channel: ALERTS_CHANNEL,
    failPoint: 'alert:after-send',
    claim: async (...values) => (await pool.query<Claimed>(CLAIM, [...values, [...receivers.keys()]])).rows,
    send: ({ receiver, message_id: id, body }) => sendTo(receivers.get(receiver)!, { id, body }, context),
    record: ({ id, attempts }, attempt, fate) =>
      prisma.$transaction(async (transaction) => {
        const { count } = await transaction.alertDelivery.updateMany({
          where: { id, attempts, state: 'pending' },
          data: fate,
        });
        if (count > 0) await transaction.alertAttempt.create({ data: { deliveryId: id, ...attempt } });
      }),
  };
  return new OutboxDeliverer(outbox, context);
}

async function sendTo(
  { kind, address }: AlertReceiver,
  { id, body }: { id: string; body: string },
  { settings, allowedHosts }: { settings: AlertSettings; allowedHosts: readonly string[] },
): Promise<number> {
  const message = JSON.parse(body) as AlertMessage;
  switch (kind) {
    case 'email':
      return sendEmail(message, address, { smtpUrl: settings.smtpUrl!, from: settings.emailFrom });
    case 'slack':
      return postMessage(await findReceiver(address, allowedHosts), { headers: {}, body: toSlack(message) });
    case 'alertmanager': {
      const url = new URL('api/v2/alerts', address.endsWith('/') ? address : `${address}/`);
      // It is an address of the environment and of the operator's own network, so that naming it is leave enough.
      const receiver = await findReceiver(url.href, [hostOf(url)]);
      return postMessage(receiver, { headers: {}, body: toAlertmanager(message) });
    }
    case 'webhook': {
      const { webhookSecret: secret } = settings;
      const headers =
        secret === undefined ? { 'webhook-id': id } : signMessage({ id, body }, { secret, nowMs: Date.now() });
      return postMessage(await findReceiver(address, allowedHosts), { headers, body });
    }
  }
}

/**
 * Puts a message into the outbox, in the caller's transaction, once for each receiver however often it is called.
 * @param receivers their ids
 */
export async function putMessage(
  transaction: Pick<Database['prisma'], 'alertDelivery' | '$executeRaw'>,
  message: AlertMessage,
  receivers: readonly string[],
): Promise<void> {
  const of = { messageId: message.id, model: message.data.model ?? '', body: JSON.stringify(message) };
  await transaction.alertDelivery.createMany({
    data: receivers.map((receiver) => ({ receiver, ...of })),
    skipDuplicates: true,
  });
  await transaction.$executeRaw`SELECT pg_notify(${ALERTS_CHANNEL}, '')`;
}

/** A message of the type `alert.test` to one receiver. @returns its id */
export async function putTestMessage({ prisma }: Database, receiver: string, by: string): Promise<string> {
  const timestamp = new Date().toISOString();
  const id = `alm-test-${randomUUID().replaceAll('-', '')}`;
  const alert: ToldAlert = {
    alert_id: id,
    rule: 'test',
    model: null,
    version: null,
    subject: 'test',
    segment: '',
    severity: 'low',
    former_severity: null,
    status: 'resolved',
    summary: 'This is a test: nothing is wrong.',
    value: null,
    threshold: null,
    owner: null,
    opened_at: timestamp,
    resolved_at: timestamp,
    by,
    note: null,
  };
  await prisma.$transaction((transaction) =>
    putMessage(transaction, { id, type: 'alert.test', timestamp, data: { model: null, alerts: [alert] } }, [receiver]),
  );
  return id;
}
