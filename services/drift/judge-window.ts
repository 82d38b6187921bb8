import type { DuckDBConnection } from '@duckdb/node-api';
import { DRIFT_RULE, judgeDrift, type ColumnVerdict } from '../../core/decisions/judge-drift.js';
import type { DriftReference, Period } from '../../core/monitoring/choose-reference.js';
import type { Finding } from '../../core/monitoring/finding.js';
import type { DriftMonitorSettings } from '../../core/schemas/drift-monitor.js';
import { quoteText } from '../duckdb.js';
import type { KeptFinding } from '../monitors/monitor-findings.js';
import { ALL_ROWS, compareSides, type ComparedSides, type Segment } from './compare-sides.js';
import { driftFinding, type WindowFacts } from './drift-findings.js';
import type { DriftSubject } from './drift-subject.js';
import { earlierSignals } from './earlier-signals.js';
import { estimateEffects } from './estimate-effects.js';
import { cellName, frequentValues, layOutCells, type Cells, type SideRows } from './lay-out-cells.js';
import type { WatchedColumn } from './watched-columns.js';

/** So many values of a segment's feature are watched. */
const MOST_VALUES = 10;

export interface WindowJudgement {
  subject: DriftSubject;
  window: Period;
  columns: readonly WatchedColumn[];
  sides: { current: Cells; reference: Cells; slots: number };
  reference: DriftReference;
  /** Rows of training, where the reference is the season: they tell what the season explains. */
  training: SideRows | undefined;
  settings: DriftMonitorSettings;
  earlier: readonly KeptFinding[];
}

/** What the window shows of each column, over all rows and in each segment. */
export async function judgeWindow(connection: DuckDBConnection, judgement: WindowJudgement): Promise<Finding[]> {
  const { columns, settings, subject } = judgement;
  const compared = await compareSides(connection, columns, columns, {
    ...judgement.sides,
    segment: ALL_ROWS,
    leastRows: settings.least_rows,
  });
  const verdicts = judgeFamily(
    compared.map((one) => ({ one, segment: '' })),
    judgement,
  );
  const facts: WindowFacts = {
    model: subject.model,
    version: subject.version,
    window: judgement.window,
    reference: describeReference(judgement.reference),
    rule: DRIFT_RULE,
    isNewVersion: subject.isNew,
    estimates: estimateEffects(compared, subject),
    importance: subject.importance,
    seasonal: await seasonalSubjects(connection, compared, verdicts, judgement),
    hasSeason: judgement.reference.kind === 'season',
  };
  const hasInputAlarm = verdicts.some(({ column, state }) => column.startsWith('input:') && state === 'alarm');
  const found = compared.map((one, at) => driftFinding(one, verdicts[at]!, facts, { segment: '', hasInputAlarm }));
  return [...found, ...(await judgeSegments(connection, judgement, facts, hasInputAlarm))];
}

const describeReference = (reference: DriftReference) => ({
  kind: reference.kind,
  ...('periods' in reference
    ? { periods: reference.periods.map(({ start, end }) => ({ start: start.toISOString(), end: end.toISOString() })) }
    : {}),
});

const keyOf = (segment: string, subject: string) => JSON.stringify([segment, subject]);

/** Judges columns as one family, so that many of them raise no more false alarms than few. */
function judgeFamily(
  cells: readonly { one: ComparedSides; segment: string }[],
  { subject, window, earlier }: WindowJudgement,
): ColumnVerdict[] {
  const equal = 1 / Math.max(1, cells.length);
  const total = cells.reduce((sum, { one }) => sum + (subject.importance.get(one.column.name) ?? 0), 0);
  const importance = new Map<string, number>();
  const usual = new Map<string, number>();
  const names = new Set<string>();
  for (const { one, segment } of cells) {
    const key = keyOf(segment, one.column.subject);
    const share =
      one.column.group === 'inputs' && total > 0 ? (subject.importance.get(one.column.name) ?? 0) / total : equal;
    importance.set(key, share);
    usual.set(key, one.usual);
    names.add(key);
  }
  const signals = earlierSignals(earlier, window, DRIFT_RULE.persistence.windows - 1, ({ subject: own, segment }) => {
    const key = keyOf(segment, own);
    return names.has(key) ? key : undefined;
  });
  const drifts = cells.map(({ one, segment }) => ({ ...one.drift, column: keyOf(segment, one.column.subject) }));
  const { columns } = judgeDrift(drifts, signals, { importance, usual });
  return columns.map((verdict, at) => ({ ...verdict, column: cells[at]!.one.column.subject }));
}

/** Columns that are as in the same hours of earlier weeks and not as in training: it is the season that moves them. */
async function seasonalSubjects(
  connection: DuckDBConnection,
  compared: readonly ComparedSides[],
  verdicts: readonly ColumnVerdict[],
  { columns, sides, settings, training }: WindowJudgement,
): Promise<Set<string>> {
  const found = new Set<string>();
  if (!training) return found;
  const reference = await layOutCells(connection, 'training', columns, training);
  const limits = new Map(
    compared.flatMap(({ column }, at) => {
      const { state, limit } = verdicts[at]!;
      return state === 'steady' && reference.rows[column.group] > 0 ? [[column, limit] as const] : [];
    }),
  );
  const options = { current: sides.current, reference, slots: 1, segment: ALL_ROWS, leastRows: settings.least_rows };
  for (const { column, drift } of await compareSides(connection, [...limits.keys()], columns, options)) {
    if (drift.state !== 'compared') continue;
    const size = Math.max(0, ...drift.effects.map((effect) => effect.size));
    const limit = limits.get(column) ?? DRIFT_RULE.least_effect;
    if (drift.p_value < SEASONAL_CHANCE && size >= limit) found.add(column.subject);
  }
  return found;
}

const SEASONAL_CHANCE = 0.001;

async function judgeSegments(
  connection: DuckDBConnection,
  judgement: WindowJudgement,
  facts: WindowFacts,
  hasInputAlarm: boolean,
): Promise<Finding[]> {
  const { columns, sides, settings } = judgement;
  const inputs = columns.filter(({ group }) => group === 'inputs');
  const cells: { one: ComparedSides; segment: string }[] = [];
  for (const name of settings.segments) {
    const own = inputs.find((column) => column.name === name);
    if (!own || own.kind === 'presence') continue;
    const cell = cellName(own, columns);
    for (const value of await frequentValues(connection, sides.current, cell, MOST_VALUES)) {
      const segment: Segment = { name: `${name}=${value}`, where: `${cell} = ${quoteText(value)}` };
      const others = inputs.filter((column) => column !== own);
      const options = { ...sides, segment, leastRows: settings.least_rows };
      for (const one of await compareSides(connection, others, columns, options))
        cells.push({ one, segment: segment.name });
    }
  }
  if (cells.length === 0) return [];
  const verdicts = judgeFamily(cells, judgement);
  return cells.map(({ one, segment }, at) => driftFinding(one, verdicts[at]!, facts, { segment, hasInputAlarm }));
}
