import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMlflowPython, MlflowServer } from '../../support/mlflow-server.js';
import { smallOnnx } from '../../support/small-onnx.js';
import { eventually, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `
customers:
  kind: classification
  algorithm: gradient_boosting
  source: customers
  entity: customer
  target: outcome
  exclude: [spend]
scores:
  kind: classification
  source: scores
  target: outcome
`;

const found = findMlflowPython();
if ('reason' in found) process.stderr.write(`MLflow is not tested: ${found.reason}\n`);

interface Run {
  info: { run_id: string; status: string; artifact_uri: string };
  data: {
    params?: { key: string; value: string }[];
    metrics?: { key: string; value: number }[];
    tags: { key: string; value: string }[];
  };
}
interface Version {
  version: string;
  run_id: string;
  source: string;
  aliases?: string[];
  tags: { key: string; value: string }[];
}

describe.skipIf('reason' in found)('MLflow', () => {
  let mlflow: MlflowServer;
  let service: Service;

  beforeAll(async () => {
    mlflow = new MlflowServer((found as { python: string }).python);
    service = await Service.start(MODELS, { MLFLOW_TRACKING_URI: await mlflow.reserve() });
    service.file('customers.csv', learnableTable(600));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  });
  afterAll(async () => {
    await service?.stop();
    await mlflow?.remove();
  });

  const tagOf = ({ tags }: { tags: { key: string; value: string }[] }, key: string) =>
    tags.find((tag) => tag.key === key)?.value;

  async function runsThere(): Promise<Run[]> {
    const { experiments } = await mlflow.call<{ experiments?: { experiment_id: string; name: string }[] }>(
      'experiments/search',
      { max_results: 100 },
    );
    const ids = (experiments ?? []).filter(({ name }) => name.endsWith('/customers')).map((one) => one.experiment_id);
    if (ids.length === 0) return [];
    return (await mlflow.call<{ runs?: Run[] }>('runs/search', { experiment_ids: ids })).runs ?? [];
  }
  const versionsThere = async () =>
    (
      await mlflow.call<{ model_versions?: Version[] }>(
        `model-versions/search?filter=${encodeURIComponent("name='customers'")}`,
      )
    ).model_versions ?? [];

  it('that is away delays no training, and is told everything once it is there', async () => {
    const result = await service.run('/models/train', {
      model_type: 'customers',
      hyperparameters: { n_estimators: 12 },
    });
    await service.run('/models/customers/deploy', { version: result['version'], allow_unpromotable: true });
    await mlflow.start();
    const [run] = await eventually(
      'the run in MLflow',
      async () => {
        const runs = await runsThere();
        return runs[0]?.info.status === 'FINISHED' ? runs : undefined;
      },
      120_000,
    );
    expect(run!.data.params).toContainEqual({ key: 'n_estimators', value: '12' });
    const { items } = (await service.get<{ items: { run_id: string; metrics: Record<string, number> }[] }>('/runs'))
      .body;
    expect(tagOf(run!.data, 'mlops.run_id')).toBe(items[0]!.run_id);
    expect(run!.data.metrics!.find(({ key }) => key === 'roc_auc')!.value).toBeCloseTo(
      items[0]!.metrics['roc_auc']!,
      12,
    );
    const curve = await mlflow.call<{ metrics: { step: number }[] }>(
      `metrics/get-history?run_id=${run!.info.run_id}&metric_key=label.gradient_boosting.training_loss`,
    );
    expect(curve.metrics.map(({ step }) => step).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, at) => at + 1),
    );
  });

  it('has the version with its files, state and aliases, and they follow', async () => {
    const version = await eventually(
      'the version in MLflow',
      async () => {
        const [first] = await versionsThere();
        return first?.aliases?.includes('production') ? first : undefined;
      },
      // What MLflow was away for is tried again after a minute and a quarter at most.
      150_000,
    );
    expect(tagOf(version, 'mlops.version')).toBe('v1.0.0');
    expect(tagOf(version, 'mlops.state')).toBe('production');
    const path = version.source.replace('mlflow-artifacts:/', '');
    const file = await fetch(`${mlflow.url}/api/2.0/mlflow-artifacts/artifacts/${path}/model.json`);
    expect(await file.json()).toMatchObject({ model: 'customers', format_version: 2 });
    await service.call('PUT', '/models/customers/aliases/candidate', { version: 'v1.0.0' });
    await eventually('the alias', async () =>
      (await versionsThere())[0]?.aliases?.includes('candidate') ? true : undefined,
    );
    await service.call('DELETE', '/models/customers/aliases/candidate');
    await eventually('its end', async () =>
      (await versionsThere())[0]?.aliases?.includes('candidate') ? undefined : true,
    );
  });

  it('gives its ONNX models as versions, and never its pickles', async () => {
    const { experiment_id } = await mlflow.call<{ experiment_id: string }>('experiments/create', { name: 'elsewhere' });
    const { run } = await mlflow.call<{ run: Run }>('runs/create', { experiment_id, start_time: 1 });
    const root = run.info.artifact_uri.replace('mlflow-artifacts:/', '');
    const put = (path: string, content: string | Uint8Array) =>
      fetch(`${mlflow.url}/api/2.0/mlflow-artifacts/artifacts/${root}/${path}`, {
        method: 'PUT',
        body: content as string,
      });
    await put('net/MLmodel', 'flavors:\n  onnx:\n    data: model.onnx\n    onnx_version: 1.17.0\n');
    await put('net/model.onnx', smallOnnx());
    await put('pickled/MLmodel', 'flavors:\n  sklearn:\n    pickled_model: model.pkl\n');
    await mlflow.call('registered-models/create', { name: 'theirs' });
    const source = `${run.info.artifact_uri}/net`;
    await mlflow.call('model-versions/create', { name: 'theirs', source, run_id: run.info.run_id });
    await mlflow.call('registered-models/alias', { name: 'theirs', alias: 'champion', version: '1' });
    const body = { features: [{ name: 'a' }, { name: 'b' }], classes: ['no', 'yes'] };
    for (const place of ['models:/theirs/1', 'models:/theirs@champion', `runs:/${run.info.run_id}/net`]) {
      const answer = await service.post('/models/scores/versions/import', { ...body, source: place });
      expect([place, answer.status, answer.body['version']]).toEqual([place, 201, 'v1.0.0']);
    }
    const pickled = await service.post<ProblemBody>('/models/scores/versions/import', {
      ...body,
      source: `runs:/${run.info.run_id}/pickled`,
    });
    expect(pickled.body.detail).toMatch(/MLflow has it as sklearn, which is Python code or a pickle/);
    const missing = await service.post<ProblemBody>('/models/scores/versions/import', {
      ...body,
      source: 'models:/none/1',
    });
    expect([missing.status, missing.body.type]).toEqual([422, 'urn:problem:source_forbidden']);
  });

  it('gets nothing twice when the worker is killed again and again meanwhile', async () => {
    const ids = await Promise.all(
      [5, 6, 7].map((n_estimators) =>
        service.start('/models/train', { model_type: 'customers', hyperparameters: { n_estimators } }),
      ),
    );
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 2500));
      service.stack.kill9('pipeline-worker');
    }
    for (const id of ids) await service.ended(id, 180_000);
    // A claim of a killed worker lapses after three minutes; the test does not wait for that.
    await eventually(
      'claims',
      async () => {
        await service.query('UPDATE mlflow_mirrors SET next_attempt_at = now() WHERE sent < revision');
        const [left] = await service.query<{ count: string }>(
          'SELECT count(*) FROM mlflow_mirrors WHERE sent < revision',
        );
        return left!.count === '0' ? true : undefined;
      },
      120_000,
    );
    const runs = await runsThere();
    expect(runs).toHaveLength(4);
    expect(new Set(runs.map(({ data }) => tagOf(data, 'mlops.run_id'))).size).toBe(4);
    expect(new Set((await versionsThere()).map((one) => tagOf(one, 'mlops.version')))).toEqual(
      new Set(['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.3.0']),
    );
  }, 400_000);
});
