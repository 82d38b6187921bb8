import type { Database } from '../database/database.js';
import { modelDefinition, type ModelsConfig } from '../training/models-config.js';

const DEFAULT_PER_YEAR = 2;
const YEAR_DAYS = 365;
const MOST_SHOWN = 100;

/** A budget of none is used up by the first. */
const isSpent = (used: number, perYear: number) => used >= Math.max(1, perYear);
const perYearOf = (config: ModelsConfig, model: string) =>
  config.models.get(model)?.alerts?.false_alarms_per_year ?? DEFAULT_PER_YEAR;
const yearAgo = (now: Date) => new Date(now.getTime() - YEAR_DAYS * 86_400_000);

/** The models whose false alarms of a year have used up what they may have: their rules ask for one more window. */
export async function findOverspent(
  prisma: Pick<Database['prisma'], 'alert'>,
  config: ModelsConfig,
  now: Date,
): Promise<ReadonlySet<string>> {
  const used = await prisma.alert.groupBy({
    by: ['model'],
    where: { falseAlarm: true, openedAt: { gte: yearAgo(now) } },
    _count: true,
  });
  return new Set(
    used.filter(({ model, _count }) => isSpent(_count, perYearOf(config, model))).map(({ model }) => model),
  );
}

/** What the false alarms of a model may be within a year, and what they were: all monitors and rules share it. */
export async function readBudget(
  { database, config }: { database: Pick<Database, 'prisma'>; config: ModelsConfig },
  asked: string,
  now: Date,
) {
  const { name: model } = modelDefinition(config, asked);
  const since = yearAgo(now);
  const where = { model, openedAt: { gte: since } };
  const { prisma } = database;
  const opened = await prisma.alert.count({ where });
  const used = await prisma.alert.count({ where: { ...where, falseAlarm: true } });
  const rows = await prisma.alert.findMany({
    where: { ...where, falseAlarm: true },
    orderBy: [{ openedAt: 'desc' }, { id: 'desc' }],
    take: MOST_SHOWN,
  });
  const perYear = perYearOf(config, model);
  const isUsedUp = isSpent(used, perYear);
  const marks = await prisma.alertEvent.findMany({
    where: { alertId: { in: rows.map(({ id }) => id) }, event: 'marked_false' },
  });
  const markerOf = new Map(marks.map(({ alertId, by }) => [alertId, by]));
  return {
    model,
    since: since.toISOString(),
    false_alarms_per_year: perYear,
    alerts: opened,
    used,
    left: Math.max(0, perYear - used),
    used_up: isUsedUp,
    /** Windows that each rule asks for besides its own. */
    extra_windows: isUsedUp ? 1 : 0,
    false_alarms: rows.map(({ id, rule, subject, summary, openedAt }) => ({
      alert_id: id,
      rule,
      subject,
      summary,
      opened_at: openedAt.toISOString(),
      marked_by: markerOf.get(id) ?? null,
    })),
  };
}
