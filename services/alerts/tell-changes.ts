import type { Severity } from '../../core/monitoring/finding.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import { putMessage } from './alert-deliverer.js';
import type { AlertMessage, ToldAlert, ToldEvent } from './alert-message.js';
import { chooseReceivers, type AlertReceiver } from './receivers.js';
import { activeSilences, findSilence } from './silence-store.js';

type Transaction = Pick<
  Database['prisma'],
  'alert' | 'alertEvent' | 'alertSilence' | 'alertDelivery' | '$executeRaw' | '$queryRaw'
>;
type AlertRow = Prisma.AlertGetPayload<object>;
type EventRow = Prisma.AlertEventGetPayload<object>;
interface Change {
  event: EventRow;
  alert: AlertRow;
}

/** Changes that one pass looks at; the rest comes with the next. */
const MOST_CHANGES = 2000;

/**
 * Writes messages for the changes that wait to be told: one for all alerts of a model with which the same happened. Changes of silenced
 * alerts wait for the end of the silence, those of a model with too many messages for the next hour; what was over before anybody could be
 * told of it is not told.
 * @returns how many messages were written
 */
export async function tellChanges(
  transaction: Transaction,
  { receivers, messagesPerHour, now }: { receivers: readonly AlertReceiver[]; messagesPerHour: number; now: Date },
): Promise<number> {
  const events = await transaction.alertEvent.findMany({
    where: { telling: 'waiting' },
    orderBy: { id: 'asc' },
    take: MOST_CHANGES,
  });
  if (events.length === 0) return 0;
  const alerts = await transaction.alert.findMany({ where: { id: { in: events.map(({ alertId }) => alertId) } } });
  const alertOf = new Map(alerts.map((alert) => [alert.id, alert]));
  const changes = events.flatMap((event): Change[] => {
    const alert = alertOf.get(event.alertId);
    return alert ? [{ event, alert }] : [];
  });
  const untold = new Set(changes.filter(({ event }) => event.event === 'opened').map(({ alert }) => alert.id));
  const silences = await activeSilences(transaction, now);
  const isSilenced = ({ alert }: Change) => findSilence(silences, alert) !== undefined;
  const isOver = (change: Change) => change.alert.status === 'resolved' && untold.has(change.alert.id);
  await settle(transaction, changes.filter(isOver), 'dropped');
  let messages = 0;
  const budget = await messageBudget(transaction, messagesPerHour, now);
  for (const group of groupChanges(changes.filter((change) => !isOver(change) && !isSilenced(change)))) {
    const chosen = chooseReceivers(receivers, group[0]!.alert.receivers as string[]).map(({ id }) => id);
    if (chosen.length === 0) {
      await settle(transaction, group, 'told');
      continue;
    }
    const { model } = group[0]!.alert;
    const left = budget.get(model) ?? messagesPerHour;
    if (left <= 0) continue;
    budget.set(model, left - 1);
    const message = messageOf(group, now);
    await putMessage(transaction, message, chosen);
    await settle(transaction, group, 'told', message.id);
    messages++;
  }
  return messages;
}

/** Messages that each model may still have. */
async function messageBudget(
  transaction: Transaction,
  messagesPerHour: number,
  now: Date,
): Promise<Map<string, number>> {
  const since = new Date(now.getTime() - 3_600_000);
  const sent = await transaction.$queryRaw<{ model: string; messages: number }[]>`
    SELECT model, count(DISTINCT message_id)::int AS messages FROM alert_deliveries WHERE created_at > ${since} GROUP BY model`;
  return new Map(sent.map(({ model, messages }) => [model, messagesPerHour - messages]));
}

function groupChanges(changes: readonly Change[]): Change[][] {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const { event, alert } = change;
    const key = JSON.stringify([alert.model, event.event, alert.receivers]);
    const group = groups.get(key);
    if (group) group.push(change);
    else groups.set(key, [change]);
  }
  return [...groups.values()];
}

async function settle(
  transaction: Transaction,
  changes: readonly Change[],
  telling: 'told' | 'dropped',
  messageId?: string,
): Promise<void> {
  if (changes.length === 0) return;
  await transaction.alertEvent.updateMany({
    where: { id: { in: changes.map(({ event }) => event.id) } },
    data: { telling, messageId: messageId ?? null },
  });
}

function messageOf(group: readonly Change[], now: Date): AlertMessage {
  const { event, alert } = group[0]!;
  return {
    // Of the changes, so that it is the same message however often it is made.
    id: `alm-${digestOf(group.map((change) => String(change.event.id))).slice(0, 24)}`,
    type: `alert.${event.event as ToldEvent}`,
    timestamp: now.toISOString(),
    data: { model: alert.model || null, alerts: group.map(toldAlert) },
  };
}

function toldAlert({ event, alert }: Change): ToldAlert {
  const former = (event.detail as { former_severity?: Severity } | null)?.former_severity;
  return {
    alert_id: alert.id,
    rule: alert.rule,
    model: alert.model || null,
    version: alert.version,
    subject: alert.subject,
    segment: alert.segment,
    severity: alert.severity as Severity,
    former_severity: former ?? null,
    status: alert.status,
    summary: alert.summary,
    value: alert.value,
    threshold: alert.threshold,
    owner: alert.owner,
    opened_at: alert.openedAt.toISOString(),
    resolved_at: alert.resolvedAt?.toISOString() ?? null,
    by: event.by,
    // What the service says itself is in the summary.
    note: event.by === 'system' ? null : event.note,
  };
}
