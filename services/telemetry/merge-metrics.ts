import type { MetricType } from 'prom-client';

/** One series of a metric as `registry.getMetricsAsJSON()` gives it. */
export interface MeasuredValue {
  /** Null stands for a number that JSON does not have. */
  value: number | null;
  labels: Record<string, string | number>;
  /** Of the parts of a histogram or a summary, such as `…_bucket`. */
  metricName?: string;
  /** A request that is an example of this bucket. */
  exemplar?: { labelSet: Record<string, string>; value: number; timestamp: number } | null;
}

/** A metric with all its series. */
export interface MeasuredMetric {
  name: string;
  help: string;
  type: `${MetricType}` | MetricType;
  aggregator: string;
  values: MeasuredValue[];
}

type Merge = (values: MeasuredValue[]) => number;
const numbers = (values: MeasuredValue[]) => values.map(({ value }) => value ?? Number.NaN);

/** How the same series of several processes becomes one. */
const MERGES: Record<string, Merge> = {
  sum: (values) => numbers(values).reduce((sum, value) => sum + value, 0),
  min: (values) => Math.min(...numbers(values)),
  max: (values) => Math.max(...numbers(values)),
  first: (values) => numbers(values)[0]!,
  average: (values) => MERGES['sum']!(values) / values.length,
};

/**
 * The metrics of several processes as one: series with the same labels are added up, or joined as their metric says. What has no
 * meaning for several processes (`omit`), such as when one was started, stays only where one process alone has it.
 * Unlike prom-client's own joining it keeps exemplars: the newest of each bucket.
 */
export function mergeMetrics(processes: readonly (readonly MeasuredMetric[])[]): MeasuredMetric[] {
  const merged = new Map<string, { metric: MeasuredMetric; series: Map<string, MeasuredValue[]> }>();
  for (const metric of processes.flat()) {
    let known = merged.get(metric.name);
    if (!known) merged.set(metric.name, (known = { metric, series: new Map() }));
    for (const value of metric.values) {
      const key = seriesKey(value);
      const same = known.series.get(key);
      if (same) same.push(value);
      else known.series.set(key, [value]);
    }
  }
  return [...merged.values()].map(({ metric, series }) => ({
    ...metric,
    values: [...series.values()].flatMap((values) => mergeSeries(values, metric.aggregator)),
  }));
}

const seriesKey = ({ metricName, labels }: MeasuredValue) =>
  JSON.stringify([
    metricName,
    ...Object.keys(labels)
      .sort()
      .map((name) => [name, String(labels[name])]),
  ]);

function mergeSeries(values: MeasuredValue[], aggregator: string): MeasuredValue[] {
  if (values.length === 1) return values;
  const merge = MERGES[aggregator];
  if (!merge) return [];
  const exemplars = values.flatMap(({ exemplar }) => exemplar ?? []);
  const newest = exemplars.toSorted((a, b) => b.timestamp - a.timestamp)[0];
  return [{ ...values[0]!, value: merge(values), exemplar: newest ?? null }];
}
