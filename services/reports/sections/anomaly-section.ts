import { MOST_TIMES, thinPoints } from '../thin-points.js';
import type { ReportSection, ReportTable, SeriesAnomaliesPlot } from '../report-document.js';

/** One measured series with what was found in it. */
export type AnomalySeries = Omit<SeriesAnomaliesPlot, 'kind' | 'title' | 'reading'> & { series: string };

/** What was called abnormal, beside what people recorded. */
export function anomalySection(input: {
  head: string;
  text: string;
  series: readonly AnomalySeries[];
  tables?: readonly ReportTable[];
}): ReportSection {
  return {
    title: `What is abnormal in ${input.head}`,
    text: input.text,
    plots: input.series.map(({ series, ...rest }) => ({
      kind: 'series_anomalies',
      title: series,
      ...thinSeries(rest),
    })),
    tables: [...(input.tables ?? [])],
  };
}

/** Years of minutes would make a report of megabytes: the shape is kept, and what is expected at the times that are kept. */
function thinSeries<T extends Pick<AnomalySeries, 'values' | 'expected'>>(series: T): T {
  const values = thinPoints(
    series.values,
    ({ at }) => Date.parse(at),
    ({ value }) => value ?? 0,
    MOST_TIMES,
  );
  const kept = new Set(values.map(({ at }) => at));
  return { ...series, values, expected: series.expected.filter(({ at }) => kept.has(at)) };
}
