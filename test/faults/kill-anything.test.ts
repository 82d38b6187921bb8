import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../ml/random/prng.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { createApiClient, pause } from '../support/api-client.js';
import { queryDatabase } from '../support/query-database.js';
import { simulateFiles } from '../support/simulate-files.js';

/** Long enough that a kill lands in the middle of something. */
const TRAINING = { model_type: 'user_behavior', hyperparameters: { n_estimators: 150 } };

let stack: TestStack;
let events: string;
/** What the same requests give when nothing is killed. */
let undisturbed: { dataset: string; model: string };
const api = createApiClient(() => stack.api);
const prng = createPrng(20_261_123);

const query = <Row extends object>(sql: string, values?: unknown[]) =>
  queryDatabase<Row>(stack.addresses.databaseUrl, sql, values);

const ingestion = () => ({ source: events, data_type: 'user_events' });

/** No half-written file lies under a final name, and no process is left behind. */
async function expectNothingLeftOver(): Promise<void> {
  const datasets = readdirSync(join(stack.stateDir, 'data', 'datasets')).filter((name) => name !== '.staging');
  const known = await query<{ id: string }>('SELECT id FROM datasets');
  expect(datasets.sort()).toEqual(known.map((row) => row.id).sort());
  const bundles = readdirSync(join(stack.stateDir, 'models', 'user_behavior'));
  const versions = await query<{ digest: string }>('SELECT DISTINCT digest FROM model_versions');
  expect(bundles.sort()).toEqual(versions.map((row) => row.digest).sort());
}

/** Starts an ingestion and a training, lets `fault` happen in the middle, and holds the outcome to the undisturbed one. */
async function survive(name: string, fault: () => Promise<void>): Promise<void> {
  const ingest = await api.postUntilAccepted('/data/ingest', ingestion(), `ingest-${name}`);
  const train = await api.postUntilAccepted(
    '/models/train',
    { ...TRAINING, training_data: { source: undisturbed.dataset } },
    `train-${name}`,
  );
  await api.waitForStage(train, 'fit');
  await pause(Math.floor(prng.next() * 1500));
  await fault();
  const ingested = await api.waitForJob(ingest);
  const trained = await api.waitForJob(train);
  expect(ingested).toMatchObject({ status: 'completed', progress: 1 });
  expect(trained).toMatchObject({ status: 'completed', progress: 1 });
  expect(trained.result?.['digest'], 'the model must be the same to the bit').toBe(undisturbed.model);
  expect(await query('SELECT id FROM datasets WHERE job_id = $1', [ingest])).toHaveLength(1);
  expect(await query('SELECT version FROM model_versions WHERE job_id = $1', [train])).toHaveLength(1);
  // The same requests again are the same jobs.
  expect(await api.postUntilAccepted('/data/ingest', ingestion(), `ingest-${name}`)).toBe(ingest);
  await expectNothingLeftOver();
}

describe('whatever is killed, jobs end with the same result', () => {
  beforeAll(async () => {
    stack = await TestStack.start();
    ({ events } = simulateFiles(stack.stateDir, 1200));
    const dataset = await api.run('/data/ingest', ingestion(), 'undisturbed-ingest');
    const version = await api.run('/models/train', TRAINING, 'undisturbed-train');
    await api.run('/models/user_behavior/deploy', { version: version['version'] }, 'undisturbed-deploy');
    undisturbed = { dataset: String(dataset['dataset_id']), model: String(version['digest']) };
  });
  afterAll(() => stack?.stop());

  // The other parts: chaos.test.ts.
  it('kill -9 of the training worker in the middle of a long fit', async () => {
    await survive('training-worker', async () => {
      stack.kill9('training-worker');
      await pause(300);
    });
    const answer = await api.call('POST', '/predict/user-behavior', {
      user_id: 'u',
      features: { activity_score: 0.5 },
    });
    expect(answer.status).toBe(200);
  });

  it('kill -9 of everything at once, and a new start on the same state', async () => {
    await survive('everything', async () => {
      await stack.killEverything();
      await stack.startAgain();
    });
    const answer = await api.call('POST', '/predict/user-behavior', {
      user_id: 'u',
      features: { activity_score: 0.5 },
    });
    expect(answer).toMatchObject({ status: 200, body: { model_version: 'v1.0.0' } });
  });
});

/** The places where an effect is half-way: files are there and no row, or a row and no completed activity. */
const POINTS = [
  'ingest:after-snapshot',
  'ingest:after-row',
  'register:after-files',
  'register:after-row',
  'deploy:after-switch',
];

describe('a worker that dies between two effects', () => {
  it('leaves one dataset, one version and one route after the retries', async () => {
    const broken = await TestStack.start({ NODE_ENV: 'test', FAILPOINT: POINTS.join(',') });
    try {
      const client = createApiClient(() => broken.api);
      const files = simulateFiles(broken.stateDir, 200);
      await client.run('/data/ingest', { source: files.events, data_type: 'user_events' }, 'ingest');
      await client.run(
        '/models/train',
        { model_type: 'user_behavior', hyperparameters: { n_estimators: 10 } },
        'train',
      );
      await client.run('/models/user_behavior/deploy', { version: 'v1.0.0', allow_unpromotable: true }, 'deploy');
      expect(readdirSync(broken.stateDir)).toEqual(
        expect.arrayContaining(POINTS.map((point) => `failpoint-${point.replaceAll(':', '-')}`)),
      );
      const listed = async (path: string) => (await client.call<{ items: object[] }>('GET', path)).body.items;
      expect(await listed('/data/datasets')).toHaveLength(1);
      expect(await listed('/models/user_behavior/versions')).toHaveLength(1);
      expect(await listed('/deployments')).toMatchObject([
        {
          state: 'promoted',
          previous_version: null,
          steps: [{ step: 'verify' }, { step: 'holdout' }, { step: 'switch' }, { step: 'confirm' }],
        },
      ]);
    } finally {
      await broken.stop();
    }
  });
});
