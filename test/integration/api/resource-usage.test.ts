import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../services/project-root.js';
import { simulateFiles } from '../../support/simulate-files.js';
import { Service, type ProblemBody } from './support/service.js';

const MODELS = `${readFileSync(join(projectRoot(), 'models', 'config.yaml'), 'utf8')}
noise_usage:
  kind: resource_usage
  source: noise_metrics
  forecast:
    series: host
    time: at
    measures: { load: { limit: null } }
    facts: []
    origins: 30
    horizon: 6
    seasons: [6]
odd_usage:
  kind: resource_usage
  source: odd_metrics
  forecast:
    series: null
    time: at
    measures: { cpu: {}, memory: { column: mem, upper: null, limit: 400 }, disk: {} }
    origins: 8
    horizon: 6
    seasons: [12]
`;

interface Interval {
  lower: number;
  upper: number;
}
interface Prediction {
  predictions: {
    cpu_usage_forecast: number[];
    memory_usage_forecast: number[];
    storage_usage_forecast: number[];
    intervals: Record<string, Interval[]>;
    scaling_recommendations: string[];
    limits: Record<string, { limit: number; probability_of_reaching: number }>;
    starts_at?: string;
    step_seconds: number;
  };
  confidence_scores: Record<string, number>;
  warnings?: { path: string; message: string }[];
}

let service: Service;
const SEED_FEATURES = { current_cpu: 0.65, current_memory: 0.72, current_storage: 0.45, user_count: 150, trend: 0.02 };
const predict = (body: object) => service.post<Prediction>('/predict/resource-usage', body);
const HOUR = 3_600_000;

/** Two weeks of hours with a daily wave, in the shape of a request. */
function historyOf(hours: number, change: (point: Record<string, unknown>, hour: number) => object = (point) => point) {
  const start = Date.parse('2024-03-04T00:00:00Z');
  return Array.from({ length: hours }, (_, hour) => {
    const wave = Math.cos(((hour - 14) / 24) * 2 * Math.PI);
    const jitter = ((hour * 7919) % 13) / 1000;
    const point = {
      timestamp: new Date(start + hour * HOUR).toISOString(),
      cpu: 0.4 + 0.15 * wave + jitter,
      memory: 0.5 + 0.05 * wave + jitter,
      storage: 0.3 + 0.0001 * hour,
    };
    return change(point, hour);
  });
}

beforeAll(async () => {
  service = await Service.start(MODELS);
  const { folder } = simulateFiles(service.inbox, 20);
  copyFileSync(join(folder, 'resource_metrics.parquet'), join(service.inbox, 'resource_metrics.parquet'));
  await service.run('/data/ingest', { source: 'resource_metrics.parquet', data_type: 'resource_metrics' });
});
afterAll(() => service?.stop());

