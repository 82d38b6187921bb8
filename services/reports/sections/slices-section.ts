import type { ReportSection, SlicesPlot } from '../report-document.js';

/** A group of held-out rows; `difference` and its ends are loss of the group minus loss of all rows. */
export interface MeasuredSlice {
  column: string;
  slice: string;
  rows: number;
  loss: number;
  difference: number;
  lower: number;
  upper: number;
  verdict: 'worse' | 'better' | 'same';
}

const RANK = { worse: 0, same: 1, better: 2 };

/**
 * Where the model is worse than elsewhere.
 * @param measure of the loss, lower is better, such as `log loss`
 * @param overall the loss of all rows
 */
export function slicesSection(input: {
  head: string;
  measure: string;
  overall: number;
  slices: readonly MeasuredSlice[];
}): ReportSection {
  const { head, measure, overall } = input;
  const slices: SlicesPlot['slices'] = [...input.slices]
    .sort((a, b) => RANK[a.verdict] - RANK[b.verdict] || b.difference - a.difference)
    .map(({ column, slice, rows, loss, lower, upper, verdict }) => ({
      name: `${column}: ${slice}`,
      rows,
      value: loss,
      lower: overall + lower,
      upper: overall + upper,
      verdict,
    }));
  const worse = slices.filter((slice) => slice.verdict === 'worse');
  const found =
    slices.length === 0
      ? 'No group of rows is large enough to be judged by itself.'
      : worse.length === 0
        ? `None of ${slices.length} groups of rows is worse than the rest by more than chance.`
        : `${worse.length} of ${slices.length} groups of rows are worse than the rest by more than chance: ${worse
            .slice(0, 3)
            .map((slice) => slice.name)
            .join('; ')}${worse.length > 3 ? '; and others' : ''}.`;
  return {
    title: `Where ${head} is answered worse`,
    text: found,
    plots: [{ kind: 'slices', title: 'Groups of rows, the worst first', measure, worse: 'higher', overall, slices }],
    tables: [],
  };
}
