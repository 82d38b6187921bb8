import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import { expectedMetrics, realisedMetrics, type ExpectedEstimate } from './metrics-of-tally.js';
import { addUp, numberOf, tallyOf, type Tally } from './tally.js';

/** A metric of a head: what turned out, what was expected of all answers, and what the version had on the rows held out. */
export interface MetricSummary {
  realised: MetricEstimate | null;
  estimated: ExpectedEstimate | null;
  baseline: MetricEstimate | null;
}

/** How an estimate did where the truth is known by now: over intervals with 30 truths or more, on the very rows that have one. */
export interface EstimateError {
  intervals: number;
  /** Mean of |estimate − realised|. */
  mean_absolute_error: number;
  /** Mean of estimate − realised. */
  bias: number;
}

export interface PerformanceEntry {
  requests: number;
  /** Answers with a truth so far. */
  labelled: number;
  label_coverage: number | null;
  heads: Record<string, Record<string, MetricSummary>>;
}

/** Of one version, arm and segment in one interval. */
export interface PerformanceTally {
  answers: Tally;
  outcomes: Tally;
}

type Baseline = Record<string, Record<string, MetricEstimate>>;

const LEAST_TRUTHS = 30;

/**
 * @param earlier outcomes of the same version that were there before, for estimates that learn from them
 * @param baseline metrics on the rows held out, by head
 */
export function summarisePerformance(
  { answers, outcomes }: PerformanceTally,
  earlier: Tally,
  baseline: Baseline,
): PerformanceEntry {
  const requests = numberOf(answers, 'requests');
  const labelled = numberOf(outcomes, 'labelled');
  const names = new Set([...Object.keys(tallyOf(answers, 'heads')), ...Object.keys(tallyOf(outcomes, 'heads'))]);
  const heads: PerformanceEntry['heads'] = {};
  for (const name of [...names].sort()) {
    const realised = realisedMetrics(headOf(outcomes, name));
    const estimated = expectedMetrics(headOf(answers, name), headOf(earlier, name));
    const metrics = [...new Set([...Object.keys(realised), ...Object.keys(estimated)])].sort();
    heads[name] = Object.fromEntries(
      metrics.map((metric) => [
        metric,
        {
          realised: realised[metric] ?? null,
          estimated: estimated[metric] ?? null,
          baseline: baseline[name]?.[metric] ?? null,
        },
      ]),
    );
  }
  return { requests, labelled, label_coverage: requests > 0 ? Math.min(1, labelled / requests) : null, heads };
}

/**
 * How the estimates of a version did so far.
 * @param intervals outcomes by interval, earliest first
 */
export function pastErrors(intervals: readonly Tally[]): Record<string, Record<string, EstimateError>> {
  const sums: Record<string, Record<string, { n: number; absolute: number; signed: number }>> = {};
  const earlier: Tally = {};
  for (const outcomes of intervals) {
    for (const name of Object.keys(tallyOf(outcomes, 'heads'))) {
      const head = headOf(outcomes, name);
      const realised = realisedMetrics(head);
      for (const [metric, { value }] of Object.entries(expectedMetrics(head, headOf(earlier, name)))) {
        const truth = realised[metric];
        if (value === null || typeof truth?.value !== 'number' || truth.rows < LEAST_TRUTHS) continue;
        const own = ((sums[name] ??= {})[metric] ??= { n: 0, absolute: 0, signed: 0 });
        own.n++;
        own.absolute += Math.abs(value - truth.value);
        own.signed += value - truth.value;
      }
    }
    addUp(earlier, outcomes);
  }
  return Object.fromEntries(
    Object.entries(sums).map(([name, metrics]) => [
      name,
      Object.fromEntries(
        Object.entries(metrics).map(([metric, { n, absolute, signed }]) => [
          metric,
          { intervals: n, mean_absolute_error: absolute / n, bias: signed / n },
        ]),
      ),
    ]),
  );
}

const headOf = (tally: Tally, name: string) => tallyOf(tallyOf(tally, 'heads'), name);
