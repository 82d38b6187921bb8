import { formatNumber, formatShare } from '../format-value.js';
import type { ReportSection } from '../report-document.js';

/** What the section needs to know of the variant of one head. */
export interface ReportedVariant {
  used: boolean;
  reason: string;
  change?: { value: number; lower: number; upper: number; entities: number };
  bytes?: { before: number; after: number };
  cpu_us_per_row?: { before: number; after: number };
}

/** What a quantised or pruned variant loses and gains, head by head. */
export function optimizationSection(
  heads: readonly (readonly [name: string, variant: ReportedVariant])[],
): ReportSection {
  const fromTo = (pair: { before: number; after: number } | undefined) =>
    pair ? `${formatNumber(pair.before)} → ${formatNumber(pair.after)}` : null;
  return {
    title: 'What the smaller variant loses and gains',
    text: 'The variant against the model as it was fitted, on the same held-out rows. Times are of a single row on the machine that trained.',
    plots: [],
    tables: [
      {
        title: 'By head',
        columns: ['head', 'served', 'growth of the loss [95 % interval]', 'bytes', 'processor µs a row', 'why'],
        rows: heads.map(([name, { used, reason, change, bytes, cpu_us_per_row: time }]) => [
          name,
          used ? 'the variant' : 'as fitted',
          change ? `${formatShare(change.value)} [${formatShare(change.lower)}, ${formatShare(change.upper)}]` : null,
          fromTo(bytes),
          fromTo(time),
          reason,
        ]),
      },
    ],
  };
}
