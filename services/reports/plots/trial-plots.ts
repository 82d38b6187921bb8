import { formatNumber } from '../format-value.js';
import type { OptimisationHistoryPlot, ParallelCoordinatesPlot } from '../report-document.js';
import { thinEvenly } from '../thin-points.js';
import { COLOURS, FONT_SIZE, MUTED, shorten, xAxis, yAxis } from './axes.js';
import { dots, line } from './marks.js';
import { MOST_TABLE_ROWS, thinnedNote, type PlotKind } from './plot-kind.js';

/** The best value up to and with each run. */
export function bestSoFar({ points, better }: OptimisationHistoryPlot): number[] {
  let best = better === 'higher' ? -Infinity : Infinity;
  return points.map(({ value }) => (best = better === 'higher' ? Math.max(best, value) : Math.min(best, value)));
}

export const optimisationHistoryPlot: PlotKind<OptimisationHistoryPlot> = {
  reading:
    'A dot is one run, in the order in which they began; the line is the best up to then. A line that has been flat for long says that more of the same will hardly help.',
  emptyReason: ({ points }) => (points.length > 0 ? null : 'No run has a value.'),
  describe: (plot) =>
    `${plot.measure} of ${plot.points.length} runs in their order, ${plot.better} is better. The best is ${formatNumber(bestSoFar(plot).at(-1)!)}.`,
  legend: () => [
    { name: 'a run', colour: COLOURS[0], mark: 'dot' },
    { name: 'the best so far', colour: COLOURS[1], mark: 'line' },
  ],
  draw(plot) {
    const best = bestSoFar(plot);
    return {
      height: 290,
      option: {
        grid: { left: 46, right: 18, top: 30, bottom: 44 },
        xAxis: xAxis('runs'),
        yAxis: yAxis(plot.measure),
        series: [
          dots(
            plot.points.map(({ value }, at) => [at + 1, value]),
            { colour: COLOURS[0], size: 6, opacity: 0.7 },
          ),
          line(
            best.map((value, at) => [at + 1, value]),
            { colour: COLOURS[1], step: 'end' },
          ),
        ],
      },
    };
  },
  table(plot) {
    const best = bestSoFar(plot);
    const all = plot.points.map(({ name, value }, at) => [at + 1, name, value, best[at]!]);
    const rows = thinEvenly(all, MOST_TABLE_ROWS);
    return {
      title: 'Runs in their order',
      columns: ['', 'run', plot.measure, 'best so far'],
      rows,
      note: thinnedNote(rows.length, all.length),
    };
  },
};

/** Lines beyond this hide each other. */
const MOST_LINES = 300;

/** Where a value stands on its axis: 0 at the bottom, 1 at the top; in the middle where all are the same. */
function heightOf(axis: ParallelCoordinatesPlot['axes'][number], value: number | null): number | null {
  if (value === null) return null;
  return axis.highest > axis.lowest ? (value - axis.lowest) / (axis.highest - axis.lowest) : 0.5;
}

const nameOf = ({ names }: ParallelCoordinatesPlot['axes'][number], value: number): string =>
  names?.[value] ?? formatNumber(value);

const endsOf = (axis: ParallelCoordinatesPlot['axes'][number]): string =>
  `${shorten(nameOf(axis, axis.highest), 9)}\n${shorten(nameOf(axis, axis.lowest), 9)}`;

export const parallelCoordinatesPlot: PlotKind<ParallelCoordinatesPlot> = {
  reading:
    'A line is one run; on each axis it passes through the value that the run had, up to the axis of the measure at the right. The best tenth stands out. Below each axis stand its name and its upper and lower end. Where the coloured lines come together, the value of that parameter matters.',
  emptyReason: ({ axes, lines }) =>
    lines.length === 0 ? 'No run has a value.' : axes.length < 2 ? 'No parameter differs between the runs.' : null,
  describe: ({ axes, lines, better }) =>
    `${lines.length} runs across ${axes.map(({ name }) => name).join(', ')}; ${better} is better on the last.`,
  legend: () => [
    { name: 'the best tenth', colour: COLOURS[1], mark: 'line' },
    { name: 'the others', colour: MUTED, mark: 'line' },
  ],
  draw({ axes, lines, better }) {
    const measureOf = (values: readonly (number | null)[]) => (values.at(-1) ?? 0) * (better === 'higher' ? -1 : 1);
    const sorted = [...lines].sort((a, b) => measureOf(a.values) - measureOf(b.values));
    const best = sorted.slice(0, Math.max(1, Math.ceil(sorted.length / 10)));
    const others = thinEvenly(sorted.slice(best.length), MOST_LINES);
    const drawn = (of: typeof lines, colour: string, width: number, z: number) =>
      of.map(({ values }) =>
        line(
          values.map((value, at) => [at, heightOf(axes[at]!, value)]),
          { colour, width, z },
        ),
      );
    return {
      height: 320,
      option: {
        grid: { left: 34, right: 34, top: 14, bottom: 70 },
        xAxis: {
          type: 'value',
          min: 0,
          max: axes.length - 1,
          interval: 1,
          axisTick: { show: false },
          axisLine: { show: false },
          splitLine: { show: true, lineStyle: { color: MUTED } },
          axisLabel: {
            color: MUTED,
            fontSize: FONT_SIZE - 1,
            lineHeight: 14,
            formatter: (at: number) => (axes[at] ? `${shorten(axes[at].name, 11)}\n${endsOf(axes[at])}` : ''),
          },
        },
        yAxis: { type: 'value', min: 0, max: 1, show: false },
        series: [...drawn(others, 'var(--line)', 1, 1), ...drawn(best, COLOURS[1], 1.5, 2)],
      },
    };
  },
  table({ axes, lines }) {
    const rows = thinEvenly(lines, MOST_TABLE_ROWS).map(({ name, values }) => [
      name,
      ...values.map((value, at) => (value === null ? null : axes[at]!.names ? nameOf(axes[at]!, value) : value)),
    ]);
    return {
      title: 'Runs',
      columns: ['run', ...axes.map(({ name }) => name)],
      rows,
      note: thinnedNote(rows.length, lines.length),
    };
  },
};
