import { formatNumber } from '../format-value.js';
import type { ReportSection } from '../report-document.js';

/** What a search settled on, as it is kept with the version. */
export interface SettledSearch {
  sweep_id: string;
  chosen: string;
  reason: string;
  fresh_rows: number;
  entrants: readonly { name: string; search_loss?: number; fresh_loss: number; configuration?: object }[];
  optimism: number | null;
  over_defaults: { difference: number; lower: number; upper: number } | null;
}

/** Which finalist of a search was taken, why, and how much of its figure in the search was luck. */
export function searchSection(search: SettledSearch): ReportSection {
  const { sweep_id: sweepId, chosen, reason, fresh_rows: rows, entrants, optimism, over_defaults: gain } = search;
  const sentences = [
    `The sweep ${sweepId} was searched; taken was: ${chosen}. ${reason}`,
    ...(gain
      ? [
          `Against the defaults it lowers the loss by ${formatNumber(gain.difference)} (95 % interval ${formatNumber(gain.lower)} to ${formatNumber(gain.upper)}).`,
        ]
      : []),
    ...(optimism === null
      ? []
      : [
          `The best trial of the search loses ${formatNumber(Math.abs(optimism))} ${optimism >= 0 ? 'more' : 'less'} on fresh rows than it did in the search: that is how far the best of many flatters itself.`,
        ]),
    'Losses are shares of what the answer that needs no model loses. The held-out rows of this report had no part in the choice.',
  ];
  return {
    title: 'What the search chose',
    text: sentences.join(' '),
    plots:
      rows === 0
        ? []
        : [
            {
              kind: 'comparison',
              title: `Finalists on ${rows} rows that no trial has seen`,
              measure: 'share of the loss without a model',
              better: 'lower',
              bars: entrants.map(({ name, fresh_loss: value }) => ({
                name,
                value,
                lower: null,
                upper: null,
                chosen: name === chosen,
              })),
            },
          ],
    tables: [
      {
        title: 'Finalists',
        columns: ['entrant', 'loss in the search', 'loss on fresh rows', 'settings'],
        rows: entrants.map(({ name, search_loss: searched, fresh_loss: fresh, configuration }) => [
          name,
          searched === undefined ? '' : formatNumber(searched),
          formatNumber(fresh),
          configuration ? JSON.stringify(configuration) : '',
        ]),
      },
    ],
  };
}
