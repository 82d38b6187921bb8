import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import { isAtLeast, type Severity } from '../../core/monitoring/finding.js';
import { fitsPattern } from '../../core/policy/alert-rules.js';
import type { SilenceMatcher } from '../../core/schemas/alert.js';
import { nameSubject } from '../audit/name-subject.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

type Row = Prisma.AlertSilenceGetPayload<object>;

const present = (row: Row, nowMs: number) => {
  const { model = null, rule = null, subject = null, severity = null } = row.matcher as SilenceMatcher;
  const isOver = row.endsAt.getTime() <= nowMs;
  return {
    silence_id: row.id,
    model,
    rule,
    subject,
    severity,
    reason: row.reason,
    state: isOver ? 'over' : row.startsAt.getTime() > nowMs ? 'planned' : 'active',
    starts_at: row.startsAt.toISOString(),
    ends_at: row.endsAt.toISOString(),
    created_by: row.createdBy,
    created_at: row.createdAt.toISOString(),
  };
};

/** The silence that holds for an alert now. */
export function findSilence(
  active: readonly Pick<Row, 'id' | 'matcher'>[],
  alert: { model: string; rule: string; subject: string; severity: string },
): string | undefined {
  return active.find(({ matcher }) => {
    const { model, rule, subject, severity } = matcher as SilenceMatcher;
    return (
      (model === undefined || model === alert.model) &&
      (rule === undefined || rule === alert.rule) &&
      (subject === undefined || fitsPattern(alert.subject, subject)) &&
      (severity === undefined || isAtLeast(severity, alert.severity as Severity))
    );
  })?.id;
}

export const activeSilences = (prisma: Pick<Database['prisma'], 'alertSilence'>, now: Date) =>
  prisma.alertSilence.findMany({ where: { startsAt: { lte: now }, endsAt: { gt: now } } });

/** Times in which nobody is told of some alerts; they are opened all the same. */
export function createSilenceStore({ prisma }: Database) {
  return {
    async create(
      {
        reason,
        starts_at: start,
        ends_at: end,
        ...matcher
      }: SilenceMatcher & { reason: string; starts_at?: string; ends_at: string },
      createdBy: string,
    ) {
      const now = new Date();
      const [startsAt, endsAt] = [start === undefined ? now : new Date(start), new Date(end)];
      if (endsAt <= now)
        throw new ServiceError('request_invalid', 'The silence would be over already.', [
          { path: 'ends_at', message: 'must be in the future' },
        ]);
      const id = `sil-${randomBytes(10).toString('hex')}`;
      return present(
        await prisma.alertSilence.create({ data: { id, matcher, reason, startsAt, endsAt, createdBy } }),
        now.getTime(),
      );
    },

    async list(page: { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.alertSilence.findMany({
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: ({ id }) => id,
        find: (id) => prisma.alertSilence.findUnique({ where: { id } }),
      });
      return { items: rows.map((row) => present(row, Date.now())), next_cursor };
    },

    /** Ends it now; it stays in the list. One that has not begun is as if it had never been. */
    async end(id: string, by: string): Promise<void> {
      const row = await prisma.alertSilence.findUnique({ where: { id } });
      if (!row)
        throw new ServiceError(
          'silence_not_found',
          `There is no silence "${id.slice(0, 100)}". GET /alerts/silences lists them.`,
        );
      const now = new Date();
      await prisma.$transaction(async (transaction) => {
        await nameSubject(transaction, by);
        if (row.startsAt > now) await transaction.alertSilence.deleteMany({ where: { id } });
        else await transaction.alertSilence.updateMany({ where: { id, endsAt: { gt: now } }, data: { endsAt: now } });
      });
    },
  };
}

export type SilenceStore = ReturnType<typeof createSilenceStore>;
