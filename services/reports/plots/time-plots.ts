import { formatNumber, formatShare, formatTime } from '../format-value.js';
import type { ForecastFanPlot, SeriesAnomaliesPlot, TimedBand, TimedValue } from '../report-document.js';
import { MOST_TIMES, thinEvenly, thinPoints } from '../thin-points.js';
import { BAD, COLOURS, extentOf, INK, MUTED, timeAxis, yAxis } from './axes.js';
import { band, boxes, dots, line, rule } from './marks.js';
import { MOST_TABLE_ROWS, thinnedNote, type Drawing, type LegendEntry, type PlotKind } from './plot-kind.js';

const MOST_INCIDENTS = 200;
const MOST_MARKED = 300;

const timeOf = ({ at }: { at: string }): number => Date.parse(at);

type Point = [number, number | null];

/** Points of a line, thinned out; a thinned line has no gaps left in it but where it had two in a row. */
function lineOf(values: readonly TimedValue[]): Point[] {
  const points = values.map((value): Point => [timeOf(value), value.value]).filter(([time]) => Number.isFinite(time));
  return thinPoints(
    points,
    ([time]) => time,
    ([, value]) => value ?? 0,
    MOST_TIMES,
  );
}

const bandOf = (points: readonly TimedBand[]) =>
  thinEvenly(points, MOST_TIMES).map((point) => ({ x: timeOf(point), lower: point.lower, upper: point.upper }));

function overTime(unit: string | undefined, series: unknown[]): Drawing {
  return {
    height: 280,
    option: {
      grid: { left: 46, right: 18, top: 30, bottom: 28 },
      xAxis: timeAxis(),
      yAxis: yAxis(unit ?? 'value'),
      series: series as Drawing['option']['series'],
    },
  };
}

const ends = (values: readonly { at: string }[]): string =>
  values.length > 0 ? `${formatTime(values[0]!.at)} to ${formatTime(values.at(-1)!.at)}` : 'no times';

/** Wider intervals are drawn first, and paler. */
const opacityOf = (index: number, count: number): number => 0.16 + 0.22 * (1 - (index + 1) / Math.max(1, count));

const intervalEntry = (bands: ForecastFanPlot['bands']): LegendEntry => ({
  name: `interval of ${bands.map(({ level }) => formatShare(level)).join(', of ')}`,
  colour: COLOURS[0],
  mark: 'band',
});

export const forecastFanPlot: PlotKind<ForecastFanPlot> = {
  reading:
    'The line is what was measured, its continuation the forecast; the truth should lie within the band of 80 % four times in five. A band that widens fast says how far ahead the forecast is worth something.',
  emptyReason: ({ forecast, history }) =>
    forecast.length + history.length > 0 ? null : 'There is neither a history nor a forecast.',
  describe: ({ history, forecast, bands, unit }) => {
    const last = forecast.at(-1);
    const widest = bands.at(-1);
    const end = widest?.points.at(-1);
    return `Measured ${ends(history)}, forecast ${ends(forecast)}${unit ? ` in ${unit}` : ''}.${last ? ` It ends at ${formatNumber(last.value)}${end ? `, between ${formatNumber(end.lower)} and ${formatNumber(end.upper)} with ${formatShare(widest!.level)}` : ''}.` : ''}`;
  },
  legend: ({ bands, actual }) => [
    { name: 'measured', colour: INK, mark: 'line' },
    ...(actual && actual.length > 0 ? [{ name: 'what came', colour: COLOURS[1], mark: 'line' as const }] : []),
    { name: 'forecast', colour: COLOURS[0], mark: 'line' },
    ...(bands.length > 0 ? [intervalEntry(bands)] : []),
  ],
  draw({ history, forecast, bands, actual = [], unit }) {
    const last = history.findLast((value) => value.value !== null);
    const start = timeOf(forecast[0] ?? { at: '' });
    return overTime(unit, [
      ...[...bands]
        .reverse()
        .map(({ points }, index) =>
          band(bandOf(points), { colour: COLOURS[0], opacity: opacityOf(bands.length - 1 - index, bands.length) }),
        ),
      ...(Number.isFinite(start) && last ? [rule(timeOf(last), { colour: MUTED, along: 'y', type: 'dotted' })] : []),
      line(lineOf(history), { colour: INK, width: 1.5 }),
      line(lineOf(actual), { colour: COLOURS[1], width: 1.5 }),
      line(lineOf(forecast), { colour: COLOURS[0] }),
    ]);
  },
  table({ history, forecast, bands, actual = [] }) {
    const came = new Map(actual.map(({ at, value }) => [at, value]));
    const widths = bands.map(({ points }) => new Map(points.map((point) => [point.at, point])));
    const shown = thinEvenly(forecast, MOST_TABLE_ROWS);
    return {
      title: 'Forecast',
      columns: [
        'time',
        'forecast',
        ...bands.flatMap(({ level }) => [`${formatShare(level)} from`, 'to']),
        ...(actual.length > 0 ? ['came'] : []),
      ],
      rows: shown.map(({ at, value }) => [
        formatTime(at),
        value,
        ...widths.flatMap((points) => [points.get(at)?.lower ?? null, points.get(at)?.upper ?? null]),
        ...(actual.length > 0 ? [came.get(at) ?? null] : []),
      ]),
      note: thinnedNote(shown.length, forecast.length) ?? `After ${history.length} measured values.`,
    };
  },
};

