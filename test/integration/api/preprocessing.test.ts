import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { loadScorer } from '../../../services/serving/load-scorer.js';
import { csv, eventually, Service, type ProblemBody } from './support/service.js';

const ENTRY = `kind: classification
  source: customers
  entity: customer
  target: outcome`;
const MODELS = `prepared:
  ${ENTRY}
  algorithm: gradient_boosting
  hyperparameters: { n_estimators: 30 }
  preprocessing:
    handle_missing: median
    feature_scaling: robust
    normalize: true
    outliers: { method: clip, by: quantiles, lower: 0.02, upper: 0.98 }
    columns: { plan: { encode: { method: target, smoothing: 5 } } }
complete:
  ${ENTRY}
  algorithm: random_forest
  hyperparameters: { n_estimators: 20 }
  preprocessing: { handle_missing: drop, feature_scaling: standard, encode: one_hot, outliers: { method: remove } }
misspelt:
  ${ENTRY}
  preprocessing: { columns: { usagee: { feature_scaling: standard } } }
`;

/** Customers with gaps, outliers and three plans, in dates of January. */
function customers(rows: number): string {
  const prng = createPrng(5);
  const lines = Array.from({ length: rows }, (_, index) => {
    const usage = index === 9 ? 90_000 : Math.round(prng.next() * 1000) / 10;
    const plan = ['basic', 'plus', 'pro'][Math.floor(prng.next() * 3)]!;
    const leaves = (usage < 45 !== (plan === 'pro')) !== prng.next() < 0.08;
    const spend = Math.round((usage * 3 + prng.next() * 20) * 100) / 100;
    const day = `2024-01-${String(1 + (index % 28)).padStart(2, '0')}`;
    return [`c${index}`, prng.next() < 0.1 ? '' : usage, plan, day, leaves ? 'leave' : 'stay', spend];
  });
  return csv(['customer', 'usage', 'plan', 'signed_up', 'outcome', 'spend'], lines);
}

let service: Service;
let datasetId: string;

beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', customers(700));
  const result = await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  datasetId = String(result['dataset_id']);
});
afterAll(() => service?.stop());

describe('POST /data/preprocess', () => {
  const seed = { normalize: true, handle_missing: 'median', feature_scaling: 'standard' };

  it('makes a new dataset with lineage, once however often it is asked', async () => {
    const body = { dataset_id: datasetId, preprocessing_config: seed, keep: ['customer', 'outcome'] };
    const key = { 'idempotency-key': service.key() };
    const accepted = await service.post<{ job_id: string; dataset_id: string }>('/data/preprocess', body, key);
    expect(accepted.status).toBe(202);
    const again = await service.post<{ job_id: string }>('/data/preprocess', body, key);
    expect(again.body.job_id).toBe(accepted.body.job_id);
    const job = await service.ended(accepted.body.job_id);
    expect(job, JSON.stringify(job.error)).toMatchObject({
      type: 'preprocess',
      status: 'completed',
      result: { dataset_id: accepted.body.dataset_id, rows: 700, quarantined_rows: 0 },
    });
    const made = await service.get(`/data/datasets/${accepted.body.dataset_id}`);
    expect(made.body).toMatchObject({
      data_type: 'customers_preprocessed',
      lineage: { operation: 'preprocess', job_id: accepted.body.job_id, parents: [{ dataset_id: datasetId }] },
    });
    const rows = await service.get<{ items: Record<string, number>[] }>(
      `/data/datasets/${accepted.body.dataset_id}/rows?limit=500`,
    );
    for (const row of rows.body.items) expect(Math.hypot(row['usage']!, row['spend']!)).toBeCloseTo(1, 12);
    const learnt = await service.get<{ fitted_rows: number }>(
      `/data/datasets/${accepted.body.dataset_id}/preprocessor`,
    );
    expect(learnt.body.fitted_rows).toBe(700);
    expect((await service.get(`/data/datasets/${datasetId}/preprocessor`)).status).toBe(404);
  });

  it.each([
    [{ preprocessing_config: { handle_missing: 'guess' } }, 'preprocessing_config.handle_missing', 422],
    [
      { preprocessing_config: { columns: { usagee: { encode: 'one_hot' } } } },
      'preprocessing_config.columns.usagee',
      422,
    ],
    [{ preprocessing_config: { encode: 'target' } }, 'target', 422],
    [
      { preprocessing_config: { outliers: { method: 'clip', by: 'quantiles', lower: 0.9, upper: 0.1 } } },
      'preprocessing_config.outliers.upper',
      422,
    ],
    [{ keep: ['nobody'] }, 'keep.0', 422],
    [{ dataset_id: 'ds_nothing' }, undefined, 404],
  ])('refuses %j with the path of the problem', async (body, path, status) => {
    const answer = await service.post<ProblemBody>('/data/preprocess', { dataset_id: datasetId, ...body });
    expect(answer.status).toBe(status);
    if (path) expect(answer.body.errors?.map((one) => one.path)).toContain(path);
  });
});

