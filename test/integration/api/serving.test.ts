import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulateFiles } from '../../support/simulate-files.js';
import { eventually, Service, type JobBody, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `user_behavior: {}
customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
spending:
  kind: regression
  source: customers
  entity: customer
  target: spend
  features: [usage, plan]
coins:
  kind: classification
  source: customers
  target: coin
  features: [usage, plan]
`;
const SMALL = { n_estimators: 20, max_depth: 6 };

interface Prediction {
  prediction_id: string;
  model: string;
  model_version: string;
  cached: boolean;
  predictions: Record<string, unknown> & { probabilities: Record<string, number> };
  confidence_scores: Record<string, number>;
  explanations: Record<string, { feature: string; value: unknown; contribution: number }[]>;
  explanation_base_values: Record<string, number>;
}

let service: Service;
const served = async (model: string) =>
  (await service.get<{ serving: { version: string | null; loaded_version: string | null } }>(`/models/${model}`)).body
    .serving;
const predict = (model: string, body: unknown) => service.post<Prediction>(`/predict/${model}`, body);
const train = (model: string, more: object = {}) =>
  service.run('/models/train', { model_type: model, hyperparameters: SMALL, ...more });

beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', learnableTable(400));
  const { events } = simulateFiles(service.inbox, 500);
  await Promise.all([
    service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' }),
    service.run('/data/ingest', { source: events, data_type: 'user_events' }),
  ]);
});
afterAll(() => service?.stop());

describe('before anything is deployed', () => {
  it.each([
    ['/predict/customers', 'version_not_deployed'],
    ['/predict/user-behavior', 'version_not_deployed'],
    ['/predict/project-success', 'version_not_deployed'],
    ['/predict/resource-usage', 'version_not_deployed'],
    ['/predict/anomaly-detection', 'version_not_deployed'],
    ['/predict/recommendations', 'version_not_deployed'],
    ['/predict/nobody', 'model_not_found'],
    ['/predict/__proto__', 'model_not_found'],
  ])('POST %s is 404 %s', async (path, code) => {
    const answer = await service.post<ProblemBody>(path, { features: {} });
    expect([answer.status, answer.body.type]).toEqual([404, `urn:problem:${code}`]);
  });

  it('a version to deploy must exist, and a rollback needs a former version', async () => {
    const none = await service.post<ProblemBody>('/models/customers/deploy', { version: 'v1.0.0' });
    expect([none.status, none.body.type]).toEqual([404, 'urn:problem:version_not_found']);
    expect((await service.post('/models/customers/rollback')).status).toBe(409);
    expect((await service.post('/models/nobody/deploy', { version: 'v1.0.0' })).status).toBe(404);
    expect((await service.post('/models/customers/deploy', { version: '1.0' })).status).toBe(422);
  });
});

