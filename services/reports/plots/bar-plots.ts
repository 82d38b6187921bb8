import { formatEstimate, formatNumber } from '../format-value.js';
import type { Bar, ComparisonPlot, ImportancePlot, SlicesPlot } from '../report-document.js';
import { BAD, COLOURS, GOOD, MUTED, nameAxis, NAMES_WIDTH, shorten, xAxis } from './axes.js';
import { boxes, dots, rule, whiskers } from './marks.js';
import type { Drawing, PlotKind } from './plot-kind.js';

/** More bars than this are in the table only. */
const MOST_BARS = 25;
const MOST_TABLE_BARS = 500;

const intervalsOf = (bars: readonly Bar[]) =>
  bars.flatMap(({ lower, upper }, at) => (lower === null || upper === null ? [] : [{ at, lower, upper }]));

const list = (bars: readonly Bar[]): string =>
  bars
    .slice(0, 5)
    .map((bar) => `${bar.name} ${formatEstimate(bar)}`)
    .join('; ');

function named(names: readonly string[], measure: string, series: unknown[], left = NAMES_WIDTH): Drawing {
  return {
    height: 62 + 21 * names.length,
    option: {
      grid: { left, right: 18, top: 10, bottom: 44, outerBoundsMode: 'none' },
      xAxis: xAxis(measure),
      yAxis: nameAxis(names),
      series: series as Drawing['option']['series'],
    },
  };
}

const cutNote = (all: number): string | undefined =>
  all > MOST_TABLE_BARS ? `The first ${MOST_TABLE_BARS} of ${all}; all are in the JSON of this report.` : undefined;

export const importancePlot: PlotKind<ImportancePlot> = {
  reading:
    'A bar says how much worse the answers become when the values of that column are shuffled, with its 95 % interval. An interval that reaches 0 is no evidence that the column matters; columns that say the same share what they are worth.',
  emptyReason: ({ bars }) => (bars.length > 0 ? null : 'No column was measured.'),
  describe: ({ measure, bars }) => `Importance of ${bars.length} columns, ${measure}. The largest: ${list(bars)}.`,
  legend: ({ bars }) => [
    { name: 'matters', colour: COLOURS[0], mark: 'bar' },
    ...(bars.some((bar) => !isAboveZero(bar)) ? [{ name: 'no evidence', colour: MUTED, mark: 'bar' as const }] : []),
    ...(bars.length > MOST_BARS
      ? [{ name: `the first ${MOST_BARS} of ${bars.length}`, colour: MUTED, mark: 'none' as const }]
      : []),
  ],
  draw({ bars, measure }) {
    const shown = bars.slice(0, MOST_BARS);
    return named(
      shown.map((bar) => shorten(bar.name)),
      measure,
      [
        ...barSeries(shown, COLOURS[0], (bar) => isAboveZero(bar)),
        ...barSeries(shown, MUTED, (bar) => !isAboveZero(bar)),
        rule(0, { colour: MUTED, along: 'y' }),
        whiskers(intervalsOf(shown), { colour: 'var(--ink)', along: 'x' }),
      ],
    );
  },
  table: ({ bars, measure }) => ({
    title: 'Columns',
    columns: ['column', measure],
    rows: bars.slice(0, MOST_TABLE_BARS).map((bar) => [bar.name, bar]),
    note: cutNote(bars.length),
  }),
};

