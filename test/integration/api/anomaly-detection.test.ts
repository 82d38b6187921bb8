import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../services/project-root.js';
import type { ReportDocument } from '../../../services/reports/report-document.js';
import { simulateFiles } from '../../support/simulate-files.js';
import { Service, type ProblemBody } from './support/service.js';

const MODELS = `${readFileSync(join(projectRoot(), 'models', 'config.yaml'), 'utf8')}
unlabelled:
  kind: anomaly_detection
  source: resource_metrics
  exclude: [storage, user_count]
text_only:
  kind: anomaly_detection
  source: resource_metrics
  features: [service]
`;

interface Prediction {
  predictions: {
    is_anomaly: boolean;
    anomaly_score: number;
    anomaly_type: string;
    severity: string;
    recommendations: string[];
  };
  confidence_scores: { is_anomaly: number };
  warnings: { path: string }[];
  explanations: { is_anomaly: { feature: string; contribution: number }[] };
  explanation_base_values: { is_anomaly: number };
}

let service: Service;
const SEED_EXAMPLE = { cpu_usage: 0.95, memory_usage: 0.88, request_rate: 1500, error_rate: 0.15 };
const NORMAL = { cpu_usage: 0.35, memory_usage: 0.44, request_rate: 320, error_rate: 0.004 };
const predict = (features: object, more: object = {}) =>
  service.post<Prediction>('/predict/anomaly-detection', { features, ...more });

beforeAll(async () => {
  service = await Service.start(MODELS);
  const { folder } = simulateFiles(service.inbox, 50);
  copyFileSync(join(folder, 'resource_metrics.parquet'), join(service.inbox, 'resource_metrics.parquet'));
  await service.run('/data/ingest', { source: 'resource_metrics.parquet', data_type: 'resource_metrics' });
});
afterAll(() => service?.stop());