describe('classification', () => {
  it('is trained, deployed and read back; a second rollout at once is 409', async () => {
    const version = await train('customers');
    expect(version).toMatchObject({ model: 'customers', version: 'v1.0.0', promotable: true });
    const answers = await Promise.all([
      service.post<{ job_id: string; deployment_id: string }>('/models/customers/deploy', { version: 'v1.0.0' }),
      service.post<{ job_id: string; deployment_id: string }>('/models/customers/deploy', { version: 'v1.0.0' }),
    ]);
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([202, 409]);
    const { job_id: id, deployment_id: deployment } = answers.find((answer) => answer.status === 202)!.body;
    expect(await service.ended(id)).toMatchObject({
      status: 'completed',
      result: { state: 'promoted', version: 'v1.0.0' },
    });
    expect(await served('customers')).toEqual({ version: 'v1.0.0', loaded_version: 'v1.0.0' });
    const { body } = await service.get<{ state: string; steps: { step: string }[] }>(`/deployments/${deployment}`);
    expect(body.state).toBe('promoted');
    expect(body.steps.map((item) => item.step)).toEqual(['verify', 'holdout', 'switch', 'confirm']);
  });

  it('answers a label with calibrated probabilities, the same for an alias and for the version', async () => {
    const features = { usage: 90, plan: 'basic' };
    const answer = (await predict('customers', { entity_id: 'c1', features })).body;
    expect(answer).toMatchObject({ model: 'customers', model_version: 'v1.0.0', predictions: { label: 'leave' } });
    const { probabilities } = answer.predictions;
    expect(Object.keys(probabilities).toSorted()).toEqual(['leave', 'stay']);
    expect(probabilities['leave']! + probabilities['stay']!).toBeCloseTo(1, 5);
    expect(answer.confidence_scores['label']).toBe(probabilities['leave']);
    for (const model_version of ['production', 'v1.0.0'])
      expect((await predict('customers', { features, model_version })).body.predictions).toEqual(answer.predictions);
  });

  it('explains itself: base value and contributions add up to the answer', async () => {
    for (const features of [{ usage: 90, plan: 'basic' }, { usage: 3, plan: 'pro' }, { usage: null }, {}]) {
      const { body } = await predict('customers', { features, explain: true });
      const label = String(body.predictions['label']);
      const sum = body.explanations['label']!.reduce((total, item) => total + item.contribution, 0);
      expect(
        Math.abs(sum + body.explanation_base_values['label']! - body.predictions.probabilities[label]!),
      ).toBeLessThan(1e-6);
      expect(body.explanations['label']!.map((item) => item.feature).toSorted()).toEqual(['plan', 'usage']);
    }
  });

  it('takes missing features as not known, and lists every feature that does not fit', async () => {
    expect((await predict('customers', { features: {} })).status).toBe(200);
    expect((await predict('customers', { features: { plan: 'never seen' } })).status).toBe(200);
    const answer = await service.post<ProblemBody>('/predict/customers', {
      features: { usage: 'much', plan: 'basic', colour: 1, outcome: 'stay' },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors!.map((item) => item.path).toSorted()).toEqual([
      'features.colour',
      'features.outcome',
      'features.usage',
    ]);
    const shape = await service.post<ProblemBody>(
      '/predict/customers',
      '{"features": {"usage": [1], "plan": {"a": 1}, "__proto__": 1}, "entity_id": "a\\u0000b", "model_version": "V1", "extra": 1}',
    );
    expect(shape.body.errors!.map((item) => item.path).toSorted()).toEqual(
      expect.arrayContaining([
        'entity_id',
        'extra',
        'features.__proto__',
        'features.plan',
        'features.usage',
        'model_version',
      ]),
    );
  });

  it('says cached on the second equal call, whatever the order of the features', async () => {
    const first = await predict('customers', { features: { usage: 12.5, plan: 'plus' } });
    const second = await predict('customers', { features: { plan: 'plus', usage: 12.5 } });
    expect([first.body.cached, second.body.cached]).toEqual([false, true]);
    expect(second.body.predictions).toEqual(first.body.predictions);
    expect(second.body.prediction_id).not.toBe(first.body.prediction_id);
  });

  it('an unknown version is 404 and names the known ones', async () => {
    for (const model_version of ['v9.9.9', 'candidate']) {
      const answer = await service.post<ProblemBody>('/predict/customers', { features: {}, model_version });
      expect([answer.status, answer.body.type]).toEqual([404, 'urn:problem:version_not_found']);
      expect(answer.body.detail).toContain('v1.0.0');
    }
    const deploy = await service.post<ProblemBody>('/models/customers/deploy', { version: 'v9.9.9' });
    expect([deploy.status, deploy.body.detail]).toEqual([404, expect.stringContaining('v1.0.0')]);
  });

  it('answers a batch in order, each bad instance with its own error', async () => {
    const instances = [
      { entity_id: 'a', features: { usage: 90, plan: 'basic' } },
      { entity_id: 'b', features: { usage: 'x' } },
      'no object',
      { features: { usage: 5, plan: 'basic' }, model_version: 'V1' },
      { entity_id: 'd', features: { usage: 5, plan: 'basic' }, model_version: 'v1.0.0' },
    ];
    const { status, body } = await service.post<{
      results: (Prediction & { error?: { code: string; errors: { path: string }[] } })[];
    }>('/predict/customers/batch', { instances });
    expect(status).toBe(200);
    expect(body.results.map((item) => item.error?.code ?? item.predictions['label'])).toEqual([
      'leave',
      'request_invalid',
      'request_invalid',
      'request_invalid',
      'stay',
    ]);
    expect(body.results[1]!.error!.errors[0]!.path).toBe('features.usage');
    const hostile = await service.post<ProblemBody>(
      '/predict/customers/batch',
      '{"instances": [{}, {"__proto__": {"a": 1}}]}',
    );
    expect([hostile.status, hostile.body.errors?.[0]?.path]).toEqual([422, 'instances.1.__proto__']);
    expect((await service.post('/predict/customers/batch', { instances: [] })).status).toBe(422);
    const many = Array.from({ length: 10_001 }, () => ({ features: {} }));
    expect((await service.post('/predict/customers/batch', { instances: many })).status).toBe(422);
  });

  it('a prediction is in the database within 2 s, whatever else was sent', async () => {
    await service.post('/predict/customers', { entity_id: 'bad\0id', features: { plan: '\ud800' } });
    const sentMs = Date.now();
    const { body } = await predict('customers', { entity_id: 'zoë', features: { usage: 1, plan: 'pro"\\u0000' } });
    const [row] = await eventually('the prediction in the database', async () => {
      const rows = await service.query<{ created_at: Date }>('SELECT * FROM predictions WHERE id = $1', [
        body.prediction_id,
      ]);
      return rows.length > 0 ? rows : undefined;
    });
    expect(Date.now() - sentMs).toBeLessThan(2000);
    expect(row).toMatchObject({
      model: 'customers',
      version: 'v1.0.0',
      entity_id: 'zoë',
      features: { usage: 1, plan: 'pro"\\u0000' },
      predictions: body.predictions,
      cached: false,
    });
  });

  it('feedback is accepted late, repeated and corrected; the newest observed_at wins', async () => {
    const { body } = await predict('customers', { features: { usage: 2 } });
    const path = `/predictions/${body.prediction_id}/feedback`;
    const report = async (label: string, observed_at: string) =>
      (await service.post<{ outcome: object }>(path, { outcome: { label }, observed_at })).body;
    expect(await report('stay', '2024-05-01T00:00:00Z')).toMatchObject({ outcome: { label: 'stay' } });
    expect(await report('leave', '2024-06-01T02:00:00+02:00')).toEqual({
      prediction_id: body.prediction_id,
      observed_at: '2024-06-01T00:00:00.000Z',
      outcome: { label: 'leave' },
      metrics: {},
      state: 'stored',
    });
    const figures = { metrics: { revenue: 12.5 }, observed_at: '2024-05-01T00:00:00Z' };
    expect((await service.post(`/predictions/${body.prediction_id}/feedback`, figures)).body).toMatchObject({
      outcome: { label: 'leave' },
      metrics: {},
    });
    expect(await report('late', '2024-04-01T00:00:00Z')).toMatchObject({ outcome: { label: 'leave' } });
    expect(await report('corrected', '2024-06-01T00:00:00Z')).toMatchObject({ outcome: { label: 'corrected' } });
    for (const observed_at of ['yesterday', '2024-13-01T00:00:00Z', '2024-01-01', 5])
      expect((await service.post(path, { outcome: { label: 'x' }, observed_at })).status).toBe(422);
    expect((await service.post(path, { outcome: { label: 'x\0' } })).status).toBe(422);
    expect((await service.post(path, { outcome: { label: 'old' }, observed_at: '0000-01-01T00:00:00Z' })).status).toBe(
      422,
    );
  });
});

describe('going from version to version', () => {
  const deploy = (version: string, more: object = {}) => service.run('/models/customers/deploy', { version, ...more });
  const rollBack = () => service.post('/models/customers/rollback');

  it('an equal signature counts the minor number, and rollback gives the traffic back', async () => {
    expect(await train('customers', { hyperparameters: { ...SMALL, seed: 1 } })).toMatchObject({ version: 'v1.1.0' });
    await deploy('v1.1.0');
    expect(await served('customers')).toEqual({ version: 'v1.1.0', loaded_version: 'v1.1.0' });
    expect((await rollBack()).body).toMatchObject({
      version: 'v1.0.0',
      rolled_back_version: 'v1.1.0',
      ended_deployment_id: null,
      served: true,
    });
    expect(await served('customers')).toEqual({ version: 'v1.0.0', loaded_version: 'v1.0.0' });
    expect((await predict('customers', { features: {}, model_version: 'v1.1.0' })).body.model_version).toBe('v1.1.0');
  });

  it('deploying the served version again does not forget the one before it', async () => {
    await deploy('v1.1.0');
    await deploy('v1.1.0');
    expect((await rollBack()).body).toMatchObject({ version: 'v1.0.0' });
  });

  it('a damaged artifact fails its rollout with the reason, and the former version goes on serving', async () => {
    const { version, digest } = await train('customers', { hyperparameters: { ...SMALL, seed: 2 } });
    const folder = join(service.stack.stateDir, 'models', 'customers', String(digest));
    const file = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.model'))!,
    );
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    const error = await service.fail('/models/customers/deploy', { version });
    expect(error).toMatchObject({
      code: 'artifact_corrupt',
      detail: expect.stringMatching(/\.model.*changed or cut off/),
    });
    const { items } = (await service.get<{ items: { state: string; reason: string }[] }>('/deployments?limit=1')).body;
    expect(items[0]).toMatchObject({ state: 'failed', reason: expect.stringContaining('changed or cut off') });
    expect(await served('customers')).toEqual({ version: 'v1.0.0', loaded_version: 'v1.0.0' });
    expect((await predict('customers', { features: { usage: 1 } })).body.model_version).toBe('v1.0.0');
    const pinned = await service
      .call<ProblemBody>('POST', '/predict/customers', { features: {}, model_version: version })
      .catch((failure: unknown) => failure);
    expect(String(pinned)).toMatch(/artifact_corrupt/);
    // The failed rollout has not cost the way back.
    expect((await rollBack()).body).toMatchObject({ version: 'v1.1.0' });
  });

  it('a rollout that an operator terminates gives the traffic back and does not block the next one', async () => {
    const before = await served('customers');
    const temporal = await service.temporal();
    const handle = await temporal.workflow.signalWithStart('deployModel', {
      taskQueue: 'pipeline',
      workflowId: 'deploy-to-be-terminated',
      args: [{ model: 'customers', version: 'v1.0.0' }],
      signal: 'pause',
    });
    await handle.signal('resume');
    await eventually('the rollout under way', async () =>
      (await service.query(`SELECT 1 FROM deployments WHERE job_id = 'deploy-to-be-terminated'`)).length > 0
        ? true
        : undefined,
    );
    await handle.signal('pause').catch(() => undefined);
    await handle.terminate('a test').catch(() => undefined);
    const job = await service.ended('deploy-to-be-terminated');
    if (job.status === 'cancelled') expect(await served('customers')).toMatchObject({ version: before.version });
    await deploy('v1.1.0');
    expect((await served('customers')).loaded_version).toBe('v1.1.0');
  });

  it('a paused and then terminated rollout is closed', async () => {
    const temporal = await service.temporal();
    const handle = await temporal.workflow.signalWithStart('deployModel', {
      taskQueue: 'pipeline',
      workflowId: 'deploy-paused',
      args: [{ model: 'customers', version: 'v1.0.0' }],
      signal: 'pause',
    });
    await eventually('the job', async () =>
      (await service.get('/jobs/deploy-paused').catch(() => undefined))?.status === 200 ? true : undefined,
    );
    const refused = await service.post<ProblemBody>('/models/customers/deploy', { version: 'v1.0.0' });
    expect([refused.status, refused.body.type]).toEqual([409, 'urn:problem:deployment_conflict']);
    await handle.terminate('a test');
    expect(await service.ended('deploy-paused')).toMatchObject({
      status: 'cancelled',
      error: { code: 'job_terminated' },
    });
    await deploy('v1.0.0');
  });
});

