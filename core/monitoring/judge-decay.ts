import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import { normalQuantile } from '../../ml/evaluate/normal-quantile.js';
import { normalScore, shiftEvidence } from '../../ml/sequential/shift-evidence.js';
import { betterDirection } from '../policy/compare-metric.js';
import type { FindingState, Severity } from './finding.js';

/** By what a metric is judged. */
export interface DecayRule {
  /** Windows with fewer truths are not judged. */
  leastRows: number;
  /** A loss that is worse by this share than the reference is no decay yet. */
  margin: number;
  /** Windows of this one test until a false alarm, on average at least. */
  windowsAFalseAlarm: number;
}

export interface DecayVerdict {
  state: FindingState;
  severity: Severity;
  /** Of the last window; null where nothing is known. */
  value: number | null;
  /** From where on the metric is worse than allowed. */
  limit: number | null;
  /** Logarithm of the evidence, and from where on it is an alarm. */
  evidence: number;
  alarmFrom: number;
  /** The loss over that of the reference. */
  ratio: number | null;
  /** Windows in a row with evidence worth counting, up to the last. */
  windows: number;
  /** `holdout`: the metric on rows held out in training. `first_windows`: what the version showed first. */
  reference: { kind: 'holdout' | 'first_windows'; value: number; rows: number } | null;
  reason?: 'no_direction' | 'no_reference' | 'too_few_truths';
}

/** Evidence below this share of what makes an alarm comes and goes by chance. */
const WORTH_COUNTING = 0.25;
const ONE_SIDED = normalQuantile(0.95);
const TWO_SIDED = normalQuantile(0.975);
/** Truths of the first windows that stand for a reference where training left none. */
const LEAST_REFERENCE_ROWS = 500;

interface Loss {
  value: number;
  error: number;
  rows: number;
}

/**
 * As something that is better when lower, with its standard error. Rows that are all alike, as those of a list that nobody takes from, show no
 * spread, and yet the next one may differ: for what is one at best, as good as Wilson's interval has it for shares, that of one row more.
 */
function lossOf(metric: string, { value, lower, upper, rows }: MetricEstimate): Loss | undefined {
  if (value === null || lower === null || upper === null) return undefined;
  const error = (upper - lower) / (2 * TWO_SIDED);
  if (betterDirection(metric) !== 'higher') return { value, error, rows };
  return { value: 1 - value, error: error > 0 ? error : 1 / (rows + 1), rows };
}

/**
 * Whether a metric of a version is worse than it was to be, at the last of its windows. The evidence adds up over windows, so that a small
 * decay is found too, and takes back what it got from a bad one when good ones follow.
 * @param windows the realised metric by window, earliest first; undefined without truths
 * @param holdout the metric on rows held out in training
 */
export function judgeDecay(
  metric: string,
  windows: readonly (MetricEstimate | undefined)[],
  holdout: MetricEstimate | undefined,
  rule: DecayRule,
): DecayVerdict {
  const alarmFrom = Math.log(rule.windowsAFalseAlarm);
  const nothing = { severity: 'none' as const, limit: null, evidence: 0, alarmFrom, ratio: null, windows: 0 };
  const last = windows.at(-1);
  const value = last?.value ?? null;
  const unknown = (reason: DecayVerdict['reason']): DecayVerdict => ({
    ...nothing,
    state: 'unknown',
    value,
    reference: null,
    reason,
  });
  if (betterDirection(metric) === null) return unknown('no_direction');
  const losses = windows.map((window) => window && lossOf(metric, window));
  const found = findReference(metric, losses, holdout);
  if (!found) return unknown('no_reference');
  const { loss: reference, kind, from } = found;
  const limit = reference.value * (1 + rule.margin) + ONE_SIDED * reference.error;
  const scores = losses.slice(from).map((loss) => scoreOf(loss, { limit, reference, leastRows: rule.leastRows }));
  const evidences = shiftEvidence(scores, rule.windowsAFalseAlarm);
  const evidence = evidences.at(-1) ?? 0;
  const asMetric = (loss: number) => (betterDirection(metric) === 'higher' ? 1 - loss : loss);
  const judged = {
    value,
    limit: asMetric(limit),
    evidence,
    alarmFrom,
    windows: evidences.length - 1 - evidences.findLastIndex((one) => one < alarmFrom * WORTH_COUNTING),
    reference: { kind, value: asMetric(reference.value), rows: reference.rows },
  };
  const current = losses.at(-1);
  const ratio = current && reference.value > 0 ? current.value / reference.value : null;
  if (!current || Number.isNaN(scores.at(-1) ?? NaN))
    return { ...judged, ratio, state: 'unknown', severity: 'none', reason: 'too_few_truths' };
  const state = evidence >= alarmFrom ? 'alarm' : evidence >= alarmFrom / 2 ? 'suspect' : 'ok';
  return { ...judged, ratio, state, severity: state === 'ok' ? 'none' : severityOf(ratio) };
}

function scoreOf(
  loss: Loss | undefined,
  { limit, reference, leastRows }: { limit: number; reference: Loss; leastRows: number },
): number {
  if (!loss || loss.rows < leastRows) return NaN;
  // Errors that are all alike have the spread of one row more, as far off as the reference.
  const error = loss.error > 0 ? loss.error : Math.abs(loss.value - reference.value) / (loss.rows + 1);
  return error > 0 ? normalScore((loss.value - limit) / error, loss.rows) : 0;
}

function severityOf(ratio: number | null): Severity {
  if (ratio === null || ratio >= 1.5) return 'high';
  return ratio >= 1.2 ? 'medium' : 'low';
}

/** The rows held out, else the first windows that have truths enough together. */
function findReference(metric: string, losses: readonly (Loss | undefined)[], holdout: MetricEstimate | undefined) {
  const own = holdout && lossOf(metric, holdout);
  if (own) return { loss: own, kind: 'holdout' as const, from: 0 };
  let rows = 0;
  let sum = 0;
  let variance = 0;
  for (const [at, loss] of losses.entries()) {
    if (!loss) continue;
    rows += loss.rows;
    sum += loss.rows * loss.value;
    variance += (loss.rows * loss.error) ** 2;
    const together = { value: sum / rows, error: Math.sqrt(variance) / rows, rows };
    if (rows >= LEAST_REFERENCE_ROWS) return { loss: together, kind: 'first_windows' as const, from: at + 1 };
  }
  return undefined;
}
