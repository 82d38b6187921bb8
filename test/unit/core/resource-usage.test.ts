import { describe, expect, it } from 'vitest';
import {
  forecastRequestSchema,
  forecastSettingsSchema,
  seasonsOfStep,
  shapeForecast,
  type MeasureForecast,
} from '../../../core/kinds/resource-usage.js';

const forecastOf = (changes: Partial<MeasureForecast> = {}): MeasureForecast => ({
  measure: 'cpu',
  values: [0.5, 0.6],
  lower: [0.4, 0.45],
  upper: [0.6, 0.9],
  coverage: 0.91,
  forecasters: ['theta'],
  crossing: { limit: 0.8, probability: 0.3, medianStep: 2 },
  ...changes,
});
const shape = (forecasts: MeasureForecast[], actFrom = 0.2) =>
  shapeForecast(forecasts, { startsAt: '2024-07-01T00:00:00.000Z', stepSeconds: 3600 }, { act_from: actFrom });

describe('the answer of a forecast', () => {
  it('has an array a measure, intervals as objects, limits, and the measured coverage as confidence', () => {
    expect(shape([forecastOf()])).toEqual({
      predictions: {
        cpu_usage_forecast: [0.5, 0.6],
        intervals: {
          cpu_usage: [
            { lower: 0.4, upper: 0.6 },
            { lower: 0.45, upper: 0.9 },
          ],
        },
        scaling_recommendations: ['scale_up_cpu_by_15_percent'],
        limits: { cpu_usage: { limit: 0.8, probability_of_reaching: 0.3, likely_by_step: 2 } },
        forecasters: { cpu_usage: ['theta'] },
        step_seconds: 3600,
        starts_at: '2024-07-01T00:00:00.000Z',
      },
      confidence_scores: { cpu_usage: 0.91 },
    });
  });

  it('recommends for each measure whose limit is likely enough to be reached, and says when none is', () => {
    const recommended = (forecasts: MeasureForecast[], actFrom?: number) =>
      shape(forecasts, actFrom).predictions['scaling_recommendations'];
    const storage = forecastOf({ measure: 'storage', upper: [0.7, 0.7] });
    expect(recommended([forecastOf(), storage])).toEqual([
      'scale_up_cpu_by_15_percent',
      'scale_up_storage_by_5_percent',
    ]);
    expect(recommended([forecastOf(), storage], 0.31)).toEqual(['current_scaling_adequate']);
    expect(recommended([forecastOf({ crossing: undefined })])).toEqual(['current_scaling_adequate']);
    expect(recommended([forecastOf({ upper: [1e9, 1e9] })])).toEqual(['scale_up_cpu_by_500_percent']);
    expect(recommended([forecastOf({ crossing: { limit: 0, probability: 1 } })])).toEqual([
      'scale_up_cpu_by_500_percent',
    ]);
  });
});

describe('the settings of a forecast', () => {
  it('fit the demo without being written down', () => {
    const settings = forecastSettingsSchema.parse({});
    expect(Object.keys(settings.measures)).toEqual(['cpu', 'memory', 'storage']);
    expect(settings).toMatchObject({ series: 'service', time: 'measured_at', facts: ['user_count'], horizon: 24 });
    expect(forecastSettingsSchema.safeParse({ measures: {} }).success).toBe(false);
    expect(forecastSettingsSchema.safeParse({ horizon: 366 }).success).toBe(false);
    expect(forecastSettingsSchema.safeParse({ windows: 3 }).success).toBe(false);
  });

  it('know the seasons of a step', () => {
    expect(seasonsOfStep(3600)).toEqual([24, 168]);
    expect(seasonsOfStep(300)).toEqual([288, 2016]);
    expect(seasonsOfStep(86_400)).toEqual([7]);
    expect(seasonsOfStep(7 * 86_400)).toEqual([]);
    expect(seasonsOfStep(7 * 3600)).toEqual([24]);
    expect(seasonsOfStep(2_629_746)).toEqual([]);
  });
});

describe('a request for a forecast', () => {
  it('takes 1 to 365 steps, 30 unless told, and a history of numbers by time', () => {
    const request = forecastRequestSchema.parse({
      history: [{ timestamp: '2024-03-04T00:00:00Z', cpu: 0.5, memory: null }],
    });
    expect(request.forecast_horizon).toBe(30);
    for (const wrong of [
      { forecast_horizon: 0 },
      { forecast_horizon: 1.5 },
      { history: [] },
      { history: [{ cpu: 1 }] },
      { history: [{ timestamp: 'today', cpu: 1 }] },
      { history: [{ timestamp: '2024-03-04T00:00:00Z', cpu: 'much' }] },
      { horizon: 3 },
    ])
      expect(forecastRequestSchema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  });
});
