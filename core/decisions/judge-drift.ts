import type { ColumnDrift, ComparedColumn, DriftEffect } from '../../ml/drift/column-drift.js';
import { isAtLeast, type Severity } from '../monitoring/finding.js';
import { selectByFalseDiscoveryRate } from '../../ml/evaluate/false-discovery-rate.js';

/** What makes a difference worth an alarm. */
export interface DriftRule {
  /** Of the columns that a window reports, the share that may be false. */
  false_discovery_rate: number;
  /** A column must be reported in so many of the last windows. */
  persistence: { windows: number; least: number };
  /** Smallest effect of any column; below it only those that the model leans on most are alarmed about. */
  least_effect: number;
  /** How many columns count as those. */
  important_columns: number;
  /** Effect from which on even an important column is alarmed about. */
  least_important_effect: number;
  /** An effect must be so many times as large as the largest that the column had within its reference. */
  usual_factor: number;
}

export const DRIFT_RULE: DriftRule = {
  false_discovery_rate: 0.05,
  persistence: { windows: 3, least: 2 },
  least_effect: 0.05,
  important_columns: 5,
  least_important_effect: 0.02,
  usual_factor: 2,
};

/** What is known of the columns besides this window. */
export interface ColumnKnowledge {
  /** By column: its share of the model's importance, 0 to 1; a column that is absent has none. */
  importance: ReadonlyMap<string, number>;
  /** By column: the largest effect that a window of the reference has against the others (`usualNumberEffect`). */
  usual: ReadonlyMap<string, number>;
}

/** What is remembered of a window for those that follow. */
export interface WindowSignals {
  /** Columns that the window reported. */
  reported: readonly string[];
}

export interface ColumnVerdict {
  column: string;
  state: 'steady' | 'reported' | 'alarm' | 'not_testable';
  severity: Severity;
  /** The effect that counts most; absent where nothing could be compared. */
  effect?: DriftEffect;
  /** The effect from which on it is reported. */
  limit?: number;
  /** Effect times the column's share of the model's importance, relative to an equal share. */
  weight: number;
  p_value?: number;
  reason: string;
}

export interface DriftVerdict {
  columns: ColumnVerdict[];
  alarm: boolean;
  severity: Severity;
  /** For the windows that follow. */
  signals: WindowSignals;
}

/**
 * Which columns of a window have drifted. A column is *reported* where its chance passes the step-up rule of Benjamini and Hochberg over all columns
 * and its effect is beyond chance; it is an *alarm* where it was reported in enough of the last windows.
 * @param columns of the window, compared with their references
 * @param earlier the windows before, latest last
 */
export function judgeDrift(
  columns: readonly ColumnDrift[],
  earlier: readonly WindowSignals[],
  { importance, usual }: ColumnKnowledge,
  rule: DriftRule = DRIFT_RULE,
): DriftVerdict {
  const compared = columns.filter((column) => column.state === 'compared');
  const selected =
    compared.length > 0
      ? selectByFalseDiscoveryRate(
          Float64Array.from(compared, (column) => column.p_value),
          rule.false_discovery_rate,
        )
      : new Uint8Array(0);
  const significant = new Set(compared.filter((_, at) => selected[at] === 1).map(({ column }) => column));
  const important = new Set(
    [...importance]
      .filter(([, share]) => share > 0)
      .sort(([, a], [, b]) => b - a)
      .slice(0, rule.important_columns)
      .map(([column]) => column),
  );
  const recent = rule.persistence.windows > 1 ? earlier.slice(1 - rule.persistence.windows) : [];
  const verdicts = columns.map((column): ColumnVerdict => {
    if (column.state === 'not_testable')
      return {
        column: column.column,
        state: 'not_testable',
        severity: 'none',
        weight: 0,
        reason: UNTESTABLE[column.reason],
      };
    const limit = Math.max(
      important.has(column.column) ? rule.least_important_effect : rule.least_effect,
      rule.usual_factor * (usual.get(column.column) ?? 0),
    );
    const times = recent.filter(({ reported }) => reported.includes(column.column)).length;
    const share = (importance.get(column.column) ?? 0) * Math.max(1, columns.length);
    return judgeColumn(column, { isSignificant: significant.has(column.column), limit, times, share, rule });
  });
  const alarms = verdicts.filter(({ state }) => state === 'alarm');
  return {
    columns: verdicts,
    alarm: alarms.length > 0,
    severity: alarms.reduce<Severity>((most, { severity }) => worse(most, severity), 'none'),
    signals: {
      reported: verdicts.filter(({ state }) => state === 'reported' || state === 'alarm').map(({ column }) => column),
    },
  };
}

const UNTESTABLE = {
  reference_empty: 'The reference has no rows to compare with.',
  window_empty: 'The window has no rows.',
  too_few_rows: 'There are too few rows to compare.',
};

function judgeColumn(
  drift: ComparedColumn,
  found: { isSignificant: boolean; limit: number; times: number; share: number; rule: DriftRule },
): ColumnVerdict {
  const effect = drift.effects.reduce<DriftEffect | undefined>(
    (most, one) => (most && most.size >= one.size ? most : one),
    undefined,
  );
  const size = effect?.size ?? 0;
  const { windows, least } = found.rule.persistence;
  const common = {
    column: drift.column,
    p_value: drift.p_value,
    weight: size * found.share,
    limit: found.limit,
    ...(effect ? { effect } : {}),
  };
  if (!found.isSignificant)
    return { ...common, state: 'steady', severity: 'none', reason: 'What differs is within what chance does.' };
  if (size < found.limit) {
    const reason = `It differs by more than chance, and by too little to matter: ${round(size)} is below ${round(found.limit)}.`;
    return { ...common, state: 'steady', severity: 'none', reason };
  }
  const seen = found.times + 1;
  const what = `${describeEffect(effect!)}, beyond chance`;
  if (seen < least) {
    const reason = `${what}; it takes ${least} of ${windows} windows for an alarm, and this is the first.`;
    return { ...common, state: 'reported', severity: 'none', reason };
  }
  const reason = `${what}, in ${seen} of the last ${windows} windows.`;
  return { ...common, state: 'alarm', severity: severityOf(size, found.share), reason };
}

/** A shift of a deviation, or a tenth of one in a column that the model leans on, is high. */
function severityOf(size: number, share: number): Severity {
  const weight = size * Math.max(0.25, Math.min(4, share));
  return weight >= 0.5 ? 'high' : weight >= 0.1 ? 'medium' : 'low';
}

const worse = (a: Severity, b: Severity): Severity => (isAtLeast(a, b) ? a : b);

function describeEffect({ measure, raw, direction }: DriftEffect): string {
  const way = direction === 'none' ? '' : direction === 'up' ? ', upwards' : ', downwards';
  switch (measure) {
    case 'wasserstein_per_deviation':
      return `Values moved by ${round(raw)} standard deviations${way}`;
    case 'jensen_shannon_distance':
      return `The shares of the categories moved, a distance of ${round(raw)}`;
    case 'missing_share':
      return `The share of missing values moved by ${round(raw)}${way}`;
  }
}

const round = (size: number): number => Number(size.toPrecision(2));
