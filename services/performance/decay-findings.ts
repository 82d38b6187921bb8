import type { Finding } from '../../core/monitoring/finding.js';
import { judgeDecay, type DecayVerdict } from '../../core/monitoring/judge-decay.js';
import { realisedMetrics } from '../../core/monitoring/metrics-of-tally.js';
import { numberOf } from '../../core/monitoring/tally.js';
import { betterDirection } from '../../core/policy/compare-metric.js';
import { headsOf, headTally, type PerformanceWindows } from './performance-windows.js';

const HOURS_A_YEAR = 8760;
/** False alarms a year over all metrics and segments of a model, at most on average. */
export const FALSE_ALARMS_A_YEAR = 0.5;
/** A version this young that is bad was so from the start. */
const YOUNG_WINDOWS = 3;
/** Metrics that say nearly the same as another one, which is judged. */
const NOT_JUDGED = new Set(['rmse', 'mase', 'hit_rate_at_10']);

/** A finding for each metric of each head and segment. */
export function decayFindings(judged: PerformanceWindows): Finding[] {
  const { plan, segments } = judged;
  const heads = headsOf(segments.get('') ?? []);
  const series = [...segments].flatMap(([segment, windows]) =>
    heads.flatMap((head) => {
      const metrics = windows.map(({ outcomes }) => realisedMetrics(headTally(outcomes, head)));
      const names = new Set(metrics.flatMap((known) => Object.keys(known)));
      const watched = [...names].filter((name) => betterDirection(name) !== null && !NOT_JUDGED.has(name)).sort();
      return watched.map((metric) => ({ segment, head, metric, windows: metrics.map((known) => known[metric]) }));
    }),
  );
  if (series.length === 0) return [noTruths(judged)];
  const { least_rows: leastRows, margin } = plan.settings.performance;
  const windowsAYear = HOURS_A_YEAR / plan.settings.every_hours;
  const rule = { leastRows, margin, windowsAFalseAlarm: (windowsAYear * series.length) / FALSE_ALARMS_A_YEAR };
  return series.map(({ segment, head, metric, windows }) => {
    const verdict = judgeDecay(metric, windows, holdoutOf(judged, head, metric, segment), rule);
    return {
      ...findingOf(judged, segment),
      subject: `metric:${head}.${metric}`,
      state: verdict.state,
      severity: verdict.severity,
      ...(verdict.value === null ? {} : { value: verdict.value }),
      ...(verdict.limit === null ? {} : { threshold: verdict.limit }),
      summary: sentence(metric, head, verdict, windows.at(-1)?.rows ?? 0, segment),
      evidence: {
        ...verdict,
        rule: { ...rule, false_alarms_a_year: FALSE_ALARMS_A_YEAR, tests: series.length },
        window: windows.at(-1) ?? null,
        advice: adviceOf(verdict, windows.length),
      },
    };
  });
}

/** Segments differ from each other on the rows held out too, where nobody has measured them: they are held against their own first windows. */
const holdoutOf = ({ baseline }: PerformanceWindows, head: string, metric: string, segment: string) =>
  segment === '' ? baseline[head]?.[metric] : undefined;

export const findingOf = ({ plan, version, window }: PerformanceWindows, segment: string) => ({
  model: plan.model,
  version,
  monitor: 'performance' as const,
  segment,
  window,
});

function adviceOf({ state }: DecayVerdict, windows: number): 'ignore' | 'retrain' | 'roll_back' {
  if (state !== 'alarm') return 'ignore';
  return windows <= YOUNG_WINDOWS ? 'roll_back' : 'retrain';
}

const digits = (value: number | null) => (value === null ? 'unknown' : Number(value.toPrecision(3)).toString());
const REASONS = {
  no_direction: 'it is good neither high nor low',
  no_reference: 'there is no figure of the rows held out, and too few truths so far for one of its own',
  too_few_truths: 'too few truths are known of the last window',
};

function sentence(metric: string, head: string, verdict: DecayVerdict, rows: number, segment: string): string {
  const what = `${metric} of ${head}${segment === '' ? '' : ` where ${segment}`}`;
  if (verdict.state === 'unknown') return `${what} cannot be judged: ${REASONS[verdict.reason!]} (${rows}).`;
  const { value, reference, limit } = verdict;
  const from = reference!.kind === 'holdout' ? 'on the rows held out' : 'in its first windows';
  const figures = `${digits(value)} over ${rows} truths, ${digits(reference!.value)} ${from}, ${digits(limit)} allowed`;
  if (verdict.state === 'ok') return `${what} is as it was to be: ${figures}.`;
  const since = `for ${verdict.windows} ${verdict.windows === 1 ? 'window' : 'windows'}`;
  return verdict.state === 'alarm'
    ? `${what} has become worse ${since}: ${figures}.`
    : `${what} may have become worse ${since}: ${figures}.`;
}

function noTruths(judged: PerformanceWindows): Finding {
  const answered = numberOf(judged.segments.get('')?.at(-1)?.answers, 'requests');
  return {
    ...findingOf(judged, ''),
    subject: 'metrics',
    state: 'unknown',
    severity: 'none',
    summary: `No truth is known of the ${answered} answers of the last window, nor of any before: send feedback to have them judged.`,
    evidence: { reason: 'no_truths', answered },
  };
}
