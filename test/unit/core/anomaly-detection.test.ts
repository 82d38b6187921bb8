import { describe, expect, it } from 'vitest';
import { anomalySettingsSchema, shapeAnomaly, type AnomalyFinding } from '../../../core/kinds/anomaly-detection.js';

const settings = anomalySettingsSchema.parse({});
const finding = (pValue: number, scores: Record<string, number>, side: 'low' | 'high' = 'high'): AnomalyFinding => ({
  pValue,
  alarmRate: 0.01,
  features: Object.entries(scores).map(([feature, score]) => ({ feature, score, side })),
});
const answer = (pValue: number, scores: Record<string, number>, side?: 'low' | 'high') =>
  shapeAnomaly(finding(pValue, scores, side), settings).predictions;

describe('an answer about a measurement', () => {
  it('is no anomaly where a normal row is at least as odd more often than the false alarm rate', () => {
    const { predictions, confidence_scores } = shapeAnomaly(finding(0.4, { cpu_usage: 1 }), settings);
    expect(predictions).toEqual({
      is_anomaly: false,
      anomaly_score: 1.60206,
      anomaly_type: 'none',
      severity: 'none',
      recommendations: ['no_action_needed'],
    });
    expect(confidence_scores).toEqual({ is_anomaly: 0.4 });
  });

  it('scores the logarithm of p over the rate, and is as severe as the table says', () => {
    expect(answer(0.009, { cpu_usage: 3 })).toMatchObject({ severity: 'low', anomaly_score: -0.045757 });
    expect(answer(0.003, { cpu_usage: 3 })).toMatchObject({ severity: 'medium' });
    expect(answer(0.01 / 10 ** 1.8, { cpu_usage: 3 })).toEqual({
      is_anomaly: true,
      anomaly_score: -1.8,
      anomaly_type: 'cpu_spike',
      severity: 'high',
      recommendations: ['investigate_immediately', 'scale_cpu_resources'],
    });
    expect(answer(1e-7, { cpu_usage: 3 })).toMatchObject({ severity: 'critical' });
  });

  it('is named by the feature farthest out, and of equally far ones by the first of the table', () => {
    expect(answer(0.001, { cpu_usage: 1, error_rate: 4 })['anomaly_type']).toBe('error_burst');
    expect(answer(0.001, { error_rate: 4, request_rate: 4, memory_usage: 4, cpu_usage: 4 })['anomaly_type']).toBe(
      'cpu_spike',
    );
    expect(answer(0.001, { request_rate: 4 }, 'low')['anomaly_type']).toBe('traffic_drop');
  });

  it('is composite where no feature is out by itself, and named after the feature where no rule fits', () => {
    expect(answer(0.001, { cpu_usage: 1.5, memory_usage: 1.2 })['anomaly_type']).toBe('composite');
    expect(answer(0.001, { disk: 4 })).toMatchObject({
      anomaly_type: 'high_disk',
      recommendations: ['investigate_immediately', 'check_disk'],
    });
  });

  it('is judged by the rarer of two looks where there is a history, at twice its p-value', () => {
    const alone = finding(0.002, { cpu_usage: 4, memory_usage: 1 });
    const series = (pValue: number) => ({
      pValue,
      features: [{ feature: 'request_rate', score: 4, side: 'low' as const }],
      expected: { request_rate: 2.71234567, cpu_usage: null },
    });
    expect(shapeAnomaly({ ...alone, series: series(0.0001) }, settings).predictions).toEqual({
      is_anomaly: true,
      anomaly_score: -1.69897,
      anomaly_type: 'traffic_drop',
      severity: 'high',
      recommendations: ['investigate_immediately', 'check_upstream'],
      expected: { request_rate: 2.712346, cpu_usage: null },
    });
    expect(shapeAnomaly({ ...alone, series: series(0.5) }, settings).predictions).toMatchObject({
      anomaly_score: -0.39794,
      anomaly_type: 'cpu_spike',
    });
    expect(shapeAnomaly({ ...alone, pValue: 0.9, series: series(0.8) }, settings)).toMatchObject({
      predictions: { is_anomaly: false, anomaly_score: 2 },
      confidence_scores: { is_anomaly: 1 },
    });
  });
});
