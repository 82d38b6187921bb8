import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csv, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `chosen:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
straight:
  kind: classification
  algorithm: linear
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
deep:
  kind: classification
  algorithm: neural_network
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
careful:
  kind: classification
  algorithm: linear
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
  positive_class: leave
  costs: { false_positive: 1, false_negative: 9 }
misspelt:
  kind: classification
  source: customers
  target: outcome
  features: [usage]
  positive_class: left
  costs: { false_positive: 1, false_negative: 9 }
latest:
  kind: regression
  source: trend
  timestamp: day
  split: time
  target: level
`;

interface VersionBody {
  version: string;
  optimization: {
    asked: object;
    heads: Record<string, { used: boolean; bytes?: { before: number; after: number } }>;
  } | null;
  parameters: { algorithm: string; requested_algorithm: string; hyperparameters: Record<string, unknown> };
  metrics: Record<string, Record<string, { value: number }>>;
  details: {
    candidates: Record<string, { algorithm: string; loss: number; isChosen: boolean }[]>;
    costs?: Record<
      string,
      { threshold: number; costs: { atThreshold: { costPer1000: number }; atHalf: { costPer1000: number } } }
    >;
  };
  lineage: { holdout_rows: number };
}
interface Prediction {
  predictions: { label: string; value: number; probabilities: Record<string, number> };
  explanations: Record<string, { contribution: number }[]>;
  explanation_base_values: Record<string, number>;
}

let service: Service;
const train = async (model: string, more: object = {}) => {
  const result = await service.run('/models/train', { model_type: model, auto_deploy: true, ...more });
  const version = await service.get<VersionBody>(`/models/${model}/versions/${String(result['version'])}`);
  return { result, version: version.body };
};

/** An explanation adds up to the probability of the label that is answered. */
async function expectExplained(model: string, features: object): Promise<void> {
  const { body } = await service.post<Prediction>(`/predict/${model}`, { features, explain: true });
  const sum = body.explanations['label']!.reduce((total, one) => total + one.contribution, 0);
  expect(body.explanation_base_values['label']! + sum).toBeCloseTo(
    body.predictions.probabilities[body.predictions.label]!,
    5,
  );
}

beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'true', TRAINING_THREADS: '2' });
  service.file('customers.csv', learnableTable(600));
  // A level that grows by one a day: whoever learned from the early days has never seen the late ones.
  const rows = Array.from({ length: 200 }, (_, day) => [
    new Date(Date.UTC(2024, 0, 1 + ((day * 7) % 200))).toISOString().slice(0, 10),
    day % 5,
    (day * 7) % 200,
  ]);
  service.file('trend.csv', csv(['day', 'noise', 'level'], rows));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  await service.run('/data/ingest', { source: 'trend.csv', data_type: 'trend' });
});
afterAll(() => service?.stop());

describe('how a table is learned', () => {
  it('by the best of several algorithms where the entry names none, with the losses of all', async () => {
    const { version } = await train('chosen');
    expect(version.parameters.requested_algorithm).toBe('auto');
    const tried = version.details.candidates['label']!;
    expect(tried.map((one) => one.algorithm)).toEqual(expect.arrayContaining(['random_forest', 'linear']));
    const chosen = tried.filter((one) => one.isChosen);
    expect(chosen).toHaveLength(1);
    expect(chosen[0]!.algorithm).toBe(version.parameters.algorithm);
    expect(chosen[0]!.loss).toBe(Math.min(...tried.map((one) => one.loss)));
  });

  it('by the algorithm that the entry names; a parameter that it does not have is named in the warnings', async () => {
    const { result, version } = await train('straight', { hyperparameters: { max_depth: 3, l2_regularization: 2 } });
    expect(version.optimization).toBeNull();
    expect(version.parameters).toMatchObject({
      algorithm: 'linear',
      hyperparameters: { l2_regularization: 2, class_weight: 'none' },
    });
    expect(result['warnings']).toContainEqual({
      path: 'hyperparameters.max_depth',
      message: 'was not used: a linear model has no max depth',
    });
    await expectExplained('straight', { usage: 3, plan: 'pro' });
  });

  it('by a network that says which device trained it, answers without TensorFlow, quantised and pruned, and explains itself', async () => {
    const { version } = await train('deep', {
      hyperparameters: { epochs: 120, hidden_units: [32], batch_size: 32 },
      cross_validation: true,
      optimize: { quantize: 'int8', prune: 0.25, max_loss: 1 },
    });
    expect(version.parameters.algorithm).toBe('neural_network');
    const { asked, heads } = version.optimization!;
    expect(asked).toEqual({ quantize: 'int8', prune: 0.25, max_loss: 1 });
    expect(heads['label']).toMatchObject({ used: true, loss: 'log_loss' });
    expect(heads['label']!.bytes!.after).toBeLessThan(heads['label']!.bytes!.before);
    expect(version.parameters.hyperparameters).toMatchObject({
      epochs: 120,
      hidden_units: [32],
      device: expect.stringMatching(/^(TensorFlow|WebAssembly|JavaScript) on /) as string,
    });
    // 8 % of the answers are noise.
    expect(version.metrics['label']!['accuracy']!.value).toBeGreaterThan(0.8);
    await expectExplained('deep', { usage: 10, plan: 'pro' });
  });

  it('answers the class that costs least, and says what that saves on held-out rows', async () => {
    const { version } = await train('careful');
    const { threshold, costs } = version.details.costs!['label']!;
    expect(threshold).toBeCloseTo(0.1, 9);
    expect(costs.atThreshold.costPer1000).toBeLessThanOrEqual(costs.atHalf.costPer1000);
    for (let usage = 0; usage <= 100; usage += 5) {
      const { body } = await service.post<Prediction>('/predict/careful', { features: { usage, plan: 'basic' } });
      const isLeft = body.predictions.probabilities['leave']! >= 0.1;
      expect(body.predictions.label === 'leave', `usage ${usage}`).toBe(isLeft);
    }
  });

  it('not at all with costs of a class that the target does not have', async () => {
    expect(await service.fail('/models/train', { model_type: 'misspelt' })).toMatchObject({
      code: 'training_data_insufficient',
      detail: expect.stringContaining('positive_class left, but outcome has leave, stay') as string,
    });
  });

  it('from the earlier rows alone where the split is in time', async () => {
    const { version } = await train('latest', { auto_deploy: false });
    expect(version.lineage.holdout_rows).toBe(40);
    // A forest cannot go beyond what it has seen, and a random split would not have told.
    expect(version.metrics['value']!['mae']!.value).toBeGreaterThan(10);
  });

  it('refuses an unknown algorithm and hyperparameters out of range, with their paths', async () => {
    const answer = await service.post<ProblemBody>('/models/train', {
      model_type: 'chosen',
      hyperparameters: { subsample: 2, max_leaf_nodes: 1, colour: 'red' },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors?.map((error) => error.path).toSorted()).toEqual([
      'hyperparameters.colour',
      'hyperparameters.max_leaf_nodes',
      'hyperparameters.subsample',
    ]);
  });
});
