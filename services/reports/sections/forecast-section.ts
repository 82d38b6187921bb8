import { formatNumber, formatShare } from '../format-value.js';
import type { ForecastFanPlot, ReportSection, ReportTable } from '../report-document.js';

/** One series with its forecast. */
export type ForecastSeries = Omit<ForecastFanPlot, 'kind' | 'title' | 'reading'> & { series: string };

/** History shown before the forecast, in lengths of the forecast: the season can be seen, and the fan is not squeezed. */
const HISTORY_LENGTHS = 4;
const LEAST_HISTORY = 30;

/**
 * Forecast fans of some series, such as the last stretch that was held back.
 * @param coverage share of truths within each interval, over all series and origins
 */
export function forecastSection(input: {
  head: string;
  series: readonly ForecastSeries[];
  coverage?: readonly { level: number; inside: number; points: number }[];
  tables?: readonly ReportTable[];
}): ReportSection {
  const { head, series, coverage = [], tables = [] } = input;
  const text = coverage.map(
    ({ level, inside, points }) =>
      `${formatShare(inside)} of ${formatNumber(points)} truths lay within the interval of ${formatShare(level)}.`,
  );
  return {
    title: `How ${head} goes on`,
    text: text.join(' '),
    plots: series.map(({ series: name, history, ...rest }) => ({
      kind: 'forecast_fan',
      title: name,
      history: history.slice(-Math.max(LEAST_HISTORY, HISTORY_LENGTHS * rest.forecast.length)),
      ...rest,
    })),
    tables: [...tables],
  };
}
