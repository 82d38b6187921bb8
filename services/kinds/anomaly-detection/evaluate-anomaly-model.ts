import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judgePromotion, type SkillEvidence } from '../../../core/policy/promotion.js';
import { anomalyScores, type AnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import { conformalPValue, falseAlarmRate } from '../../../ml/anomaly/conformal-p-value.js';
import { delongInterval, rocArea, wilsonInterval } from '../../../ml/evaluate/roc.js';
import type { MetricEstimate } from '../../../ml/evaluate/metrics.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import type { GoldenCase } from '../../artifacts/model-bundle.js';
import type { ReportDocument } from '../../reports/report-document.js';
import { readStagedJson } from '../../storage/staged-file.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import type { Evaluation, FitOutcome, OnProgress } from '../recipe.js';
import { AUTOENCODER_FILE, DETECTOR_FILE, loadDetector, type AnomalyBody } from './anomaly-model.js';
import { partKnown, readAnomalyTable, type AnomalyTable } from './anomaly-table.js';
import { buildAnomalyReport } from './report.js';
import { outputsOfRow } from './scorer.js';
import { watchSeries } from './watch-series.js';

const LEVEL = 0.95;
const GOLDEN_ROWS = 16;
/** A detector may raise so many times the false alarms that it states, and not more, whatever the chance in its held-out rows. */
const MOST_OF_STATED = 3;

/**
 * Measures the false alarms on normal rows that nothing has seen, and, where anomalies are known by name, how many of them are
 * found. Without any known anomaly the version is promotable when its false alarm rate is what it promises. Where the rows have
 * times, each entity is watched as a series too, as a request with a history would be.
 */
export async function evaluateAnomalyModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
): Promise<{ evaluation: Evaluation; golden: GoldenCase[]; report: ReportDocument }> {
  const table = withoutSearched(plan, await readAnomalyTable(plan, staging));
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  const body = fit.body as AnomalyBody;
  const files = [DETECTOR_FILE, ...(body.reconstruction ? [AUTOENCODER_FILE] : [])];
  const bytes = new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(staging, file))] as const)),
  );
  const detector = loadDetector(body, (file, decode) => decode(bytes.get(file)!));
  const calibration = Float64Array.from(body.calibration);
  const normal = anomalyScores(detector, table.holdout);
  const known = anomalyScores(detector, table.known);
  onProgress(0.5, 'held-out rows');
  const rate = falseAlarmRate(0.5);
  const isAlarm = (score: number) => conformalPValue(calibration, score) < rate;
  const metrics: Record<string, MetricEstimate> = { false_alarm_rate: share(normal, isAlarm) };
  if (known.length > 0) {
    metrics['detection_rate'] = share(known, isAlarm);
    metrics['roc_auc'] = areaUnderCurve(normal, known);
  }
  const watched = watchSeries(table.series, plan.features, rate, (done) => onProgress(0.5 + 0.4 * done, 'series'));
  if (watched) Object.assign(metrics, watched.metrics);
  const evaluation: Evaluation = {
    metrics: { is_anomaly: metrics },
    verdict: judgePromotion([evidenceOf(metrics, rate, normal.length)]),
    trainingRows: fit.trainingRows,
    holdoutRows: table.holdout.rows + table.known.rows,
    details: {
      detection_by_label: detectionByLabel(table.labels, known, isAlarm),
      stated_false_alarm_rate: rate,
      ...(watched && { series: watched.found }),
    },
  };
  const report = buildAnomalyReport(plan, fit, evaluation, watched);
  return { evaluation, golden: goldenCases(detector, body, table.holdout, table.known), report };
}

/** What a search has looked at says nothing about what it has chosen. */
function withoutSearched(plan: TrainingPlan, table: AnomalyTable): AnomalyTable {
  if (!plan.sweep) return table;
  const { judged, judgedLabels } = partKnown(table, plan.seed);
  return { ...table, known: judged, labels: judgedLabels };
}

function share(scores: Float64Array, isAlarm: (score: number) => boolean): MetricEstimate {
  const hits = scores.reduce((count, score) => count + (isAlarm(score) ? 1 : 0), 0);
  const rows = scores.length;
  if (rows === 0) return { value: null, lower: null, upper: null, rows };
  return { value: hits / rows, ...wilsonInterval(hits, rows, LEVEL), rows };
}

function areaUnderCurve(normal: Float64Array, known: Float64Array): MetricEstimate {
  const scores = Float64Array.from([...normal, ...known]);
  const labels = Uint8Array.from(scores, (_, at) => (at < normal.length ? 0 : 1));
  const area = rocArea(scores, labels);
  const rarest = Math.min(normal.length, known.length);
  return { value: area.area, ...delongInterval(area.area, area.influence, rarest, LEVEL), rows: scores.length };
}

/** Known anomalies must be found more often than normal rows are reported; without any, the promise about normal rows must hold. */
function evidenceOf(metrics: Record<string, MetricEstimate>, rate: number, rows: number): SkillEvidence {
  const alarms = metrics['false_alarm_rate']!;
  const found = metrics['detection_rate'];
  if (!found)
    return {
      head: 'is_anomaly',
      loss: 'false_alarm_rate',
      difference: MOST_OF_STATED * rate - (alarms.value ?? 1),
      lower: MOST_OF_STATED * rate - (alarms.upper ?? 1),
      upper: MOST_OF_STATED * rate - (alarms.lower ?? 1),
      entities: rows,
    };
  return {
    head: 'is_anomaly',
    loss: 'missed_anomalies',
    difference: (found.value ?? 0) - (alarms.value ?? 1),
    lower: (found.lower ?? 0) - (alarms.upper ?? 1),
    upper: (found.upper ?? 0) - (alarms.lower ?? 1),
    entities: rows + found.rows,
  };
}

function detectionByLabel(labels: readonly string[], scores: Float64Array, isAlarm: (score: number) => boolean) {
  const counts: Record<string, { rows: number; found: number }> = {};
  labels.forEach((name, at) => {
    const count = (counts[name] ??= { rows: 0, found: 0 });
    count.rows++;
    if (isAlarm(scores[at]!)) count.found++;
  });
  return counts;
}

function goldenCases(
  detector: AnomalyDetector,
  body: AnomalyBody,
  holdout: FeatureMatrix,
  known: FeatureMatrix,
): GoldenCase[] {
  const cases: GoldenCase[] = [];
  for (const table of [holdout, known]) {
    for (let row = 0; row < Math.min(table.rows, GOLDEN_ROWS / 2); row++) {
      const features = Object.fromEntries(
        body.features.map((name, column) => {
          const value = table.values[column * table.rows + row]!;
          return [name, Number.isNaN(value) ? null : value];
        }),
      );
      const input = { features, options: { threshold: 0.5 } };
      cases.push({ input, outputs: outputsOfRow(detector, body, input.features) });
    }
  }
  return cases;
}
