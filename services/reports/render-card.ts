import { escapeMarkdown } from './escape-markdown.js';
import { formatCell, formatShare } from './format-value.js';
import type { ModelCard } from './model-card.js';
import type { ReportCell } from './report-document.js';
import { metricsSection } from './sections/metrics-section.js';

/** A card as Markdown. Whatever users have named or written is text in it and nothing else. */
export function renderCard(card: ModelCard): string {
  const { model, version } = card;
  const parts = [
    `# ${escapeMarkdown(model)} ${escapeMarkdown(version)}`,
    bullets(card.summary),
    factsTable([
      ['state', card.state],
      ['kind', card.kind],
      ['registered', card.created_at],
      ['digest', card.digest],
      [
        'tags',
        Object.entries(card.tags)
          .map(([key, value]) => `${key}: ${value}`)
          .sort()
          .join(', ') || 'none',
      ],
    ]),
    ...renderUse(card),
    ...renderData(card),
    ...renderFigures(card),
    ...renderCalibration(card),
    ...renderSlices(card),
    '## Limits',
    card.limits.length > 0 ? bullets(card.limits) : 'No reason to doubt the figures was found.',
    '## Lineage',
    factsTable(Object.entries(card.lineage).map(([name, value]) => [name, plain(value)])),
    ...renderSayings(card),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const plain = (value: unknown): string =>
  typeof value === 'string' ? value : value === null || value === undefined ? '–' : JSON.stringify(value);

const bullets = (items: readonly string[]): string => items.map((item) => `- ${escapeMarkdown(item)}`).join('\n');

function table(columns: readonly string[], rows: readonly (readonly ReportCell[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly ReportCell[]) =>
    `| ${cells.map((cell) => escapeMarkdown(formatCell(cell))).join(' | ')} |`;
  return [line(columns), `|${columns.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}

const factsTable = (facts: readonly (readonly [string, ReportCell])[]): string => table(['', ''], facts);

function renderUse({ intended_use: { description, target, entity, predicts } }: ModelCard): string[] {
  return [
    '## Intended use',
    description ? escapeMarkdown(description) : 'The entry of the model has no description.',
    factsTable([...(target ? [['target', target] as const] : []), ...(entity ? [['entity', entity] as const] : [])]),
    table(
      ['predicts', 'as', 'classes'],
      predicts.map(({ name, task, classes }) => [name, task, classes?.join(', ') ?? '–']),
    ),
  ];
}

function renderData({ training: { algorithm, hyperparameters, data, features } }: ModelCard): string[] {
  return [
    '## Training',
    factsTable([
      ['algorithm', algorithm],
      ['dataset', data.dataset_id],
      ['digest of the data', data.digest],
      ['data type', data.data_type],
      ['source', data.source],
      ['rows', data.rows],
      ['rows in quarantine', data.quarantined_rows],
      ['rows fitted', data.training_rows],
      ['rows held out', data.holdout_rows],
    ]),
    table(
      ['hyperparameter', 'value'],
      Object.entries(hyperparameters).map(([name, value]) => [name, plain(value)]),
    ),
    table(
      ['feature', 'type'],
      features.map(({ name, type }) => [name, type]),
    ),
  ];
}

function renderFigures({ metrics, verdict, training: { data } }: ModelCard): string[] {
  const { text, tables } = metricsSection({
    metrics,
    trainingRows: data.training_rows ?? 0,
    holdoutRows: data.holdout_rows ?? 0,
  });
  return [
    '## Figures',
    `${text} Brackets hold 95 % intervals.`,
    ...tables.flatMap(({ title, columns, rows }) => [`### ${escapeMarkdown(title)}`, table(columns, rows)]),
    `**${verdict.promotable ? 'It may take traffic.' : 'It must not take traffic.'}** ${escapeMarkdown(verdict.reason)}`,
    table(
      ['of', 'loss', 'gain over the base answer', 'entities'],
      (verdict.evidence ?? []).map(({ head, loss, difference, lower, upper, entities }) => [
        head,
        loss.replaceAll('_', ' '),
        { value: difference, lower, upper },
        entities,
      ]),
    ),
  ];
}

function renderCalibration({ calibration }: ModelCard): string[] {
  if (calibration.length === 0) return [];
  return [
    '## Calibration',
    ...calibration.flatMap(({ section, event, bins }) => [
      `### ${escapeMarkdown(section)}`,
      table(
        [event, 'came true', 'rows'],
        bins.map(({ stated, observed, rows }) => [formatShare(stated), observed, rows]),
      ),
    ]),
  ];
}

function renderSlices({ slices }: ModelCard): string[] {
  const shown = slices.filter((one) => one.slices.length > 0);
  if (shown.length === 0) return [];
  return [
    '## Groups of rows, the worst first',
    ...shown.flatMap(({ section, measure, overall, slices: groups }) => [
      `### ${escapeMarkdown(section)}`,
      table(
        ['group', measure, 'rows', 'than all rows'],
        [
          ['all rows', overall, null, ''],
          ...groups.map(({ name, rows, verdict, value, lower, upper }): ReportCell[] => [
            name,
            { value, lower, upper },
            rows,
            verdict === 'same' ? 'no more than chance' : `${verdict}, by more than chance`,
          ]),
        ],
      ),
    ]),
  ];
}

function renderSayings({ approvals, notes, history }: ModelCard): string[] {
  const { required, approved, decisions } = approvals;
  const asked = required
    ? `It needs ${required.count} by different subjects with the role ${required.role}, and ${approved ? 'has them' : 'does not have them'}.`
    : 'The model asks for none.';
  return [
    '## Approvals',
    asked,
    table(
      ['decision', 'by', 'role', 'at', 'note'],
      decisions.map(({ decision, by, role, at, note }) => [decision, by, role, at, note ?? '']),
    ),
    ...(notes.length > 0
      ? [
          '## Notes',
          table(
            ['at', 'by', 'note'],
            notes.map(({ at, by, text }) => [at, by, text]),
          ),
        ]
      : []),
    '## History',
    table(
      ['at', 'from', 'to', 'by', 'reason'],
      history.map(({ at, from, to, by, reason }) => [at, from ?? '–', to, by, reason ?? '']),
    ),
  ];
}
