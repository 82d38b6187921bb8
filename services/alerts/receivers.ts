import { createHash } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import type { ReceiverKind } from '../../core/schemas/alert-rule.js';
import type { Database } from '../database/database.js';
import type { AlertSettings } from './alert-settings.js';

/** Who is told of alerts. What reaches them is a secret of the environment and is nowhere else. */
export interface AlertReceiver {
  /** The kind and a digest of the address, so that it stays the same over restarts and tells nothing. */
  id: string;
  kind: ReceiverKind;
  /** A URL, or an e-mail address. */
  address: string;
}

const idOf = (kind: ReceiverKind, address: string) =>
  `${kind}:${createHash('sha256').update(address).digest('hex').slice(0, 8)}`;

/** The receivers that the environment names. */
export function listReceivers(settings: AlertSettings): AlertReceiver[] {
  const of = (kind: ReceiverKind, addresses: readonly string[]) =>
    addresses.map((address) => ({ id: idOf(kind, address), kind, address }));
  return [
    ...of('webhook', settings.webhookUrls),
    ...of('slack', settings.slackUrls),
    ...of('email', settings.smtpUrl === undefined ? [] : settings.emailTo),
    ...of('alertmanager', settings.alertmanagerUrl === undefined ? [] : [settings.alertmanagerUrl]),
  ];
}

/** Those that a rule names by id or kind; all without any. */
export function chooseReceivers(all: readonly AlertReceiver[], wanted: readonly string[]): AlertReceiver[] {
  return wanted.length === 0 ? [...all] : all.filter(({ id, kind }) => wanted.includes(id) || wanted.includes(kind));
}

/** What may be shown of an address: the host of a URL, the domain of an e-mail address. */
export function shownAddress({ kind, address }: AlertReceiver): string {
  return kind === 'email' ? address.replace(/^[^@]*/, '…') : new URL(address).host;
}

/** @throws ServiceError `receiver_not_found` */
export function findReceiverById(settings: AlertSettings, id: string): AlertReceiver {
  const found = listReceivers(settings).find((one) => one.id === id);
  if (found) return found;
  throw new ServiceError(
    'receiver_not_found',
    `There is no receiver "${id.slice(0, 100)}". GET /alerts/receivers lists them.`,
  );
}

/** Each receiver with what waits for it, and what was given up within the time that deliveries are kept. */
export async function readReceivers({ prisma }: Pick<Database, 'prisma'>, settings: AlertSettings) {
  const counts = await prisma.alertDelivery.groupBy({ by: ['receiver', 'state'], _count: true });
  const countOf = (id: string, wanted: string) =>
    counts.find(({ receiver, state }) => receiver === id && state === wanted)?._count ?? 0;
  const items = listReceivers(settings).map((one) => ({
    receiver_id: one.id,
    kind: one.kind,
    address: shownAddress(one),
    waiting: countOf(one.id, 'pending'),
    dead: countOf(one.id, 'dead'),
  }));
  return { items, next_cursor: null };
}
