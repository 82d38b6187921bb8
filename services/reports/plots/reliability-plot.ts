import { formatShare } from '../format-value.js';
import type { ReliabilityPlot } from '../report-document.js';
import { COLOURS, MUTED, xAxis, yAxis } from './axes.js';
import { boxes, dots, line, whiskers } from './marks.js';
import type { PlotKind } from './plot-kind.js';

const UNIT = { min: 0, max: 1, interval: 0.25 };

type Filled = ReliabilityPlot['bins'][number] & { stated: number; observed: { value: number } };

const filledBins = ({ bins }: ReliabilityPlot): Filled[] =>
  bins.filter((bin): bin is Filled => bin.stated !== null && bin.observed.value !== null);

/** Stated probabilities against what came true, above how many rows each bin has. */
export const reliabilityPlot: PlotKind<ReliabilityPlot> = {
  reading:
    'Rows are put together by the probability stated for them; a dot says how many of them came true, with its 95 % interval. On the diagonal a stated 70 % happens 7 times in 10; below it the model is too sure, above it too careful. The bars count the rows of each bin.',
  emptyReason: (plot) => (filledBins(plot).length > 0 ? null : 'There are no held-out rows with a probability.'),
  describe: (plot) =>
    `Reliability of ${plot.event}. ${filledBins(plot)
      .map(({ stated, observed }) => `stated ${formatShare(stated)}, came true ${formatShare(observed.value)}`)
      .join('; ')}.`,
  legend: ({ event }) => [
    { name: event, colour: COLOURS[0], mark: 'dot' },
    { name: 'stated = came true', colour: MUTED, mark: 'dashes' },
    { name: 'rows', colour: MUTED, mark: 'bar' },
  ],
  draw(plot) {
    const filled = filledBins(plot);
    const points = filled.map(({ stated, observed }) => [stated, observed.value] as const);
    const intervals = filled.flatMap(({ stated, observed: { lower, upper } }) =>
      lower === null || upper === null ? [] : [{ at: stated, lower, upper }],
    );
    const most = Math.max(...plot.bins.map((bin) => bin.rows));
    return {
      height: 370,
      option: {
        grid: [
          { left: 40, right: 16, top: 30, height: 220 },
          { left: 40, right: 16, top: 284, height: 44 },
        ],
        xAxis: [
          { ...xAxis('', UNIT), axisLabel: { show: false } },
          xAxis('stated probability', { ...UNIT, gridIndex: 1 }),
        ],
        yAxis: [yAxis('came true', UNIT), yAxis('rows', { gridIndex: 1, min: 0, max: most, interval: most })],
        series: [
          line([[0, 0], [1, 1]], { colour: MUTED, width: 1, type: 'dashed' }), // prettier-ignore
          line(points, { colour: COLOURS[0], width: 1.5 }),
          whiskers(intervals, { colour: COLOURS[0], along: 'y' }),
          dots(points, { colour: COLOURS[0], size: 7 }),
          boxes(
            plot.bins.map(({ lower, upper, rows }) => ({ x: [lower, upper] as const, y: [0, rows] as const })),
            { colour: MUTED, opacity: 0.6, gap: 2, xAxisIndex: 1, yAxisIndex: 1 },
          ),
        ],
      },
    };
  },
  table: ({ bins }) => ({
    title: 'Bins',
    columns: ['from', 'to', 'rows', 'stated', 'came true'],
    rows: bins.map(({ lower, upper, rows, stated, observed }) => [lower, upper, rows, stated, observed]),
  }),
};