describe('a model without skill', () => {
  it('is registered as not promotable, and deployed only when that is asked for', async () => {
    const version = await train('coins', { auto_deploy: true });
    expect(version).toMatchObject({ version: 'v1.0.0', promotable: false, reason: expect.stringContaining('label') });
    expect(version['deployment']).toBeUndefined();
    const refused = await service.post<ProblemBody>('/models/coins/deploy', { version: 'v1.0.0' });
    expect([refused.status, refused.body.type]).toEqual([409, 'urn:problem:deployment_conflict']);
    expect(refused.body.detail).toMatch(/not promotable.*allow_unpromotable/);
    await service.run('/models/coins/deploy', { version: 'v1.0.0', allow_unpromotable: true });
    expect((await predict('coins', { features: { usage: 5 } })).status).toBe(200);
  });
});

describe('regression', () => {
  it('is trained, deployed by itself, and answers a number with an interval that holds what it promises', async () => {
    const version = await train('spending', { auto_deploy: true, cross_validation: true });
    expect(version).toMatchObject({ promotable: true, deployment: { state: 'promoted' } });
    const { body } = await predict('spending', { features: { usage: 50, plan: 'pro' }, explain: true });
    const value = Number(body.predictions['value']);
    expect(value).toBeGreaterThan(250);
    expect(value).toBeLessThan(450);
    const interval = body.predictions['interval'] as unknown as { lower: number; upper: number; level: number };
    expect(interval.lower).toBeLessThan(value);
    expect(interval.upper).toBeGreaterThan(value);
    expect(body.confidence_scores['value']).toBe(interval.level);
    const sum = body.explanations['value']!.reduce((total, item) => total + item.contribution, 0);
    expect(Math.abs(sum + body.explanation_base_values['value']! - value)).toBeLessThan(1e-5);
    const details = await service.get<{
      metrics: { value: Record<string, { value: number; rows: number }> };
      cross_validation: { folds: number };
    }>('/models/spending/versions/production');
    expect(Object.keys(details.body.metrics.value)).toEqual(expect.arrayContaining(['rmse', 'mae', 'r2', 'coverage']));
    expect(details.body.metrics.value['r2']!.value).toBeGreaterThan(0.8);
    expect(details.body.cross_validation.folds).toBe(5);
  });
});

