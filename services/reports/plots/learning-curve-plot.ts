import { formatNumber } from '../format-value.js';
import type { LearningCurvePlot } from '../report-document.js';
import { thinEvenly, thinPoints } from '../thin-points.js';
import { colourOf, GOOD, xAxis, yAxis } from './axes.js';
import { band, line, rule } from './marks.js';
import { MOST_TABLE_ROWS, thinnedNote, type PlotKind } from './plot-kind.js';

const axisName = ({ by }: LearningCurvePlot): string => (by === 'rows' ? 'training rows' : 'rounds');

export const learningCurvePlot: PlotKind<LearningCurvePlot> = {
  reading:
    'How good the answers become with more to learn from; lower is better. A line on unseen rows that still falls at its end would gain from more; one that rises again while the training line falls has begun to learn by heart.',
  emptyReason: ({ curves }) =>
    curves.some(({ points }) => points.length > 0) ? null : 'The fit kept no record of its progress.',
  describe: (plot) =>
    `${plot.measure} by ${axisName(plot)}. ${plot.curves
      .filter(({ points }) => points.length > 0)
      .map(
        ({ name, points }) =>
          `${name}: from ${formatNumber(points[0]!.value)} at ${formatNumber(points[0]!.at)} to ${formatNumber(points.at(-1)!.value)} at ${formatNumber(points.at(-1)!.at)}`,
      )
      .join('; ')}.`,
  legend: ({ curves, chosen }) => [
    ...curves.map(({ name, is_validation: unseen }, index) => ({
      name,
      colour: colourOf(index),
      mark: unseen ? ('line' as const) : ('dashes' as const),
    })),
    ...(chosen === undefined ? [] : [{ name: `kept: ${formatNumber(chosen)}`, colour: GOOD, mark: 'dashes' as const }]),
  ],
  draw(plot) {
    return {
      height: 290,
      option: {
        grid: { left: 46, right: 18, top: 30, bottom: 44 },
        xAxis: xAxis(axisName(plot)),
        yAxis: yAxis(plot.measure),
        series: [
          ...plot.curves.map(({ points }, index) =>
            band(
              thinEvenly(points, 200).flatMap(({ at, lower, upper }) =>
                typeof lower === 'number' && typeof upper === 'number' ? [{ x: at, lower, upper }] : [],
              ),
              { colour: colourOf(index), opacity: 0.18 },
            ),
          ),
          ...(plot.chosen === undefined ? [] : [rule(plot.chosen, { colour: GOOD, along: 'y' as const })]),
          ...plot.curves.map(({ points, is_validation: unseen }, index) =>
            line(
              thinPoints(
                points,
                (point) => point.at,
                (point) => point.value,
              ).map(({ at, value }) => [at, value]),
              { colour: colourOf(index), type: unseen ? 'solid' : 'dashed', hasDots: points.length <= 12 },
            ),
          ),
        ],
      },
    };
  },
  table({ curves, measure, ...plot }) {
    const all = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
    const shown = thinEvenly(all, MOST_TABLE_ROWS);
    return {
      title: 'Learning curve',
      columns: ['curve', plot.by === 'rows' ? 'training rows' : 'round', measure],
      rows: shown.map(({ name, at, value, lower = null, upper = null }) => [name, at, { value, lower, upper }]),
      note: thinnedNote(shown.length, all.length),
    };
  },
};
