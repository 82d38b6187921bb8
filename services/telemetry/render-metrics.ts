import type { MeasuredMetric, MeasuredValue } from './merge-metrics.js';

/** The two formats that Prometheus reads, by the types that it asks for. Only the second has exemplars. */
export const METRIC_FORMATS = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;
export type MetricFormat = keyof typeof METRIC_FORMATS;

/** Metrics as Prometheus' text format, or as OpenMetrics 1.0, in which a counter is named without its `_total`. */
export function renderMetrics(metrics: readonly MeasuredMetric[], format: MetricFormat): string {
  const lines = metrics.flatMap((metric) => renderMetric(metric, format === 'openMetrics'));
  if (format === 'openMetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function renderMetric({ name, help, type, values }: MeasuredMetric, isOpenMetrics: boolean): string[] {
  const isCounter = type === 'counter';
  const family = isOpenMetrics && isCounter ? name.replace(/_total$/, '') : name;
  const sampleName = isOpenMetrics && isCounter ? `${family}_total` : name;
  return [
    `# HELP ${family} ${escapeText(help)}`,
    `# TYPE ${family} ${type}`,
    ...values.map((value) => renderSample(value.metricName ?? sampleName, value, isOpenMetrics)),
  ];
}

function renderSample(name: string, { value, labels, exemplar }: MeasuredValue, isOpenMetrics: boolean): string {
  const sample = `${name}${renderLabels(labels)} ${renderNumber(value)}`;
  if (!exemplar || !isOpenMetrics) return sample;
  return `${sample} # ${renderLabels(exemplar.labelSet) || '{}'} ${renderNumber(exemplar.value)} ${exemplar.timestamp}`;
}

function renderLabels(labels: Record<string, string | number>): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeText(String(value)).replaceAll('"', '\\"')}"`,
  );
  return parts.length > 0 ? `{${parts.join(',')}}` : '';
}

const escapeText = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

function renderNumber(value: number | null): string {
  if (value === null || Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