export const seriesAnomaliesPlot: PlotKind<SeriesAnomaliesPlot> = {
  reading:
    'The line is what was measured, the band what the model expects; a diamond is a value it calls abnormal. Shaded stretches are incidents that people recorded: diamonds should stand in them, and seldom elsewhere.',
  emptyReason: ({ values }) => (values.length > 0 ? null : 'There are no measured values.'),
  describe: ({ values, anomalies, incidents }) =>
    `Measured ${ends(values)}: ${anomalies.length} abnormal values, ${incidents.length} recorded incidents.`,
  legend: ({ expected, anomalies, incidents }) => [
    { name: 'measured', colour: INK, mark: 'line' },
    ...(expected.length > 0 ? [{ name: 'expected', colour: COLOURS[0], mark: 'band' as const }] : []),
    ...(anomalies.length > 0 ? [{ name: 'called abnormal', colour: BAD, mark: 'dot' as const }] : []),
    ...(incidents.length > 0 ? [{ name: 'recorded incident', colour: COLOURS[1], mark: 'band' as const }] : []),
  ],
  draw({ values, expected, anomalies, incidents, unit }) {
    const { lowest, highest } = extentOf([
      ...values.map(({ value }) => value),
      ...expected.flatMap(({ lower, upper }) => [lower, upper]),
    ]);
    return overTime(unit, [
      boxes(
        incidents
          .slice(0, MOST_INCIDENTS)
          .map(({ from, to }) => ({ x: [Date.parse(from), Date.parse(to)] as const, y: [lowest, highest] as const })),
        { colour: COLOURS[1], opacity: 0.25 },
      ),
      band(bandOf(expected), { colour: COLOURS[0], opacity: 0.25 }),
      line(lineOf(values), { colour: INK, width: 1.2 }),
      dots(
        [...anomalies]
          .sort((a, b) => b.score - a.score)
          .slice(0, MOST_MARKED)
          .map((anomaly) => [timeOf(anomaly), anomaly.value]),
        { colour: BAD, size: 9, symbol: 'diamond', z: 5 },
      ),
    ]);
  },
  table({ anomalies }) {
    const shown = [...anomalies].sort((a, b) => b.score - a.score).slice(0, MOST_TABLE_ROWS);
    return {
      title: 'The most abnormal values first',
      columns: ['time', 'value', 'score'],
      rows: shown.map(({ at, value, score }) => [formatTime(at), value, score]),
      note: thinnedNote(shown.length, anomalies.length),
    };
  },
};
