/** A figure with the ends of its 95 % interval. */
export interface Measured {
  value: number | null;
  lower: number | null;
  upper: number | null;
}

/** Which way a figure is good, by its name without a prefix of a part. */
const HIGHER =
  /^(accuracy|roc_auc|average_precision|r2|recall_at_10|ndcg_at_10|detection_rate|series_incidents_found)$/;
const LOWER = /^(log_loss|brier|ece|mae|median_ae|rmse|mase|false_alarm_rate|series_false_alarm_rate)$/;

/** @returns null for a base that figures are held against, and for what is good neither high nor low, such as a coverage */
export function betterDirection(metric: string): 'higher' | 'lower' | null {
  if (HIGHER.test(metric)) return 'higher';
  return LOWER.test(metric) ? 'lower' : null;
}

/** `unknown`: no interval or no direction, or figures of different rows. */
export type MetricVerdict = 'better' | 'worse' | 'not_told_apart' | 'unknown';

export interface MetricDifference {
  /** The second minus the first; null where one is not known. */
  difference: number | null;
  lower: number | null;
  upper: number | null;
  /** Of the second against the first. */
  verdict: MetricVerdict;
}

/**
 * The difference of two figures, from their intervals alone (Zou and Donner's method, which keeps skewed intervals skewed). It takes
 * them for independent: on the same rows, where both go up and down together, the true interval is narrower, so that `better` and
 * `worse` hold and `not_told_apart` may miss something.
 * @param isSameRows both were measured on the same rows; otherwise nothing is concluded
 */
export function compareMetric(
  metric: string,
  first: Measured | undefined,
  second: Measured | undefined,
  isSameRows: boolean,
): MetricDifference {
  const unknown = { difference: null, lower: null, upper: null, verdict: 'unknown' as const };
  if (first?.value === null || first === undefined || second?.value === null || second === undefined) return unknown;
  const difference = second.value - first.value;
  if (first.lower === null || first.upper === null || second.lower === null || second.upper === null)
    return { ...unknown, difference };
  const lower = difference - Math.hypot(second.value - second.lower, first.upper - first.value);
  const upper = difference + Math.hypot(second.upper - second.value, first.value - first.lower);
  const better = betterDirection(metric);
  if (!isSameRows || better === null) return { difference, lower, upper, verdict: 'unknown' };
  if (lower <= 0 && upper >= 0) return { difference, lower, upper, verdict: 'not_told_apart' };
  return { difference, lower, upper, verdict: lower > 0 === (better === 'higher') ? 'better' : 'worse' };
}
