import type { PromotionVerdict } from '../../../core/policy/promotion.js';
import type { MetricEstimate } from '../../../ml/evaluate/metrics.js';
import { formatEstimate, formatNumber, formatShare } from '../format-value.js';
import type { ReportSection, ReportTable } from '../report-document.js';

/** What each metric is called, and what a reader should know to judge it. */
const METRICS: Record<string, [name: string, meaning: string]> = {
  accuracy: ['accuracy', 'share of right answers'],
  majority_rate: ['majority rate', 'accuracy of always answering the most frequent class'],
  roc_auc: ['area under the ROC curve', '0.5 is guessing, 1 perfect'],
  average_precision: ['average precision', 'the share of true cases is guessing, 1 perfect'],
  log_loss: ['log loss', 'nats, lower is better'],
  brier: ['Brier score', 'squared error of the probabilities, lower is better'],
  ece: ['calibration error', 'mean gap between stated and true, lower is better'],
  mae: ['mean absolute error', 'lower is better'],
  baseline_mae: ['the median’s mean absolute error', 'of always answering the median'],
  median_ae: ['median absolute error', 'lower is better'],
  rmse: ['root mean squared error', 'lower is better'],
  r2: ['R²', '0 is the mean, 1 perfect'],
  coverage: ['coverage of the interval', 'share of truths within the interval'],
  recall_at_10: ['recall@10', 'share of users whose next item is in their first ten'],
  popular_recall_at_10: ['the popular items’ recall@10', 'of the same ten for everyone'],
  ndcg_at_10: ['NDCG@10', 'the same, with the higher places counting more'],
  popular_ndcg_at_10: ['the popular items’ NDCG@10', 'of the same ten for everyone'],
};

/** What a figure is worth nothing without stands in the line below it. */
const ORDER = Object.keys(METRICS);

/** Every figure with its interval, a table a head, a base beside what it is the base of. */
export function metricsSection(input: {
  metrics: Readonly<Record<string, Readonly<Record<string, MetricEstimate>>>>;
  trainingRows: number;
  holdoutRows: number;
  /** Of figures that mean something else to this kind. */
  meanings?: Readonly<Record<string, [name: string, meaning: string]>>;
}): ReportSection {
  const { metrics, trainingRows, holdoutRows, meanings = {} } = input;
  return {
    title: 'The figures',
    text: `Fitted on ${formatNumber(trainingRows)} rows, judged on ${formatNumber(holdoutRows)} that no fit and no choice has seen.`,
    plots: [],
    tables: Object.entries(metrics).map(([head, figures]) => metricsTable(head, figures, { ...METRICS, ...meanings })),
  };
}

function metricsTable(
  head: string,
  figures: Readonly<Record<string, MetricEstimate>>,
  meanings: typeof METRICS,
): ReportTable {
  const rankOf = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  const keys = Object.keys(figures).sort((a, b) => rankOf(a) - rankOf(b));
  return {
    title: head,
    columns: ['figure', 'value [95 % interval]', 'rows', 'meaning'],
    rows: keys.map((key) => {
      const { rows, ...figure } = figures[key]!;
      const [name, meaning] = meanings[key] ?? [key.replaceAll('_', ' '), ''];
      return [name, figure, rows, meaning];
    }),
  };
}

/** Whether the version may take traffic, and what that was decided on. */
export function promotionSection(verdict: PromotionVerdict): ReportSection {
  return {
    title: 'May it take traffic?',
    text: `${verdict.promotable ? 'Yes.' : 'No.'} ${verdict.reason}`,
    plots: [],
    tables: [
      {
        title: 'Gain over the answer that needs no model',
        columns: ['head', 'loss', 'gain [95 % interval]', 'entities', 'more than chance'],
        rows: verdict.evidence.map(({ head, loss, difference, lower, upper, entities }) => [
          head,
          loss.replaceAll('_', ' '),
          { value: difference, lower, upper },
          entities,
          lower > 0 ? 'yes' : 'no',
        ]),
        note: 'The loss of the base answer minus the model’s on the same rows; above 0 the model is better.',
      },
    ],
  };
}

/** The first sentences of a report: what each head reaches, always beside what the base answer does, and the verdict. */
export function summarise(
  metrics: Readonly<Record<string, Readonly<Record<string, MetricEstimate>>>>,
  verdict: PromotionVerdict,
): string[] {
  const heads = Object.entries(metrics).flatMap(([head, figures]) => {
    const { accuracy, majority_rate: base, roc_auc: area, mae, baseline_mae: baseError } = figures;
    if (accuracy && base)
      return `${head}: right in ${formatShare(accuracy.value)} of the held-out rows, where always the most frequent class is right in ${formatShare(base.value)}${area && area.value !== null ? `; area under the ROC curve ${formatEstimate(area)}` : ''}.`;
    if (mae && baseError)
      return `${head}: wrong by ${formatEstimate(mae)} on average, where always the median is wrong by ${formatNumber(baseError.value)}.`;
    return [];
  });
  return [...heads, `${verdict.promotable ? 'It may take traffic.' : 'It must not take traffic.'} ${verdict.reason}`];
}
