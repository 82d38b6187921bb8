import { summariseResiduals } from '../../../ml/evaluate/residuals.js';
import { formatEstimate } from '../format-value.js';
import type { ReportSection, ResidualsPlot } from '../report-document.js';

const BINS = 24;

/**
 * Residuals against predictions, and how large they are.
 * @param input.seed draws the rows that are shown as dots
 * @param input.unit of truths and predictions, such as `days`
 * @throws RangeError for lengths that differ, or a number that is not finite
 */
export function regressionSection(input: {
  head: string;
  predictions: Float64Array;
  targets: Float64Array;
  seed: number;
  unit?: string;
}): ReportSection {
  const { head, predictions, targets, unit } = input;
  const title = `How well ${head} is answered`;
  const plot = { kind: 'residuals', title: 'Residuals', unit } as const;
  if (targets.length === 0)
    return {
      title,
      text: 'No row was held out, so nothing can be said.',
      plots: [{ ...plot, points: [], trend: [], histogram: [] }],
      tables: [],
    };
  const summary = summariseResiduals(input);
  const errors = targets.map((target, row) => target - predictions[row]!);
  const half = (1.96 * Math.sqrt(errors.reduce((sum, error) => sum + (error - summary.bias) ** 2, 0))) / errors.length;
  const bias = { value: summary.bias, lower: summary.bias - half, upper: summary.bias + half };
  return {
    title,
    text: `On ${summary.rows.toLocaleString('en-US')} held-out rows. On average the truth lies ${formatEstimate(bias)}${unit ? ` ${unit}` : ''} above the prediction.`,
    plots: [
      {
        ...plot,
        points: summary.points,
        trend: summary.byPrediction.map(({ prediction, meanResidual }) => ({ prediction, residual: meanResidual })),
        histogram: histogramOf(errors),
      },
    ],
    tables: [
      {
        title: 'How far the truth lies from the prediction',
        columns: ['share of the rows', `truth − prediction at most${unit ? ` (${unit})` : ''}`],
        rows: summary.quantiles.map(({ p, residual }) => [`${Math.round(p * 100)} %`, residual]),
      },
    ],
  };
}

function histogramOf(residuals: Float64Array): ResidualsPlot['histogram'] {
  const sorted = residuals.slice().sort();
  const [lowest, highest] = [sorted[0]!, sorted.at(-1)!];
  const bins = highest > lowest ? BINS : 1;
  const width = highest > lowest ? (highest - lowest) / bins : Math.max(Math.abs(highest) * 0.01, 1e-9);
  const counts = Array.from({ length: bins }, () => 0);
  for (const residual of sorted) counts[Math.min(bins - 1, Math.floor((residual - lowest) / width))]!++;
  return counts.map((rows, bin) => ({ lower: lowest + bin * width, upper: lowest + (bin + 1) * width, rows }));
}
