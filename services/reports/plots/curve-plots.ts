import { formatEstimate, formatNumber, formatShare } from '../format-value.js';
import type { PrecisionRecallPlot, RocPlot } from '../report-document.js';
import { thinEvenly, thinPoints } from '../thin-points.js';
import { colourOf, dashOf, MUTED, xAxis, yAxis } from './axes.js';
import { line } from './marks.js';
import { MOST_TABLE_ROWS, thinnedNote, type Drawing, type PlotKind } from './plot-kind.js';

const UNIT = { min: 0, max: 1, interval: 0.25 };

function unitSquare(x: string, y: string, series: unknown[]): Drawing {
  return {
    height: 330,
    option: {
      grid: { left: 40, right: 16, top: 30, bottom: 44 },
      xAxis: xAxis(x, UNIT),
      yAxis: yAxis(y, UNIT),
      series: series as Drawing['option']['series'],
    },
  };
}

export const rocPlot: PlotKind<RocPlot> = {
  reading:
    'Each point is one threshold: how many of the true cases are found, against how many of the others are taken for one. The further the line bends to the upper left, the better; the dashed diagonal is guessing.',
  emptyReason: ({ curves }) =>
    curves.some(({ points }) => points.length > 1)
      ? null
      : 'The held-out rows are all of one class, so nothing can be told apart.',
  describe: ({ curves }) =>
    `ROC curve. ${curves.map(({ name, area }) => `${name}: area ${formatEstimate(area)}`).join('; ')}. Guessing has the area 0.5.`,
  legend: ({ curves }) => [
    ...curves.map(({ name, area }, index) => ({
      name: `${name}: area ${formatEstimate(area)}`,
      colour: colourOf(index),
      mark: dashOf(index) === 'solid' ? ('line' as const) : ('dashes' as const),
    })),
    { name: 'guessing', colour: MUTED, mark: 'dashes' },
  ],
  draw({ curves }) {
    const diagonal = line([[0, 0], [1, 1]], { colour: MUTED, width: 1, type: 'dashed' }); // prettier-ignore
    return unitSquare('false positive rate', 'true positive rate', [
      diagonal,
      ...curves.map(({ points }, index) =>
        line(
          thinPoints(
            points,
            (point) => point.false_positive_rate,
            (point) => point.true_positive_rate,
          ).map((point) => [point.false_positive_rate, point.true_positive_rate]),
          { colour: colourOf(index), type: dashOf(index) },
        ),
      ),
    ]);
  },
  table({ curves }) {
    const all = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
    const shown = thinEvenly(all, MOST_TABLE_ROWS);
    return {
      title: 'ROC points',
      columns: ['class', 'threshold', 'false positive rate', 'true positive rate'],
      rows: shown.map((point) => [point.name, point.threshold, point.false_positive_rate, point.true_positive_rate]),
      note: thinnedNote(shown.length, all.length),
    };
  },
};

export const precisionRecallPlot: PlotKind<PrecisionRecallPlot> = {
  reading:
    'Each point is one threshold: which share of the rows taken is right, against which share of the true cases is found. Higher is better; the dotted line is the precision of taking rows at random.',
  emptyReason: ({ curves }) =>
    curves.some(({ points }) => points.length > 0) ? null : 'No held-out row is a true case, so none can be found.',
  describe: ({ curves }) =>
    `Precision against recall. ${curves
      .map(
        ({ name, average_precision: precision, base_rate: base }) =>
          `${name}: average precision ${formatNumber(precision)}, at random ${formatShare(base)}`,
      )
      .join('; ')}.`,
  legend: ({ curves }) =>
    curves.map(({ name, average_precision: precision, base_rate: base }, index) => ({
      name: `${name}: average precision ${formatNumber(precision)} (at random ${formatNumber(base)})`,
      colour: colourOf(index),
      mark: dashOf(index) === 'solid' ? ('line' as const) : ('dashes' as const),
    })),
  draw: ({ curves }) =>
    unitSquare('recall', 'precision', [
      ...curves.map(
        ({ base_rate: base }, index) =>
        line([[0, base], [1, base]], { colour: colourOf(index), width: 1, type: 'dotted' }), // prettier-ignore
      ),
      ...curves.map(({ points }, index) =>
        line(
          thinPoints(
            points,
            (point) => point.recall,
            (point) => point.precision,
          ).map((point) => [point.recall, point.precision]),
          { colour: colourOf(index), type: dashOf(index) },
        ),
      ),
    ]),
  table({ curves }) {
    const all = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
    const shown = thinEvenly(all, MOST_TABLE_ROWS);
    return {
      title: 'Precision and recall',
      columns: ['class', 'threshold', 'precision', 'recall'],
      rows: shown.map((point) => [point.name, point.threshold, point.precision, point.recall]),
      note: thinnedNote(shown.length, all.length),
    };
  },
};
