import { createPrng } from '../../ml/random/prng.js';
import { sampleRuns } from './run-sample.js';
import { buildRunsReport } from '../../services/tracking/runs-report.js';
import type { ReportDocument } from '../../services/reports/report-document.js';
import { anomalySection } from '../../services/reports/sections/anomaly-section.js';
import { classificationSection } from '../../services/reports/sections/classification-section.js';
import { comparisonSection } from '../../services/reports/sections/comparison-section.js';
import { forecastSection } from '../../services/reports/sections/forecast-section.js';
import { importanceSection } from '../../services/reports/sections/importance-section.js';
import { learningCurveSection } from '../../services/reports/sections/learning-curve-section.js';
import { metricsSection, promotionSection, summarise } from '../../services/reports/sections/metrics-section.js';
import { regressionSection } from '../../services/reports/sections/regression-section.js';
import { slicesSection } from '../../services/reports/sections/slices-section.js';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);
const timeAt = (hour: number): string => new Date(START + hour * HOUR).toISOString();

const estimate = (value: number, half: number, rows = 1000) => ({
  value,
  lower: value - half,
  upper: value + half,
  rows,
});

/** A made-up report with every kind of plot; the same for the same sizes. */
export function sampleReport(size: { rows: number; features: number; classes?: number }): ReportDocument {
  const { rows, features, classes = 2 } = size;
  const prng = createPrng(7, 1);
  const normal = (): number => prng.next() + prng.next() + prng.next() + prng.next() - 2;
  const metrics = {
    risk: {
      accuracy: estimate(0.83, 0.02),
      majority_rate: estimate(0.72, 0.02),
      roc_auc: estimate(0.871, 0.014),
      log_loss: estimate(0.39, 0.02),
    },
    duration: { mae: estimate(12.3, 0.8), baseline_mae: estimate(19.1, 1.1), r2: estimate(0.61, 0.05) },
  };
  const verdict = {
    promotable: true,
    reason: 'Every head beats the answer that needs no model by more than chance.',
    evidence: [{ head: 'risk', loss: 'log_loss' as const, difference: 0.2, lower: 0.15, upper: 0.25, entities: 900 }],
  };
  return {
    format_version: 1,
    title: 'How good is project_success?',
    model: 'project_success',
    version: 'v1.2.0',
    summary: summarise(metrics, verdict),
    facts: [
      ['algorithm', 'gradient_boosting'],
      ['training rows', '8,000'],
      ['held-out rows', rows.toLocaleString('en-US')],
      ['dataset', 'sha256:4f1a0c8d'],
    ],
    warnings: [
      'column “closed_at” alone predicts the target with an area of 0.99: is it known at the time of the answer?',
    ],
    sections: [
      promotionSection(verdict),
      metricsSection({ metrics, trainingRows: 8000, holdoutRows: rows }),
      binarySection(rows, normal),
      manyClassesSection(rows, Math.max(4, classes), normal),
      numbersSection(rows, normal),
      importanceOf(features, normal),
      slicesOf(normal),
      learningSection(),
      roundsSection(normal),
      rivalsSection(),
      futureSection(normal),
      abnormalSection(normal),
      ...buildRunsReport(sampleRuns(40), [], { metric: 'roc_auc', better: 'higher' }).sections,
    ],
  };
}

function binarySection(rows: number, normal: () => number) {
  const labels = new Float64Array(rows);
  const probabilities = new Float64Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    const logit = -1 + 1.8 * normal();
    const p = 1 / (1 + Math.exp(-logit));
    labels[row] = logit + 1.2 * normal() > 0 ? 1 : 0;
    probabilities.set([1 - p, p], 2 * row);
  }
  return classificationSection({ head: 'risk', labels, probabilities, classes: ['no', 'yes'] });
}

function manyClassesSection(rows: number, classes: number, normal: () => number) {
  const labels = new Float64Array(rows);
  const probabilities = new Float64Array(classes * rows);
  for (let row = 0; row < rows; row++) {
    const truth = Math.abs(Math.round(normal() * 3)) % classes;
    labels[row] = truth;
    const weights = Array.from({ length: classes }, (_, one) => Math.exp(normal() * 1.5 + (one === truth ? 1.4 : 0)));
    const total = weights.reduce((a, b) => a + b, 0);
    probabilities.set(weights.map((weight) => weight / total), row * classes); // prettier-ignore
  }
  const names = Array.from(
    { length: classes },
    (_, one) => ['commit', 'review', 'merge', 'deploy'][one] ?? `activity ${one}`,
  );
  return classificationSection({ head: 'next activity', labels, probabilities, classes: names });
}

function numbersSection(rows: number, normal: () => number) {
  const predictions = Float64Array.from({ length: rows }, () => 40 + 20 * normal());
  const targets = predictions.map((value) => value + normal() * (4 + value / 8) + ((value - 40) / 30) ** 2);
  return regressionSection({ head: 'duration', predictions, targets, seed: 3, unit: 'days' });
}

