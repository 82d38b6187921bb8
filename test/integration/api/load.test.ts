import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from '../../../infra/local/test-stack.js';
import { createApiClient } from '../../support/api-client.js';
import { simulateFiles } from '../../support/simulate-files.js';
import { renderLoad } from '../../load/render-load.js';
import { runLoad } from '../../load/run-load.js';
import { scenariosFor } from '../../load/scenarios.js';

const SCENARIOS = scenariosFor(60, 2);
const MODELS = ['user_behavior', 'project_success'];

describe('the load on a running service', () => {
  let stack: TestStack;
  const api = createApiClient(() => stack.api);
  const train = (model: string, key: string) =>
    api.postUntilAccepted('/models/train', { model_type: model, hyperparameters: { n_estimators: 20 } }, key);

  beforeAll(async () => {
    stack = await TestStack.start({ AUTO_ML_ENABLED: 'false', PREDICTION_CACHE_TTL: '0' });
    simulateFiles(stack.stateDir, 600);
    for (const [table, model] of [
      ['user_events', 'user_behavior'],
      ['projects', 'project_success'],
    ] as const) {
      await api.run('/data/ingest', { source: `${table}.parquet`, data_type: table }, `ingest-${table}`);
      const { result } = await api.waitForJob(await train(model, `train-${model}`));
      const version = { version: result!['version'], allow_unpromotable: true };
      await api.run(`/models/${model}/deploy`, version, `deploy-${model}`);
    }
  });
  afterAll(() => stack?.stop());

  it.each(SCENARIOS)('$name: each request is answered rightly or turned away, by one version', async (scenario) => {
    const training = scenario.isMixed ? await train('user_behavior', 'meanwhile') : undefined;
    const result = await runLoad(stack.api, scenario, MODELS);
    expect(result.problems).toEqual([]);
    expect(result.requests).toBeGreaterThan(50);
    expect(result.answered + result.refused).toBe(result.requests);
    expect(result.answered).toBeGreaterThan(0);
    const models = scenario.isMixed ? MODELS.toSorted() : ['user_behavior'];
    expect(result.versions).toEqual(models.map((model) => `${model} v1.0.0`));
    if (training) expect(await api.waitForJob(training)).toMatchObject({ status: 'completed' });
    const page = renderLoad(stack.api, new Date(0), [result]);
    expect(page).toContain(`<h2>${scenario.name}</h2>`);
    expect(page).toContain('All answers are as they should be.');
  });
});

describe('what the load says of a service that', () => {
  const runAgainst = async (answer: (count: number) => [number, object]) => {
    let count = 0;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        const [status, body] = answer(count++);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      return await runLoad(`http://127.0.0.1:${port}`, scenariosFor(300, 1)[1]!, ['user_behavior']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };
  const prediction = (id: number, predictions: object = {}) => ({
    prediction_id: `pred_${id}`,
    model: 'user_behavior',
    model_version: 'v1.0.0',
    predictions,
  });

  it('answers well: nothing', async () => {
    expect((await runAgainst((count) => [200, prediction(count)])).problems).toEqual([]);
  });
  it('gives an id twice', async () => {
    const { problems } = await runAgainst((count) => [200, prediction(Math.floor(count / 2))]);
    expect(problems[0]).toBe('the id pred_0 was given twice');
  });
  it('mixes versions: equal requests to one have different answers', async () => {
    const { problems } = await runAgainst((count) => [200, prediction(count, { churn_probability: count })]);
    expect(problems[0]).toMatch(/v1\.0\.0 answered \{"user_id":"user_0".* after /);
  });
  it('fails, or turns requests away', async () => {
    const failed = await runAgainst((count) => (count % 2 ? [500, { detail: '<b>' }] : [429, {}]));
    expect(failed.problems[0]).toMatch(/^\/predict\/user-behavior answered 500/);
    expect(failed.refused).toBeGreaterThan(0);
    expect(failed.answered).toBe(0);
    const page = renderLoad('http://here', new Date(0), [failed]);
    expect(page).toContain('&lt;b&gt;');
    expect(page).toContain('20 problems.');
  });
});
