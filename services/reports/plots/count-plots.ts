import type { CustomSeriesOption } from 'echarts';
import { formatNumber, formatShare } from '../format-value.js';
import type { ConfusionPlot, HistogramPlot } from '../report-document.js';
import { colourOf, COLOURS, FONT_SIZE, FONT_FAMILY, INK, nameAxis, roundRange, shorten, xAxis, yAxis } from './axes.js';
import { boxes, line } from './marks.js';
import type { PlotKind } from './plot-kind.js';

/** With more classes a cell has no room for a number. */
const MOST_LABELLED = 8;
/** The fullest cell; more would take the contrast from the number in it. */
const DARKEST = 0.55;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const confusionPlot: PlotKind<ConfusionPlot> = {
  reading:
    'Each line is a true class, each column an answered one; a cell counts the rows, and says their share of the line. Off the diagonal stand the mistakes: which class is taken for which.',
  emptyReason: ({ counts }) =>
    counts.some((line) => sum(line) > 0) ? null : 'There are no held-out rows with an answer.',
  describe: ({ classes, counts }) =>
    `Truth against answer. ${classes
      .map((name, index) => {
        const line = counts[index] ?? [];
        return sum(line) > 0 ? `${name}: ${formatShare((line[index] ?? 0) / sum(line))} right of ${sum(line)}` : '';
      })
      .filter((text) => text !== '')
      .join('; ')}.`,
  legend: () => [{ name: 'share of the line', colour: COLOURS[0], mark: 'band' }],
  draw({ classes, counts }) {
    const isCrowded = classes.length > 5;
    const top = isCrowded ? 110 : 50;
    const size = Math.max(26, Math.min(64, 264 / classes.length));
    const names = classes.map((name) => shorten(name, 13));
    const label = { color: INK, fontSize: FONT_SIZE, interval: 0 } as const;
    return {
      height: top + 14 + size * classes.length,
      option: {
        grid: { left: 110, right: 14, top, bottom: 14, outerBoundsMode: 'none' },
        xAxis: {
          type: 'category',
          position: 'top',
          data: isCrowded ? names : names.map((name) => shorten(name, Math.floor(38 / classes.length))),
          name: 'answered',
          nameLocation: 'middle',
          nameGap: isCrowded ? 88 : 26,
          nameTextStyle: { color: 'var(--muted)', fontSize: FONT_SIZE },
          axisLine: { show: false },
          axisTick: { show: false },
          axisLabel: { ...label, rotate: isCrowded ? 90 : 0 },
        },
        yAxis: {
          ...nameAxis(names),
          name: 'true',
          nameLocation: 'start',
          nameGap: 12,
          nameTextStyle: { color: 'var(--muted)', fontSize: FONT_SIZE, align: 'right', padding: [0, 8, 0, 0] },
          axisLine: { show: false },
          axisLabel: label,
        } as ReturnType<typeof nameAxis>,
        series: [cells(classes.length, counts)],
      },
    };
  },
  table: ({ classes, counts }) => ({
    title: 'Rows by truth (lines) and answer (columns)',
    columns: ['true', ...classes],
    rows: counts.map((line, index) => [classes[index] ?? '', ...line]),
  }),
};

function cells(classes: number, counts: readonly (readonly number[])[]): CustomSeriesOption {
  const flat = counts.flatMap((line, truth) =>
    line.map((rows, answer) => ({ truth, answer, rows, share: rows / Math.max(1, sum(line)) })),
  );
  return {
    type: 'custom',
    silent: true,
    data: flat.map(({ truth, answer }) => [answer, truth]),
    encode: { x: 0, y: 1 },
    renderItem: (params, api) => {
      const cell = flat[params.dataIndex]!;
      const [x, y] = api.coord([cell.answer, cell.truth]) as [number, number];
      const [width, height] = api.size!([1, 1]) as [number, number];
      const shape = { x: x - width / 2 + 1, y: y - height / 2 + 1, width: width - 2, height: height - 2 };
      const text = `${formatNumber(cell.rows)}\n${formatShare(Number(cell.share.toFixed(3)))}`;
      return {
        type: 'group',
        children: [
          { type: 'rect', shape, style: { fill: COLOURS[0], opacity: 0.06 + (DARKEST - 0.06) * cell.share } },
          ...(classes <= MOST_LABELLED
            ? [
                {
                  type: 'text' as const,
                  style: {
                    text,
                    x,
                    y,
                    fill: INK,
                    align: 'center' as const,
                    verticalAlign: 'middle' as const,
                    fontSize: FONT_SIZE,
                    fontFamily: FONT_FAMILY,
                    lineHeight: 15,
                  },
                },
              ]
            : []),
        ],
      };
    },
  };
}

/** More than two groups of bars on top of each other make a mud. */
const areOutlines = (groups: HistogramPlot['groups']): boolean => groups.length > 2;

function outline(shares: readonly number[], edges: readonly number[], colour: string) {
  const steps = shares.map((share, bin) => [edges[bin]!, share] as const);
  return line([[edges[0]!, 0], ...steps, [edges[shares.length]!, 0]], { colour, width: 1.5, step: 'end' });
}

export const histogramPlot: PlotKind<HistogramPlot> = {
  reading:
    'How the values are spread, as shares within each group, so that small groups can be seen too. Groups that hardly overlap are told apart well.',
  emptyReason: ({ groups }) => (groups.some(({ counts }) => sum(counts) > 0) ? null : 'There are no rows to count.'),
  describe: ({ measure, groups, edges }) =>
    `Spread of ${measure}. ${groups
      .filter(({ counts }) => sum(counts) > 0)
      .map(({ name, counts }) => {
        const fullest = counts.indexOf(Math.max(...counts));
        return `${name}: ${sum(counts)} rows, most between ${formatNumber(edges[fullest])} and ${formatNumber(edges[fullest + 1])}`;
      })
      .join('; ')}.`,
  legend: ({ groups }) =>
    groups.map(({ name, counts }, index) => ({
      name: `${name} (${formatNumber(sum(counts))} rows)`,
      colour: colourOf(index),
      mark: areOutlines(groups) ? 'line' : 'bar',
    })),
  draw({ measure, groups, edges }) {
    const [first = 0, last = 1] = [edges[0], edges.at(-1)];
    const range = first === 0 && last === 1 ? { min: 0, max: 1, interval: 0.25 } : roundRange(first, last);
    return {
      height: 280,
      option: {
        grid: { left: 46, right: 16, top: 30, bottom: 44 },
        xAxis: xAxis(measure, range),
        yAxis: yAxis('share of the group', { min: 0 }),
        series: groups.map(({ counts }, index) => {
          const total = Math.max(1, sum(counts));
          const shares = counts.map((count) => count / total);
          if (areOutlines(groups)) return outline(shares, edges, colourOf(index));
          const rectangles = shares.map((share, bin) => ({
            x: [edges[bin]!, edges[bin + 1]!] as const,
            y: [0, share] as const,
          }));
          return boxes(rectangles, { colour: colourOf(index), opacity: groups.length > 1 ? 0.5 : 0.8, gap: 1 });
        }),
      },
    };
  },
  table: ({ groups, edges }) => ({
    title: 'Rows by value',
    columns: ['from', 'to', ...groups.map((group) => group.name)],
    rows: edges.slice(1).map((upper, bin) => [edges[bin]!, upper, ...groups.map(({ counts }) => counts[bin] ?? 0)]),
  }),
};
