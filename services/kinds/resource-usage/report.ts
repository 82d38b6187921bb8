import { formatEstimate, formatNumber, formatShare } from '../../reports/format-value.js';
import type { ReportDocument, ReportSection } from '../../reports/report-document.js';
import { comparisonSection } from '../../reports/sections/comparison-section.js';
import { forecastSection } from '../../reports/sections/forecast-section.js';
import { metricsSection, promotionSection } from '../../reports/sections/metrics-section.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome } from '../recipe.js';
import type { MeasureJudgement } from './judge-usage-model.js';
import { settingsOf } from './plan.js';

/** The report of a forecasting model: the figures beside those of the seasonal naive forecast, held-out stretches, and the rivals. */
export function buildUsageReport(
  plan: TrainingPlan,
  fit: FitOutcome,
  evaluation: Evaluation,
  judgements: readonly MeasureJudgement[],
): ReportDocument {
  const { metrics, verdict, trainingRows, holdoutRows } = evaluation;
  const level = settingsOf(plan).coverage;
  const sections: ReportSection[] = [
    promotionSection(verdict),
    metricsSection({ metrics, trainingRows, holdoutRows }),
    ...judgements.flatMap((judgement) => [stretchesOf(judgement, level), ...rivalsOf(judgement)]),
  ];
  return {
    format_version: 1,
    title: `How good is ${plan.model}?`,
    model: plan.model,
    summary: [
      ...judgements.flatMap((judgement) => summarise(judgement, metrics[`${judgement.measure}_usage`] ?? {}, level)),
      `${verdict.promotable ? 'It may take traffic.' : 'It must not take traffic.'} ${verdict.reason}`,
    ],
    facts: [
      ['kind', plan.kind],
      ['dataset', plan.datasetId],
      ['series', formatNumber(Math.max(0, ...judgements.map(({ fitted, constant }) => fitted + constant)))],
      ['step', `${formatNumber(Number(fit.details?.['step_seconds']))} s`],
    ],
    warnings: [...plan.warnings, ...fit.warnings].map(({ path, message }) => `${path}: ${message}`),
    sections,
  };
}

function summarise(
  { measure, constant, fitted }: MeasureJudgement,
  figures: Evaluation['metrics'][string],
  level: number,
): string[] {
  const { mase, seasonal_naive_mase: base, coverage } = figures;
  if (!mase || mase.value === null || !base || !coverage)
    return [fitted === 0 && constant > 0 ? `${measure} never changes.` : `Nothing could be held out for ${measure}.`];
  return [
    `${measure}: an error of ${formatEstimate(mase)} times the usual step from season to season, where the seasonal naive forecast has ${formatNumber(base.value)}; intervals of ${formatShare(level)} held ${formatShare(coverage.value)} of what came.`,
  ];
}

function stretchesOf({ measure, stretches, coverage, measured }: MeasureJudgement, level: number): ReportSection {
  return forecastSection({
    head: measure,
    series: stretches.map(({ series, history, forecast, band, actual }) => ({
      series,
      history,
      forecast,
      bands: [{ level, points: band }],
      actual,
    })),
    ...(coverage === null ? {} : { coverage: [{ level, inside: coverage, points: measured }] }),
  });
}

function rivalsOf({ measure, candidates }: MeasureJudgement): ReportSection[] {
  const known = Object.entries(candidates).filter((entry): entry is [string, number] => entry[1] !== null);
  if (known.length === 0) return [];
  return [
    comparisonSection({
      head: measure,
      measure: 'MASE at the newest origins',
      better: 'lower',
      rivals: known.map(([name, value]) => ({ name: name.replaceAll('_', ' '), value, lower: null, upper: null })),
      text: 'Each forecaster alone. What is answered is a mean of the best of them, weighed for each series by these errors.',
    }),
  ];
}