describe('anomaly detection', () => {
  it('learns from unlabelled rows, keeps its stated false alarm rate, and finds the incidents', async () => {
    const trained = await service.run('/models/train', { model_type: 'anomaly_detection', auto_deploy: true });
    expect(trained).toMatchObject({ promotable: true, deployment: { state: 'promoted' } });
    const metrics = (trained['metrics'] as Record<string, Record<string, { value: number; lower: number }>>)[
      'is_anomaly'
    ]!;
    expect(metrics['false_alarm_rate']!.value).toBeLessThan(0.02);
    expect(metrics['detection_rate']!.value).toBeGreaterThan(0.5);
    expect(metrics['roc_auc']!.value).toBeGreaterThan(0.9);
    // Watched as series nearly all incidents have an alarm; alarms on ordinary measurements come in bursts, so their rate is a rough one.
    expect(metrics['series_incidents_found']!.value).toBeGreaterThan(0.9);
    expect(metrics['series_false_alarm_rate']!.value).toBeLessThan(0.03);
  });

  it('reports what it finds, row by row and in the series', async () => {
    const { status, body } = await service.call<ReportDocument>(
      'GET',
      '/models/anomaly_detection/versions/v1.0.0/report',
      undefined,
      { accept: 'application/json' },
    );
    expect(status).toBe(200);
    expect(body.sections.map(({ title }) => title)).toContain('Which anomalies are found row by row?');
    expect(body.sections.at(-1)!.plots.map(({ kind }) => kind)).toContain('series_anomalies');
  });

  it('answers the request of the original as it asks', async () => {
    const { status, body } = await predict(SEED_EXAMPLE, { threshold: 0.5 });
    expect(status).toBe(200);
    expect(body.predictions).toMatchObject({
      is_anomaly: true,
      anomaly_type: 'cpu_spike',
      severity: 'high',
      recommendations: ['investigate_immediately', 'scale_cpu_resources'],
    });
    expect(body.predictions.anomaly_score).toBeLessThan(-1);
    expect(body.confidence_scores.is_anomaly).toBeGreaterThan(0.99);
  });

  it('says that a normal row is normal, and explains a score by features that add up to it', async () => {
    const normal = await predict(NORMAL);
    expect(normal.body.predictions).toMatchObject({
      is_anomaly: false,
      anomaly_type: 'none',
      severity: 'none',
      recommendations: ['no_action_needed'],
    });
    const { body } = await predict({ ...NORMAL, error_rate: 0.3 }, { explain: true });
    expect(body.predictions.anomaly_type).toBe('error_burst');
    expect(body.explanations.is_anomaly[0]!.feature).toBe('error_rate');
  });

  it('alarms the more, the higher the sensitivity, and never the other way round', async () => {
    const scores: number[] = [];
    for (const threshold of [0, 0.25, 0.5, 0.75, 1])
      scores.push((await predict({ ...NORMAL, cpu_usage: 0.62 }, { threshold })).body.predictions.anomaly_score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores[0]! - scores[4]!).toBeCloseTo(2.6, 5);
  });

  it('leaves missing features out and says so; refuses what it does not know, with paths', async () => {
    const partial = await predict({ cpu_usage: 0.99 });
    expect(partial.body.warnings.map(({ path }) => path)).toEqual([
      'features.memory_usage',
      'features.request_rate',
      'features.error_rate',
    ]);
    const wrong = await service.post<ProblemBody>('/predict/anomaly-detection', {
      features: { cpu_usage: 'high', colour: 1 },
      threshold: 1.5,
    });
    expect([wrong.status, wrong.body.errors?.map(({ path }) => path)]).toEqual([422, ['threshold']]);
    const features = await service.post<ProblemBody>('/predict/anomaly-detection', {
      features: { cpu_usage: 'high', colour: 1 },
    });
    expect(features.body.errors?.map(({ path }) => path)).toEqual(['features.colour', 'features.cpu_usage']);
  });

  it('judges a row beside what its series did before', async () => {
    const start = Date.parse('2026-03-02T00:00:00Z');
    const history = Array.from({ length: 390 }, (_, hour) => {
      const wave = Math.sin((2 * Math.PI * hour) / 24) + 0.1 * Math.sin(17 * hour);
      return {
        timestamp: new Date(start + 3_600_000 * hour).toISOString(),
        cpu_usage: 0.35 + 0.05 * wave,
        memory_usage: 0.44 + 0.01 * wave,
        request_rate: 320 + 60 * wave,
        error_rate: 0.004 + 0.0002 * Math.sin(5 * hour),
      };
    });
    const usual = { cpu_usage: 0.4, memory_usage: 0.45, request_rate: 380, error_rate: 0.004 };
    // Of each feature the value is one that services have; for this one the traffic has never been so low.
    const odd = { ...usual, request_rate: 180 };
    const judged = async (features: object, more: object = {}) => (await predict(features, { history, ...more })).body;
    const alone = (await predict(odd)).body;
    expect(alone.predictions.is_anomaly).toBe(false);
    expect((await judged(usual)).predictions.is_anomaly).toBe(false);
    const { predictions } = await judged(odd);
    expect(predictions).toMatchObject({ is_anomaly: true, anomaly_type: 'traffic_drop' });
    expect((predictions as unknown as { expected: { request_rate: number } }).expected.request_rate).toBeGreaterThan(
      340,
    );
    const short = await judged(odd, { history: history.slice(0, 10) });
    expect(short.predictions).toEqual(alone.predictions);
    expect(short.warnings.map(({ path }) => path)).toEqual(['history']);
    const wrong = await service.post<ProblemBody>('/predict/anomaly-detection', {
      features: usual,
      history: [{ timestamp: '2026-03-02T00:00:00Z', colour: 1 }],
    });
    expect([wrong.status, wrong.body.errors?.map(({ path }) => path)]).toEqual([422, ['history.0.colour']]);
  });

  it('is promotable without any known anomaly when its false alarms are what it states', async () => {
    const trained = await service.run('/models/train', { model_type: 'unlabelled', cross_validation: true });
    expect(trained['promotable']).toBe(true);
    expect(trained['warnings']).toEqual([expect.objectContaining({ path: 'cross_validation' })]);
  });

  it('refuses features that hold no numbers', async () => {
    const answer = await service.post<ProblemBody>('/models/train', { model_type: 'text_only' });
    expect([answer.status, answer.body.errors?.[0]?.message]).toEqual([
      422,
      'the column service holds no numbers; leave it out of features',
    ]);
  });
});
