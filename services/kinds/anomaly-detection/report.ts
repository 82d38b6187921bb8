import { formatEstimate, formatNumber, formatShare } from '../../reports/format-value.js';
import type { ReportDocument, ReportSection, ReportTable } from '../../reports/report-document.js';
import { anomalySection } from '../../reports/sections/anomaly-section.js';
import { metricsSection, promotionSection } from '../../reports/sections/metrics-section.js';
import { networkSection, type NetworkTraining } from '../../reports/sections/network-section.js';
import type { TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome } from '../recipe.js';
import type { WatchedSeries } from './watch-series.js';

/** The report of a detector: does it raise as many false alarms as it states, and which known anomalies does it find. */
export function buildAnomalyReport(
  plan: TrainingPlan,
  fit: FitOutcome,
  evaluation: Evaluation,
  watched: WatchedSeries | undefined,
): ReportDocument {
  const { metrics, verdict, trainingRows, holdoutRows } = evaluation;
  const training = fit.details?.['network'] as NetworkTraining | undefined;
  const sections: ReportSection[] = [
    promotionSection(verdict),
    metricsSection({ metrics, trainingRows, holdoutRows }),
    ...rowsSection(evaluation),
    ...seriesSection(watched),
    ...(training
      ? [networkSection({ head: 'the autoencoder', measure: 'loss of all columns together', training })]
      : []),
  ];
  return {
    format_version: 1,
    title: `How good is ${plan.model}?`,
    model: plan.model,
    summary: [
      ...summarise(metrics['is_anomaly'] ?? {}, Number(evaluation.details?.['stated_false_alarm_rate'])),
      `${verdict.promotable ? 'It may take traffic.' : 'It must not take traffic.'} ${verdict.reason}`,
    ],
    facts: [
      ['kind', plan.kind],
      ['algorithm', fit.algorithm.replaceAll('_', ' ')],
      ['features', plan.features.join(', ')],
      ['training rows', formatNumber(trainingRows)],
      ['held-out rows', formatNumber(holdoutRows)],
      ['dataset', `${plan.datasetId} (${plan.datasetDigest.slice(0, 12)})`],
      ['seed', String(plan.seed)],
      ['trained by release', plan.codeVersion],
      ...(training ? [['network trained on', training.device] as [string, string]] : []),
    ],
    warnings: [...plan.warnings, ...fit.warnings, ...(evaluation.warnings ?? [])].map(
      ({ path, message }) => `${path}: ${message}`,
    ),
    sections,
  };
}

function summarise(figures: Evaluation['metrics'][string], rate: number): string[] {
  const { false_alarm_rate: alarms, detection_rate: found, series_incidents_found: incidents } = figures;
  return [
    ...(alarms && alarms.value !== null
      ? [
          `At the middle threshold ${formatEstimate(alarms)} of the normal rows raise an alarm; stated are ${formatShare(rate)}.`,
        ]
      : []),
    ...(found && found.value !== null
      ? [`Of the rows that people marked as anomalies, each judged by itself, ${formatEstimate(found)} are found.`]
      : []),
    ...(incidents && incidents.value !== null
      ? [`Watched as series, an alarm falls into ${formatEstimate(incidents)} of the incidents.`]
      : []),
  ];
}

function rowsSection({ details }: Evaluation): ReportSection[] {
  const counts = details?.['detection_by_label'] as Record<string, { rows: number; found: number }>;
  const names = Object.keys(counts).sort();
  if (names.length === 0) return [];
  return [
    {
      title: 'Which anomalies are found row by row?',
      text: 'Rows that people gave a name, none of them learned from. A row is judged without a look at the rows before it.',
      plots: [],
      tables: [
        {
          title: 'By name',
          columns: ['name', 'rows', 'found', 'share'],
          rows: names.map((name) => {
            const { rows, found } = counts[name]!;
            return [name, rows, found, formatShare(found / rows)];
          }),
        },
      ],
    },
  ];
}

function seriesSection(watched: WatchedSeries | undefined): ReportSection[] {
  if (!watched) return [];
  const { found, plots } = watched;
  const names = Object.keys(found.by_label).sort();
  const tables: ReportTable[] =
    names.length === 0
      ? []
      : [
          {
            title: 'Incidents by name',
            columns: ['name', 'incidents', 'with an alarm'],
            rows: names.map((name) => [name, found.by_label[name]!.incidents, found.by_label[name]!.found]),
          },
        ];
  const left = found.left_out > 0 ? ` ${formatNumber(found.left_out)} series were too short or too many.` : '';
  return [
    anomalySection({
      head: 'the series',
      text: `${formatNumber(found.series)} series, each judged value by value by its own past without the incidents in it, as a request with a history is; shown is the feature that stood out most.${left}`,
      series: plots,
      tables,
    }),
  ];
}