describe('resource usage', () => {
  it('learns from the demo’s measurements and beats the seasonal naive forecast with every measure', async () => {
    const trained = await service.run('/models/train', {
      model_type: 'resource_usage',
      // One of the six services: the others would take as long again each.
      training_data: { start_date: '2024-05-01', filters: { service: 'search' } },
      auto_deploy: true,
    });
    expect(trained).toMatchObject({ promotable: true, deployment: { state: 'promoted' } });
    const metrics = trained['metrics'] as Record<string, Record<string, { value: number }>>;
    for (const head of ['cpu_usage', 'memory_usage', 'storage_usage']) {
      const { mase, seasonal_naive_mase: base, coverage } = metrics[head]!;
      expect(mase!.value).toBeLessThan(base!.value);
      expect(coverage!.value).toBeGreaterThan(0.75);
    }
  });

  it('answers the request of the original as it asks, from features alone', async () => {
    const { status, body } = await predict({ features: SEED_FEATURES, forecast_horizon: 30 });
    expect(status).toBe(200);
    const { predictions } = body;
    for (const name of ['cpu', 'memory', 'storage'] as const) {
      const forecast = predictions[`${name}_usage_forecast`];
      expect(forecast).toHaveLength(30);
      const intervals = predictions.intervals[`${name}_usage`]!;
      expect(intervals).toHaveLength(30);
      intervals.forEach(({ lower, upper }, step) => {
        expect(lower).toBeGreaterThanOrEqual(0);
        expect(upper).toBeLessThanOrEqual(1);
        expect(forecast[step]).toBeGreaterThanOrEqual(lower);
        expect(forecast[step]).toBeLessThanOrEqual(upper);
      });
    }
    expect(Math.abs(predictions.storage_usage_forecast[0]! - 0.45)).toBeLessThan(0.05);
    expect(predictions.scaling_recommendations.length).toBeGreaterThan(0);
    expect(body.confidence_scores['cpu_usage']).toBeGreaterThan(0.5);
  });

  it('forecasts a stored series for one step and for a year of steps, and the same part alike', async () => {
    const short = await predict({ series_id: 'search', forecast_horizon: 1 });
    const long = await predict({ series_id: 'search', forecast_horizon: 365 });
    expect(short.body.predictions.cpu_usage_forecast).toEqual(long.body.predictions.cpu_usage_forecast.slice(0, 1));
    expect(long.body.predictions.memory_usage_forecast).toHaveLength(365);
    expect(long.body.predictions.starts_at).toBe('2024-07-01T00:00:00.000Z');
    expect(long.body.predictions.step_seconds).toBe(3600);
    // The wave of the day is in the forecast: the hours of a day differ by more than noise does.
    const day = long.body.predictions.cpu_usage_forecast.slice(0, 24);
    expect(Math.max(...day) - Math.min(...day)).toBeGreaterThan(0.05);
  });

  it('forecasts a history of its own, with gaps, repeats and disorder, and says what was done', async () => {
    const clean = await predict({ history: historyOf(336), forecast_horizon: 24 });
    expect(clean.body.warnings).toBeUndefined();
    const forecast = clean.body.predictions.cpu_usage_forecast;
    expect(clean.body.predictions.starts_at).toBe('2024-03-18T00:00:00.000Z');
    expect(Math.abs(forecast[14]! - 0.55)).toBeLessThan(0.05);
    expect(Math.abs(forecast[2]! - 0.25)).toBeLessThan(0.05);
    const holey = historyOf(336).filter((_, hour) => hour % 50 > 4);
    const rough = await predict({ history: [...holey.toReversed(), holey[10]!], forecast_horizon: 24 });
    expect(rough.status).toBe(200);
    expect(rough.body.warnings!.map(({ message }) => message).join()).toMatch(/averaged repeats: 1.*gaps/);
    expect(Math.abs(rough.body.predictions.cpu_usage_forecast[14]! - 0.55)).toBeLessThan(0.1);
  });

  it('recommends to scale up where a limit is in sight, by how much, and nothing where it is not', async () => {
    const calm = await predict({ history: historyOf(336), forecast_horizon: 24 });
    expect(calm.body.predictions.scaling_recommendations).toEqual(['current_scaling_adequate']);
    expect(calm.body.predictions.limits['cpu_usage']!.probability_of_reaching).toBeLessThan(0.2);
    const busy = await predict({
      history: historyOf(336, (point) => ({ ...point, cpu: Number(point['cpu']) + 0.3 })),
      forecast_horizon: 24,
    });
    expect(busy.body.predictions.scaling_recommendations).toEqual([
      expect.stringMatching(/^scale_up_cpu_by_(5|10|15|20|25)_percent$/),
    ]);
    expect(busy.body.predictions.limits['cpu_usage']!.probability_of_reaching).toBeGreaterThan(0.5);
  });

  it('answers short, constant and empty histories with a reason', async () => {
    const short = await predict({ history: historyOf(10), forecast_horizon: 5 });
    expect(short.body.warnings).toEqual([
      { path: 'history', message: expect.stringContaining('48 are needed') as string },
    ]);
    expect(short.body.predictions.cpu_usage_forecast).toHaveLength(5);
    const constant = await predict({ history: historyOf(60, (point) => ({ ...point, cpu: 0.5, storage: null })) });
    expect(new Set(constant.body.predictions.cpu_usage_forecast)).toEqual(new Set([0.5]));
    expect(constant.body.warnings!.map(({ path }) => path)).toEqual(['history.storage']);
    const empty = await service.post<ProblemBody>('/predict/resource-usage', {
      history: [{ timestamp: '2024-03-04T00:00:00Z', cpu: null }],
    });
    expect([empty.status, empty.body.errors?.[0]?.path]).toEqual([422, 'history']);
  });

  it('refuses what it does not know, with paths', async () => {
    const refusals: [object, string[]][] = [
      [{}, ['features']],
      [{ series_id: 'nobody' }, ['series_id']],
      [{ features: { current_cpu: 'high', colour: 1 } }, ['features.colour', 'features.current_cpu']],
      [{ features: SEED_FEATURES, forecast_horizon: 366 }, ['forecast_horizon']],
      [{ features: SEED_FEATURES, forecast_horizon: 0 }, ['forecast_horizon']],
      [{ history: [{ timestamp: '2024-03-04T00:00:00Z', gpu: 1 }] }, ['history.0.gpu']],
      [{ history: [{ timestamp: 'yesterday', cpu: 1 }] }, ['history.0.timestamp']],
    ];
    for (const [request, paths] of refusals) {
      const { status, body } = await service.post<ProblemBody>('/predict/resource-usage', request);
      expect([status, body.errors?.map(({ path }) => path)]).toEqual([422, paths]);
    }
    const unknown = await predict({ series_id: 'nobody', features: { current_cpu: 0.5 }, forecast_horizon: 3 });
    expect(unknown.status).toBe(200);
    expect(unknown.body.warnings!.map(({ path }) => path)).toEqual([
      'series_id',
      'features.current_memory',
      'features.current_storage',
    ]);
  });

  it('is not promotable where there is nothing to learn', async () => {
    // Days that repeat to the last digit: nothing can be better than repeating them.
    const lines = Array.from({ length: 400 }, (_, i) => {
      const at = new Date(Date.parse('2024-01-01T00:00:00Z') + i * HOUR).toISOString();
      return `a,${at},${((i % 6) * 3) / 20}`;
    });
    writeFileSync(join(service.inbox, 'noise.csv'), ['host,at,load', ...lines].join('\n'));
    await service.run('/data/ingest', { source: 'noise.csv', data_type: 'noise_metrics' });
    const trained = await service.run('/models/train', { model_type: 'noise_usage' });
    expect(trained['promotable']).toBe(false);
  });

  it('copes with constant and empty columns, units beyond the bounds, and one series without a name', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => {
      const at = new Date(Date.parse('2024-01-01T00:00:00Z') + i * 300_000).toISOString();
      const memory = 250 + 60 * Math.sin((2 * Math.PI * i) / 12) + ((i * 7919) % 17);
      return `${at},0.25,${memory},${i < 5 ? 0.5 + i / 100 : ''}`;
    });
    writeFileSync(join(service.inbox, 'odd.csv'), ['at,cpu,mem,disk', ...lines].join('\n'));
    await service.run('/data/ingest', { source: 'odd.csv', data_type: 'odd_metrics' });
    const trained = await service.run('/models/train', { model_type: 'odd_usage' });
    const warnings = (trained['warnings'] as { path: string }[]).map(({ path }) => path);
    expect(warnings).toContain('series.all.disk');
    await service.run('/models/odd_usage/deploy', { version: 'v1.0.0' }).catch(() => undefined);
    const { status, body } = await service.post<Prediction>('/predict/odd_usage', {
      series_id: 'all',
      forecast_horizon: 12,
      model_version: 'v1.0.0',
    });
    expect(status).toBe(200);
    expect(new Set(body.predictions.cpu_usage_forecast)).toEqual(new Set([0.25]));
    expect(Math.max(...body.predictions.memory_usage_forecast)).toBeGreaterThan(280);
    expect(body.warnings!.map(({ path }) => path)).toContain('disk_usage');
  });
});