describe('a model with preprocessing', () => {
  const requests = [
    { usage: 12.5, plan: 'pro', signed_up: '2024-01-09', spend: 40 },
    { usage: 1e7, plan: 'basic', signed_up: '2024-01-20', spend: -5 },
    { usage: 60, plan: 'gone', signed_up: '2024-02-01', spend: 170 },
    { plan: 'plus', spend: 0 },
    { usage: '33.25', plan: null, signed_up: null, spend: 91.125 },
    {},
  ];

  it('answers a request as batch code does offline from its log, bit for bit', async () => {
    const result = await service.run('/models/train', { model_type: 'prepared', auto_deploy: true });
    const version = await service.get<{ digest: string; signature: { features: { name: string }[] } }>(
      `/models/prepared/versions/${String(result['version'])}`,
    );
    expect(version.body.signature.features.map(({ name }) => name)).toEqual(['usage', 'plan', 'signed_up', 'spend']);
    for (const features of requests) {
      const answer = await service.post('/predict/prepared', { features });
      expect(answer.status, answer.text).toBe(200);
    }
    const served = await eventually('the log', async () => {
      const rows = await service.query<{ features: Record<string, never>; predictions: unknown }>(
        `SELECT features, predictions FROM predictions WHERE model = 'prepared'`,
      );
      return rows.length >= requests.length ? rows : undefined;
    });
    const { scorer } = await loadScorer(join(service.stack.stateDir, 'models'), 'prepared', version.body.digest);
    const offline = scorer.batch!.predictRows(served.map(({ features }) => ({ features })));
    served.forEach(({ predictions }, at) =>
      expect((offline[at] as { predictions: unknown }).predictions).toEqual(predictions),
    );
  });

  it('explains itself in the features of the request', async () => {
    const { body } = await service.post<{
      predictions: { label: string; probabilities: Record<string, number> };
      explanations: Record<string, { feature: string; value: unknown; contribution: number }[]>;
      explanation_base_values: Record<string, number>;
    }>('/predict/prepared', { features: requests[0], explain: true });
    const parts = body.explanations['label']!;
    expect(parts.map(({ feature }) => feature).sort()).toEqual(['plan', 'signed_up', 'spend', 'usage']);
    expect(parts.find(({ feature }) => feature === 'usage')!.value).toBe(12.5);
    const sum = parts.reduce((total, one) => total + one.contribution, 0);
    expect(body.explanation_base_values['label']! + sum).toBeCloseTo(
      body.predictions.probabilities[body.predictions.label]!,
      5,
    );
  });

  it('that dropped incomplete rows refuses incomplete requests, and says how many outliers it left out', async () => {
    const result = await service.run('/models/train', { model_type: 'complete', auto_deploy: true });
    expect(JSON.stringify(result['warnings'])).toContain('training rows lie beyond the bounds');
    const refused = await service.post<ProblemBody>('/predict/complete', { features: requests[3] });
    expect(refused.status).toBe(422);
    expect(refused.body.errors?.map(({ path }) => path)).toEqual(['features.usage', 'features.signed_up']);
    expect((await service.post('/predict/complete', { features: requests[0] })).status).toBe(200);
  });

  it('whose entry names a column that is no feature is refused before it is trained', async () => {
    const answer = await service.fail('/models/train', { model_type: 'misspelt' }).catch(async () => {
      const refused = await service.post<ProblemBody>('/models/train', { model_type: 'misspelt' });
      expect(refused.status).toBe(422);
      return { problems: refused.body.errors };
    });
    expect(answer.problems?.map(({ path }) => path)).toContain('preprocessing.columns.usagee');
  });
});