describe('user behavior', () => {
  it('answers exactly as the seed’s example asks', async () => {
    await service.run('/models/train', { model_type: 'user-behavior', hyperparameters: SMALL });
    await service.run('/models/user-behavior/deploy', { version: 'v1.0.0', allow_unpromotable: true });
    const request = {
      user_id: 'user_123',
      features: { activity_score: 0.8, project_count: 5, collaboration_score: 0.6, ai_usage_frequency: 0.7 },
    };
    const { status, body } = await predict('user-behavior', request);
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: 'user_behavior', model_version: 'v1.0.0' });
    expect(Object.keys(body.predictions).toSorted()).toEqual([
      'churn_probability',
      'engagement_level',
      'next_activity',
    ]);
    expect(body.predictions['churn_probability']).toBeGreaterThanOrEqual(0);
    expect(body.predictions['churn_probability']).toBeLessThanOrEqual(1);
    expect(['low', 'medium', 'high']).toContain(body.predictions['engagement_level']);
    expect(Object.keys(body.confidence_scores).toSorted()).toEqual(Object.keys(body.predictions).toSorted());
    // Whether the order of activities counts is decided by the data; a caller who lists them in vain is told so.
    const listed = await predict('user_behavior', { ...request, recent_activities: ['login', 'code_commit'] });
    const isUsed = listed.body.confidence_scores['next_activity'] !== body.confidence_scores['next_activity'];
    const { warnings = [] } = listed.body as { warnings?: { path: string }[] };
    expect(warnings.some(({ path }) => path === 'recent_activities')).toBe(!isUsed);
    const versioned = await predict('user_behavior', { ...request, model_version: 'v1.0.0', explain: true });
    expect(versioned.body.predictions).toEqual(body.predictions);
    for (const [head, items] of Object.entries(versioned.body.explanations)) {
      const sum = items.reduce(
        (total, item) => total + item.contribution,
        versioned.body.explanation_base_values[head]!,
      );
      const answer = head === 'churn_probability' ? Number(body.predictions[head]) : body.confidence_scores[head]!;
      expect(Math.abs(sum - answer), head).toBeLessThan(1e-6);
    }
    expect((await service.post('/predict/user-behavior', { ...request, project_id: 'x' })).status).toBe(422);
  });

  it('every job of this file that was accepted has ended', async () => {
    const { items } = (await service.get<{ items: JobBody[] }>('/jobs?limit=500')).body;
    expect(items.filter((job) => job.status === 'queued' || job.status === 'running')).toEqual([]);
  });
});
