import { findDriftCause } from '../../core/decisions/find-drift-cause.js';
import type { ColumnVerdict, DriftRule } from '../../core/decisions/judge-drift.js';
import { adviseOnDrift, type DriftCircumstances, type EstimatedEffect } from '../../core/decisions/triage-drift.js';
import type { Finding, FindingState } from '../../core/monitoring/finding.js';
import type { ColumnDrift } from '../../ml/drift/column-drift.js';
import type { ComparedSides } from './compare-sides.js';

const STATES: Record<ColumnVerdict['state'], FindingState> = {
  steady: 'ok',
  reported: 'suspect',
  alarm: 'alarm',
  not_testable: 'unknown',
};

/** What the findings of one window have in common. */
export interface WindowFacts {
  model: string;
  version: string;
  window: Finding['window'];
  /** What the window was compared with. */
  reference: Record<string, unknown>;
  rule: DriftRule;
  isNewVersion: boolean;
  estimates: readonly EstimatedEffect[];
  importance: ReadonlyMap<string, number>;
  /** Subjects that differ from the rows of training and not from the same hours of earlier weeks. */
  seasonal: ReadonlySet<string>;
  hasSeason: boolean;
}

/** A column's verdict as a finding: its numbers by what they are, and for what needs a person its cause and what to do. */
export function driftFinding(
  { column, drift, usual }: ComparedSides,
  verdict: ColumnVerdict,
  facts: WindowFacts,
  { segment, hasInputAlarm }: { segment: string; hasInputAlarm: boolean },
): Finding {
  const state = STATES[verdict.state];
  const what = column.subject.split(':', 1)[0] as DriftCircumstances['what'];
  const season = facts.seasonal.has(column.subject) ? 'explains' : facts.hasSeason ? 'does_not_explain' : 'not_known';
  const needsTriage = drift.state === 'compared' && (state === 'alarm' || state === 'suspect');
  const cause = needsTriage ? findDriftCause(drift) : undefined;
  const importance = facts.importance.get(column.name);
  const advised =
    cause &&
    adviseOnDrift({
      what,
      cause,
      importance: what === 'input' ? importance : undefined,
      season,
      isNewVersion: facts.isNewVersion,
      hasInputAlarm,
      estimates: facts.estimates,
    });
  const told = [
    verdict.reason,
    ...(cause ? [cause.detail] : []),
    ...(advised && state === 'alarm' ? [adviceSentence(advised)] : []),
    ...(season === 'explains' ? ['It differs from the rows of training as the same hours of earlier weeks do.'] : []),
  ];
  return {
    model: facts.model,
    version: facts.version,
    monitor: 'drift',
    subject: column.subject,
    segment,
    window: facts.window,
    state,
    severity: verdict.severity,
    value: verdict.effect?.size,
    threshold: verdict.limit,
    summary: `${column.name}: ${told.join(' ')}`,
    evidence: {
      ...numbersOf(drift),
      p_value: verdict.p_value,
      usual_effect: usual,
      ...(importance === undefined ? {} : { importance, weight: verdict.weight }),
      season,
      reference: facts.reference,
      rule: facts.rule,
      ...(advised
        ? { triage: { ...cause, because: advised.because, estimated_effects: facts.estimates }, advice: advised.advice }
        : {}),
    },
  };
}

const ADVICE = {
  ignore: 'Nothing has to be done',
  fix_upstream: 'Have it mended where the data comes from',
  retrain: 'Retrain',
  roll_back: 'Roll the version back',
};
const adviceSentence = ({ advice, because }: ReturnType<typeof adviseOnDrift>) => `${ADVICE[advice]}: ${because}`;

/** Chances under `tests`, distances under `effects`: never under one name. */
function numbersOf(drift: ColumnDrift): Record<string, unknown> {
  const { column: _, state: __, ...numbers } = drift;
  return numbers;
}
