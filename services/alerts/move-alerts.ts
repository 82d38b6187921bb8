import { judgeAlert, type AlertMove } from '../../core/decisions/judge-alert.js';
import { isAtLeast, type Severity } from '../../core/monitoring/finding.js';
import type { AlertRule } from '../../core/policy/alert-rules.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import type { WatchedThing, WatchedWindow } from './watched-windows.js';

/** Who does what no person did. */
export const SYSTEM = 'system';

/** The stream says once that something is over, and then nothing more. */
const STREAM_RESOLVE_AFTER = 1;

type Transaction = Pick<Database['prisma'], 'alert' | 'alertEvent' | 'monitorFinding'>;
type AlertRow = Prisma.AlertGetPayload<object>;

interface Move {
  move: Exclude<AlertMove, 'none'>;
  thing: WatchedThing;
  severity: Severity;
  /** Windows that had to say alarm. */
  asked: number;
  standing?: AlertRow;
}

const keyOf = (
  { model, monitor, subject, segment }: Pick<AlertRow, 'model' | 'monitor' | 'subject' | 'segment'>,
  rule: string,
) => JSON.stringify([rule, model, monitor, subject, segment]);

/**
 * Opens, raises, keeps up to date and resolves the alerts of what is watched. Run again with the same windows it does nothing more.
 * @param overspent models whose rules ask for one more window
 */
export async function moveAlerts(
  transaction: Transaction,
  things: readonly WatchedThing[],
  { overspent }: { overspent: ReadonlySet<string> },
): Promise<void> {
  if (things.length === 0) return;
  const models = [...new Set(things.map(({ model }) => model))];
  const standing = await transaction.alert.findMany({ where: { status: { not: 'resolved' }, model: { in: models } } });
  const settled = await transaction.alert.groupBy({
    by: ['rule', 'model', 'monitor', 'subject', 'segment'],
    where: { status: 'resolved', model: { in: models } },
    _max: { lastWindow: true },
  });
  const standingOf = new Map(standing.map((row) => [keyOf(row, row.rule), row]));
  const settledOf = new Map(settled.map((row) => [keyOf(row, row.rule), row._max.lastWindow?.getTime()]));
  const moves = things.flatMap((thing): Move[] => {
    const key = keyOf(thing, thing.rule.name);
    return moveOf(thing, {
      standing: standingOf.get(key),
      settledMs: settledOf.get(key),
      isOverspent: overspent.has(thing.model),
    });
  });
  const evidence = await readEvidence(transaction, moves);
  for (const move of moves) await apply(transaction, move, evidence);
}

function moveOf(thing: WatchedThing, known: { standing?: AlertRow; settledMs?: number; isOverspent: boolean }): Move[] {
  const { rule, windows } = thing;
  const asked = rule.open_after + (known.isOverspent ? 1 : 0);
  const { standing } = known;
  const move = judgeAlert(
    windows.map((window) => holdToRule(window, rule)),
    { openAfter: asked, resolveAfter: thing.monitor === 'stream' ? STREAM_RESOLVE_AFTER : rule.resolve_after },
    {
      settledMs: known.settledMs,
      ...(standing && {
        standing: {
          severity: standing.severity as Severity,
          openedWindowMs: standing.openedWindow.getTime(),
          lastWindowMs: standing.lastWindow.getTime(),
        },
      }),
    },
  );
  if (move === 'none') return [];
  return [{ move, thing, asked, severity: rule.severity ?? newestOf(thing).severity, ...(standing && { standing }) }];
}

/** Alarms that are too mild for a rule are none, and a rule may have a severity of its own. */
function holdToRule(window: WatchedWindow, { when, severity }: AlertRule): WatchedWindow {
  const isTooMild =
    window.state === 'alarm' && 'least_severity' in when && !isAtLeast(window.severity, when.least_severity);
  return { ...window, state: isTooMild ? 'ok' : window.state, severity: severity ?? window.severity };
}

async function readEvidence(
  transaction: Transaction,
  moves: readonly Move[],
): Promise<ReadonlyMap<string, Prisma.JsonValue>> {
  const ids = moves.flatMap(({ thing }) => newestOf(thing).findingId ?? []);
  const rows = await transaction.monitorFinding.findMany({
    where: { id: { in: ids } },
    select: { id: true, evidence: true },
  });
  return new Map(rows.map(({ id, evidence }) => [id, evidence]));
}

