import type { Bar, ReportSection } from '../report-document.js';

/** The rivals that were tried, the best first. */
export function comparisonSection(input: {
  head: string;
  measure: string;
  better: 'higher' | 'lower';
  rivals: readonly (Bar & { chosen?: boolean })[];
  text?: string;
}): ReportSection {
  const { head, measure, better, rivals, text = '' } = input;
  const sign = better === 'lower' ? 1 : -1;
  return {
    title: `What was tried for ${head}`,
    text,
    plots: [
      {
        kind: 'comparison',
        title: 'Rivals on the same rows',
        measure,
        better,
        bars: [...rivals].sort((a, b) => sign * (a.value - b.value)),
      },
    ],
    tables: [],
  };
}