function importanceOf(features: number, normal: () => number) {
  const importance = Array.from({ length: features }, (_, index) => {
    const increase = 0.12 * Math.exp(-index / 3) + normal() * 0.003;
    return {
      name: index === 3 ? 'days since the last review of any member of the team' : `feature_${index}`,
      increase,
      lower: increase - 0.008,
      upper: increase + 0.008,
    };
  });
  return importanceSection({ head: 'risk', measure: 'increase of the log loss', importance });
}

function slicesOf(normal: () => number) {
  const slices = Array.from({ length: 12 }, (_, index) => {
    const difference = 0.2 - 0.03 * index + 0.01 * normal();
    const verdict = index < 3 ? ('worse' as const) : index > 9 ? ('better' as const) : ('same' as const);
    return {
      column: index % 2 ? 'team_size' : 'language',
      slice: index % 2 ? `${index} to ${index + 4}` : `Language ${index}`,
      rows: 40 + 13 * index,
      loss: 0.39 + difference,
      difference,
      lower: difference - 0.06,
      upper: difference + 0.06,
      verdict,
    };
  });
  return slicesSection({ head: 'risk', measure: 'log loss', overall: 0.39, slices });
}

function learningSection() {
  const points = [800, 1600, 3200, 5600, 8000].map((at) => {
    const validation = 0.36 + 6 / Math.sqrt(at);
    return { at, training: 0.36 - 3 / Math.sqrt(at), validation, lower: validation - 0.02, upper: validation + 0.02 };
  });
  return learningCurveSection({ head: 'risk', measure: 'log loss', by: 'rows', points, isStillImproving: true });
}

function roundsSection(normal: () => number) {
  const points = Array.from({ length: 400 }, (_, round) => ({
    at: round + 1,
    training: 0.6 * Math.exp(-round / 120) + 0.1,
    validation: 0.4 * Math.exp(-round / 60) + 0.32 + 0.0003 * round + 0.003 * normal(),
  }));
  return learningCurveSection({ head: 'next activity', measure: 'log loss', by: 'rounds', points, chosen: 180 });
}

function rivalsSection() {
  return comparisonSection({
    head: 'risk',
    measure: 'cross-validated log loss',
    better: 'lower',
    rivals: [
      { name: 'random_forest', value: 0.41, lower: 0.39, upper: 0.43 },
      { name: 'gradient_boosting', value: 0.385, lower: 0.365, upper: 0.405, chosen: true },
      { name: 'logistic_regression', value: 0.45, lower: 0.43, upper: 0.47 },
    ],
  });
}

function futureSection(normal: () => number) {
  const valueAt = (hour: number): number => 50 + hour / 24 + 12 * Math.sin((hour / 24) * 2 * Math.PI);
  const history = Array.from({ length: 400 }, (_, hour) => ({
    at: timeAt(hour),
    value: hour % 97 === 5 ? null : valueAt(hour) + 3 * normal(),
  }));
  const ahead = Array.from({ length: 72 }, (_, step) => ({ at: timeAt(400 + step), hour: 400 + step, step }));
  const bands = [
    { level: 0.8, width: 4 },
    { level: 0.95, width: 7 },
  ].map(({ level, width }) => ({
    level,
    points: ahead.map(({ at, hour, step }) => {
      const half = width * Math.sqrt(1 + step / 24);
      return { at, lower: valueAt(hour) - half, upper: valueAt(hour) + half };
    }),
  }));
  return forecastSection({
    head: 'cpu of api-gateway',
    series: [
      {
        series: 'api-gateway: cpu',
        unit: 'percent',
        history,
        forecast: ahead.map(({ at, hour }) => ({ at, value: valueAt(hour) })),
        bands,
        actual: ahead.slice(0, 48).map(({ at, hour }) => ({ at, value: valueAt(hour) + 3 * normal() })),
      },
    ],
    coverage: [{ level: 0.8, inside: 0.79, points: 1440 }],
  });
}

function abnormalSection(normal: () => number) {
  const values = Array.from({ length: 2000 }, (_, hour) => ({
    at: timeAt(hour),
    value: 40 + 8 * Math.sin((hour / 24) * 2 * Math.PI) + 2 * normal() + (hour >= 900 && hour < 930 ? 30 : 0),
  }));
  const expected = values.map(({ at }, hour) => {
    const middle = 40 + 8 * Math.sin((hour / 24) * 2 * Math.PI);
    return { at, lower: middle - 7, upper: middle + 7 };
  });
  const anomalies = values.flatMap(({ at, value }, hour) =>
    value > expected[hour]!.upper ? [{ at, value, score: value - expected[hour]!.upper }] : [],
  );
  return anomalySection({
    head: 'cpu of api-gateway',
    text: '30 of 30 recorded hours were called abnormal, and 2 others.',
    series: [
      {
        series: 'api-gateway: cpu',
        unit: 'percent',
        values,
        expected,
        anomalies,
        incidents: [{ from: timeAt(900), to: timeAt(930), name: 'traffic spike' }],
      },
    ],
  });
}