/** The newest window that could be judged. */
const newestOf = ({ windows }: WatchedThing) => windows.find(({ state }) => state !== 'unknown') ?? windows[0]!;

async function apply(
  transaction: Transaction,
  { move, thing, asked, severity, standing }: Move,
  evidence: ReadonlyMap<string, Prisma.JsonValue>,
): Promise<void> {
  const window = newestOf(thing);
  const lastWindow = new Date(window.endMs);
  const now = {
    version: window.version,
    summary: window.summary,
    value: window.value,
    threshold: window.threshold,
    lastWindow,
    ...(window.findingId !== undefined && {
      evidence: (evidence.get(window.findingId) ?? {}) as Prisma.InputJsonValue,
    }),
  };
  if (move === 'open') return open(transaction, { thing, asked, severity }, now);
  const { id, severity: former } = standing!;
  if (move === 'resolve') {
    await transaction.alert.updateMany({
      where: { id, status: { not: 'resolved' } },
      data: { status: 'resolved', resolvedAt: new Date(), resolvedBy: SYSTEM, lastWindow },
    });
    return noteEvent(transaction, { alertId: id, key: 'resolved', event: 'resolved', note: window.summary });
  }
  await transaction.alert.updateMany({ where: { id }, data: { ...now, severity } });
  if (move === 'escalate')
    await noteEvent(transaction, {
      alertId: id,
      key: `escalated:${severity}:${window.endMs}`,
      event: 'escalated',
      note: window.summary,
      detail: { former_severity: former, severity },
    });
}

async function open(
  transaction: Transaction,
  { thing, asked, severity }: Pick<Move, 'thing' | 'asked' | 'severity'>,
  now: Omit<
    Prisma.AlertCreateManyInput,
    | 'id'
    | 'rule'
    | 'model'
    | 'monitor'
    | 'subject'
    | 'segment'
    | 'severity'
    | 'status'
    | 'openedWindow'
    | 'receivers'
    | 'evidence'
  > & { evidence?: Prisma.InputJsonValue },
): Promise<void> {
  const { rule, model, monitor, subject, segment } = thing;
  const openedWindow = now.lastWindow as Date;
  const alertId = `alt-${digestOf([rule.name, model, monitor, subject, segment, openedWindow.toISOString()]).slice(0, 24)}`;
  const { count } = await transaction.alert.createMany({
    data: [
      {
        evidence: {},
        ...now,
        id: alertId,
        rule: rule.name,
        model,
        monitor,
        subject,
        segment,
        severity,
        status: 'open',
        owner: rule.owner ?? null,
        receivers: rule.receivers,
        openedWindow,
      },
    ],
    skipDuplicates: true,
  });
  if (count === 0) return;
  const more = asked - rule.open_after;
  await noteEvent(transaction, {
    alertId,
    key: 'opened',
    event: 'opened',
    note:
      more > 0 ? `${now.summary} It took ${asked} windows, since the budget of false alarms is used up.` : now.summary,
    detail: { windows: asked, severity, budget_used_up: more > 0 },
  });
}

/** Resolves what no rule is for any more. */
export async function resolveOrphans(transaction: Transaction, rules: readonly AlertRule[]): Promise<void> {
  const alive = rules.filter(({ enabled }) => enabled).map(({ name }) => name);
  const orphans = await transaction.alert.findMany({ where: { status: { not: 'resolved' }, rule: { notIn: alive } } });
  for (const { id, rule } of orphans) {
    await transaction.alert.updateMany({
      where: { id },
      data: { status: 'resolved', resolvedAt: new Date(), resolvedBy: SYSTEM },
    });
    await noteEvent(transaction, {
      alertId: id,
      key: 'resolved',
      event: 'resolved',
      note: `The rule ${rule} is not in force any more.`,
    });
  }
}

/** Writes a change of an alert down, once a key; receivers are told of it. */
export async function noteEvent(
  transaction: Pick<Database['prisma'], 'alertEvent'>,
  {
    alertId,
    by = SYSTEM,
    telling = 'waiting',
    ...event
  }: {
    alertId: string;
    key: string;
    event: string;
    by?: string;
    note?: string;
    detail?: Prisma.InputJsonObject;
    telling?: 'waiting' | 'never';
  },
): Promise<void> {
  await transaction.alertEvent.createMany({ data: [{ alertId, by, telling, ...event }], skipDuplicates: true });
}
