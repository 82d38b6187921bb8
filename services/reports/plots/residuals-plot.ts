import { formatNumber } from '../format-value.js';
import type { ResidualsPlot } from '../report-document.js';
import { thinEvenly } from '../thin-points.js';
import { COLOURS, extentOf, MUTED, roundRange, xAxis, yAxis } from './axes.js';
import { boxes, dots, line, rule } from './marks.js';
import type { PlotKind } from './plot-kind.js';

const MOST_DOTS = 400;

const withUnit = (name: string, unit: string | undefined): string => (unit ? `${name} (${unit})` : name);

/** Residuals against predictions, beside how often each size of residual is met. */
export const residualsPlot: PlotKind<ResidualsPlot> = {
  reading:
    'A dot is one held-out row: how far the truth lies above (or below) the prediction. An even cloud around 0 is good; a bent line of means says where the model errs to one side, a funnel where it is less sure.',
  emptyReason: ({ points }) => (points.length > 0 ? null : 'There are no held-out rows with a truth.'),
  describe: ({ points, trend, unit }) =>
    `Truth minus prediction${unit ? ` in ${unit}` : ''} of ${points.length} rows. Means by rising prediction: ${trend
      .map(({ prediction, residual }) => `${formatNumber(residual)} at ${formatNumber(prediction)}`)
      .join('; ')}.`,
  legend: () => [
    { name: 'a row', colour: COLOURS[0], mark: 'dot' },
    { name: 'mean by prediction', colour: COLOURS[1], mark: 'line' },
    { name: 'rows by residual', colour: COLOURS[0], mark: 'bar' },
  ],
  draw({ points, trend, histogram, unit }) {
    const { lowest, highest } = extentOf([
      0,
      ...points.map((point) => point.residual),
      ...histogram.flatMap(({ lower, upper }) => [lower, upper]),
    ]);
    const range = roundRange(lowest, highest);
    const most = Math.max(1, ...histogram.map((bin) => bin.rows));
    const top = 30;
    const bottom = 44;
    return {
      height: 310,
      option: {
        grid: [
          { left: 48, width: 226, top, bottom },
          { left: 300, right: 14, top, bottom },
        ],
        xAxis: [
          xAxis(withUnit('prediction', unit)),
          { ...xAxis('rows', { gridIndex: 1, min: 0, max: most, interval: most }), splitLine: { show: false } },
        ],
        yAxis: [
          {
            ...yAxis(withUnit('truth − prediction', unit), range),
            axisLine: { onZero: false, lineStyle: { color: MUTED } },
          },
          { ...yAxis('', { ...range, gridIndex: 1 }), axisLabel: { show: false } },
        ],
        series: [
          dots(
            thinEvenly(points, MOST_DOTS).map(({ prediction, residual }) => [prediction, residual]),
            { colour: COLOURS[0], size: 4, opacity: 0.45 },
          ),
          rule(0, { colour: MUTED, along: 'x' }),
          line(
            trend.map(({ prediction, residual }) => [prediction, residual]),
            { colour: COLOURS[1], hasDots: true },
          ),
          boxes(
            histogram.map(({ lower, upper, rows }) => ({ x: [0, rows] as const, y: [lower, upper] as const })),
            { colour: COLOURS[0], opacity: 0.6, xAxisIndex: 1, yAxisIndex: 1 },
          ),
          rule(0, { colour: MUTED, along: 'x', xAxisIndex: 1, yAxisIndex: 1 }),
        ],
      },
    };
  },
  table: ({ histogram, unit }) => ({
    title: withUnit('Rows by residual', unit),
    columns: ['from', 'to', 'rows'],
    rows: histogram.map(({ lower, upper, rows }) => [lower, upper, rows]),
  }),
};