export const slicesPlot: PlotKind<SlicesPlot> = {
  reading:
    'A dot is one group of held-out rows (how many, in brackets), the worst first, with its 95 % interval; the dashed line is all rows. A group counts as worse or better only where that is more than chance among all groups looked at.',
  emptyReason: ({ slices }) => (slices.length > 0 ? null : 'No group of rows is large enough to be judged by itself.'),
  describe: ({ measure, overall, slices }) =>
    `${measure} by group, ${formatNumber(overall)} overall. ${slices.filter((slice) => slice.verdict === 'worse').length} groups are worse by more than chance. The worst: ${list(slices)}.`,
  legend: ({ overall, slices }) => [
    { name: 'worse', colour: BAD, mark: 'dot' },
    { name: 'like the rest', colour: MUTED, mark: 'dot' },
    ...(slices.some(({ verdict }) => verdict === 'better')
      ? [{ name: 'better', colour: GOOD, mark: 'dot' as const }]
      : []),
    { name: `all rows: ${formatNumber(overall)}`, colour: COLOURS[0], mark: 'dashes' },
  ],
  draw({ slices, measure, overall }) {
    const shown = slices.slice(0, MOST_BARS);
    const of = (verdict: string, colour: string) => {
      const chosen = shown.flatMap((slice, at) => (slice.verdict === verdict ? [{ ...slice, at }] : []));
      return [
        whiskers(
          chosen.flatMap(({ at, lower, upper }) => (lower === null || upper === null ? [] : [{ at, lower, upper }])),
          { colour, along: 'x' },
        ),
        dots(chosen.map(({ value, at }) => [value, at]), { colour, size: 8 }), // prettier-ignore
      ];
    };
    return named(
      shown.map((slice) => `${shorten(slice.name, 18)} (${formatNumber(slice.rows)})`),
      measure,
      [
        rule(overall, { colour: COLOURS[0], along: 'y' }),
        ...of('same', MUTED),
        ...of('better', GOOD),
        ...of('worse', BAD),
        dots([[overall, 0]], { colour: 'transparent', size: 1 }),
      ],
      NAMES_WIDTH + 36,
    );
  },
  table: ({ slices, measure }) => ({
    title: 'Groups',
    columns: ['group', 'rows', measure, 'verdict'],
    rows: slices.slice(0, MOST_TABLE_BARS).map((slice) => [slice.name, slice.rows, slice, slice.verdict]),
    note: cutNote(slices.length),
  }),
};

export const comparisonPlot: PlotKind<ComparisonPlot> = {
  reading:
    'A dot is one way to answer, measured on the same rows, with its 95 % interval where that is known. Where intervals overlap widely the rows do not tell which is better.',
  emptyReason: ({ bars }) => (bars.length > 0 ? null : 'Nothing was compared.'),
  describe: ({ measure, better, bars }) => `${measure}, ${better} is better. ${list(bars)}.`,
  legend: ({ bars, better }) => [
    ...(bars.some((bar) => bar.chosen) ? [{ name: 'chosen', colour: COLOURS[0], mark: 'dot' as const }] : []),
    { name: `${better} is better`, colour: MUTED, mark: 'dot' },
  ],
  draw({ bars, measure }) {
    const shown = bars.slice(0, MOST_BARS);
    const of = (chosen: boolean, colour: string) => {
      const part = shown.flatMap((bar, at) => (Boolean(bar.chosen) === chosen ? [{ ...bar, at }] : []));
      return [
        whiskers(
          part.flatMap(({ at, lower, upper }) => (lower === null || upper === null ? [] : [{ at, lower, upper }])),
          { colour, along: 'x' },
        ),
        dots(part.map(({ value, at }) => [value, at]), { colour, size: 8 }), // prettier-ignore
      ];
    };
    return named(
      shown.map((bar) => shorten(bar.name)),
      measure,
      [...of(false, MUTED), ...of(true, COLOURS[0])],
    );
  },
  table: ({ bars, measure }) => ({
    title: 'Compared',
    columns: ['name', measure, 'chosen'],
    rows: bars.slice(0, MOST_TABLE_BARS).map((bar) => [bar.name, bar, bar.chosen ? 'yes' : '']),
    note: cutNote(bars.length),
  }),
};

/** An interval above 0; without one, a value above 0. */
function isAboveZero({ value, lower }: Bar): boolean {
  return (lower ?? value) > 0;
}

function barSeries(bars: readonly Bar[], colour: string, isWanted: (bar: Bar) => boolean) {
  const rectangles = bars.flatMap((bar, at) =>
    isWanted(bar) ? [{ x: [0, bar.value] as const, y: [at, at] as const }] : [],
  );
  return rectangles.length > 0 ? [boxes(rectangles, { colour, thickness: 12 })] : [];
}
