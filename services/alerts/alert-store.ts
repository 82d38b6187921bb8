import { ServiceError } from '../../core/errors.js';
import type { AlertStatus } from '../../core/schemas/alert.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';
import { digestOf } from '../canonical-json.js';
import { noteEvent } from './move-alerts.js';
import { activeSilences, findSilence } from './silence-store.js';

type Row = Prisma.AlertGetPayload<object>;

export interface AlertFilter {
  status?: AlertStatus;
  model?: string;
  /** Of these only; of all without it. */
  models?: readonly string[];
  severity?: string;
  rule?: string;
}

const MOST_EVENTS = 500;

const present = (row: Row, silencedBy: string | undefined) => ({
  alert_id: row.id,
  rule: row.rule,
  model: row.model || null,
  version: row.version,
  monitor: row.monitor,
  subject: row.subject,
  segment: row.segment,
  severity: row.severity,
  status: row.status,
  summary: row.summary,
  value: row.value,
  threshold: row.threshold,
  owner: row.owner,
  false_alarm: row.falseAlarm,
  silenced_by: silencedBy ?? null,
  opened_at: row.openedAt.toISOString(),
  first_window_end: row.openedWindow.toISOString(),
  last_window_end: row.lastWindow.toISOString(),
  acknowledged_at: row.acknowledgedAt?.toISOString() ?? null,
  acknowledged_by: row.acknowledgedBy,
  resolved_at: row.resolvedAt?.toISOString() ?? null,
  resolved_by: row.resolvedBy,
});

/** What people see of alerts and do with them. */
export function createAlertStore({ prisma }: Database) {
  async function find(id: string, from: Pick<Database['prisma'], 'alert'> = prisma): Promise<Row> {
    const row = await from.alert.findUnique({ where: { id } });
    if (row) return row;
    throw new ServiceError('alert_not_found', `There is no alert "${id.slice(0, 100)}". GET /alerts lists them.`);
  }

  async function show(rows: readonly Row[]) {
    const silences = await activeSilences(prisma, new Date());
    return rows.map((row) => present(row, row.status === 'resolved' ? undefined : findSilence(silences, row)));
  }

  async function readDeliveries(messageIds: readonly string[]) {
    const deliveries = await prisma.alertDelivery.findMany({
      where: { messageId: { in: [...messageIds] } },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    const attempts = await prisma.alertAttempt.findMany({
      where: { deliveryId: { in: deliveries.map(({ id }) => id) } },
      orderBy: { id: 'desc' },
    });
    return deliveries.map((delivery) => {
      const last = attempts.find(({ deliveryId }) => deliveryId === delivery.id);
      return {
        delivery_id: delivery.id,
        receiver: delivery.receiver,
        message_id: delivery.messageId,
        state: delivery.state,
        attempts: delivery.attempts,
        last_status_code: last?.statusCode ?? null,
        last_error: last?.error ?? null,
        next_attempt_at: delivery.state === 'pending' ? (delivery.nextAttemptAt?.toISOString() ?? null) : null,
        created_at: delivery.createdAt.toISOString(),
        finished_at: delivery.finishedAt?.toISOString() ?? null,
      };
    });
  }

  async function get(id: string) {
    const row = await find(id);
    const events = await prisma.alertEvent.findMany({
      where: { alertId: id },
      orderBy: { id: 'desc' },
      take: MOST_EVENTS,
    });
    const messageIds = [...new Set(events.flatMap(({ messageId }) => messageId ?? []))];
    return {
      ...(await show([row]))[0]!,
      evidence: row.evidence as Record<string, unknown>,
      history: events.toReversed().map((event) => ({
        event: event.event,
        by: event.by,
        note: event.note,
        detail: event.detail as Record<string, unknown> | null,
        telling: event.telling,
        message_id: event.messageId,
        at: event.at.toISOString(),
      })),
      deliveries: await readDeliveries(messageIds),
    };
  }

  /** A change by a person, in one transaction with what is written down of it. */
  async function change(id: string, make: (transaction: Prisma.TransactionClient, row: Row) => Promise<void>) {
    await prisma.$transaction(async (transaction) => {
      await transaction.$executeRaw`SELECT 1 FROM alerts WHERE id = ${id} FOR UPDATE`;
      await make(transaction, await find(id, transaction));
    });
    return get(id);
  }

  return {
    async list({ limit, cursor, models, ...filter }: AlertFilter & { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(
        { limit, cursor },
        {
          read: (take) =>
            prisma.alert.findMany({
              where: { ...filter, ...whereModels(models) },
              orderBy: [{ openedAt: 'desc' }, { id: 'desc' }],
              take,
              ...(cursor ? { cursor: { id: cursor } } : {}),
            }),
          idOf: ({ id }) => id,
          find: (id) => prisma.alert.findUnique({ where: { id } }),
        },
      );
      return { items: await show(rows), next_cursor };
    },

    get,

    /** Somebody looks after it: it is not resolved, but nobody is reminded. Repeatable. @throws ServiceError `alert_conflict` */
    acknowledge: (id: string, by: string, note?: string) =>
      change(id, async (transaction, row) => {
        if (row.status === 'resolved')
          throw new ServiceError('alert_conflict', `The alert ${id} is resolved already, by ${row.resolvedBy}.`);
        if (row.status === 'acknowledged') return;
        const data = { status: 'acknowledged', acknowledgedAt: new Date(), acknowledgedBy: by };
        await transaction.alert.update({ where: { id }, data });
        await noteEvent(transaction, { alertId: id, key: 'acknowledged', event: 'acknowledged', by, note });
      }),

    /**
     * It is over, or nothing was wrong: then it counts as a false alarm. One that is resolved can still be marked as false, and the mark be
     * taken back. What is found in later windows opens a new alert.
     */
    resolve: (id: string, by: string, { note, false_alarm: isFalse }: { note?: string; false_alarm?: boolean }) =>
      change(id, async (transaction, row) => {
        if (row.status !== 'resolved') {
          const data = { status: 'resolved', resolvedAt: new Date(), resolvedBy: by };
          await transaction.alert.update({ where: { id }, data });
          await noteEvent(transaction, { alertId: id, key: 'resolved', event: 'resolved', by, note });
        }
        if (isFalse === undefined || isFalse === row.falseAlarm) return;
        await transaction.alert.update({ where: { id }, data: { falseAlarm: isFalse } });
        const marks = await transaction.alertEvent.count({
          where: { alertId: id, event: { in: ['marked_false', 'marked_true'] } },
        });
        const event = isFalse ? 'marked_false' : 'marked_true';
        await noteEvent(transaction, { alertId: id, key: `mark:${marks}`, event, by, note, telling: 'never' });
      }),

    /** The same words of the same person are written down once within a minute, so that a call may be repeated. */
    comment: (id: string, by: string, note: string) =>
      change(id, (transaction) => {
        const key = `comment:${digestOf([by, note]).slice(0, 16)}:${Math.floor(Date.now() / 60_000)}`;
        return noteEvent(transaction, { alertId: id, key, event: 'commented', by, note, telling: 'never' });
      }),
  };
}

export type AlertStore = ReturnType<typeof createAlertStore>;
