import type { ReportSection } from '../report-document.js';

/** What one column is worth: the rise of the loss on held-out rows when its values are shuffled. */
export interface MeasuredImportance {
  name: string;
  increase: number;
  lower: number | null;
  upper: number | null;
}

/**
 * What the model looks at.
 * @param measure what rises, such as `increase of the log loss`
 */
export function importanceSection(input: {
  head: string;
  measure: string;
  importance: readonly MeasuredImportance[];
}): ReportSection {
  const { head, measure, importance } = input;
  const bars = [...importance]
    .sort((a, b) => b.increase - a.increase)
    .map(({ name, increase, lower, upper }) => ({ name, value: increase, lower, upper }));
  const proven = bars.filter((bar) => (bar.lower ?? bar.value) > 0).length;
  return {
    title: `What ${head} rests on`,
    text:
      bars.length === 0
        ? 'No column was measured.'
        : `${proven} of ${bars.length} columns matter by more than chance on the held-out rows.`,
    plots: [{ kind: 'importance', title: 'Importance of the columns', measure, bars }],
    tables: [],
  };
}
