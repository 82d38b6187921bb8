import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKeys } from '../../support/encryption-keys.js';
import { smallOnnx } from '../../support/small-onnx.js';
import { Service, type ProblemBody } from './support/service.js';
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
seasons:
  kind: resource_usage
  source: seasons
`;

const IMPORT = '/models/scores/versions/import';
const FEATURES = [{ name: 'a' }, { name: 'b' }];
const body = { source: 'small.onnx', features: FEATURES, classes: ['no', 'yes'] };

let service: Service;
beforeAll(async () => {
  // `docs/guide/onnx.md` is run without keys.
  service = await Service.start(MODELS, { ENCRYPTION_KEYS: newKeys() });
  service.file('customers.csv', learnableTable(600));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 20 } });
  service.file('small.onnx', smallOnnx());
});
afterAll(() => service?.stop());

describe('an ONNX file', () => {
  it('becomes a version once, which is deployed and answers like any other', async () => {
    const first = await service.post<{ version: string; digest: string; promotable: boolean }>(IMPORT, body);
    expect(first.status, first.text).toBe(201);
    expect(first.headers.get('location')).toBe('/models/scores/versions/v1.0.0');
    expect(first.body).toMatchObject({
      version: 'v1.0.0',
      promotable: false,
      parameters: { algorithm: 'onnx', settings: { imported_from: 'small.onnx', opset: 17 } },
      signature: {
        features: [
          { name: 'a', type: 'number' },
          { name: 'b', type: 'number' },
        ],
      },
    });
    const again = await service.post<{ version: string }>(IMPORT, body);
    expect(again.body.version).toBe('v1.0.0');
    await service.run('/models/scores/deploy', { version: 'v1.0.0', allow_unpromotable: true });
    const answer = await service.post('/predict/scores', { features: { a: 3, b: 0.5 } });
    expect(answer.body).toMatchObject({ model_version: 'v1.0.0', predictions: { label: 'yes' } });
    const batch = await service.post<{ results: object[] }>('/predict/scores/batch', {
      instances: [{ features: { a: 3, b: 0.5 } }, { features: { a: 'x' } }],
    });
    expect(batch.body.results).toMatchObject([
      { predictions: { label: 'yes' } },
      { error: { code: 'request_invalid' } },
    ]);
    const infer = await service.post<{ outputs: { name: string; data: unknown[] }[] }>('/v2/models/scores/infer', {
      inputs: [
        { name: 'a', datatype: 'FP64', shape: [2], data: [3, -3] },
        { name: 'b', datatype: 'FP64', shape: [2], data: [0.5, 0.5] },
      ],
    });
    expect(infer.body.outputs.find(({ name }) => name === 'label')?.data).toEqual(['yes', 'no']);
    const bad = await service.post<ProblemBody>('/predict/scores', { features: { a: 'x', b: 1 } });
    expect([bad.status, bad.body.errors?.[0]?.path]).toEqual([422, 'features.a']);
  });

  it('is held to the examples that came with it', async () => {
    const examples = [{ features: { a: 3, b: 0.5 }, outputs: [0.119203, 0.880797] }];
    const other = await service.post<{ version: string }>(IMPORT, { ...body, examples });
    expect([other.status, other.body.version]).toEqual([201, 'v1.1.0']);
    const wrong = await service.post<ProblemBody>(IMPORT, {
      ...body,
      examples: [{ ...examples[0], outputs: [0.5, 0.5] }],
    });
    expect(wrong.status).toBe(422);
    expect(wrong.body.errors).toEqual([
      { path: 'examples.0.outputs', message: 'are not what the model says: 0.1192029, 0.880797' },
    ]);
    const misfit = await service.post<ProblemBody>(IMPORT, { ...body, examples: [{ features: { a: 'x', c: 1 } }] });
    expect(misfit.body.errors?.map(({ path }) => path)).toContain('examples.0.features.a');
  });

  it('that is none, lies elsewhere, or is of another kind is refused with the reason', async () => {
    service.file('pickle.onnx', '\x80\x04cos\nsystem\n');
    service.file(
      'loop.onnx',
      smallOnnx((model) => void (model.graph.node[3]!.opType = 'Loop')),
    );
    // It looks well, but the runtime does not take it.
    service.file(
      'broken.onnx',
      smallOnnx((model) => void (model.graph.node[0]!.opType = 'Conv')),
    );
    writeFileSync(join(service.inbox, '..', 'outside.onnx'), smallOnnx());
    for (const [source, code, detail] of [
      ['pickle.onnx', 'import_rejected', /no ONNX file/],
      ['loop.onnx', 'import_rejected', /it has a Loop/],
      ['broken.onnx', 'import_rejected', /onnxruntime does not take it/],
      ['../outside.onnx', 'source_forbidden', /no file/],
      ['models:/x/1', 'source_forbidden', /MLFLOW_TRACKING_URI/],
    ] as const) {
      const answer = await service.post<ProblemBody>(IMPORT, { ...body, source });
      expect([source, answer.status, answer.body.type]).toEqual([source, 422, `urn:problem:${code}`]);
      expect(answer.body.detail).toMatch(detail);
    }
    const kind = await service.post<ProblemBody>('/models/seasons/versions/import', body);
    expect(kind.body.detail).toContain('a model of the kind resource_usage');
    expect((await service.post('/models/nobody/versions/import', body)).status).toBe(404);
  });
});

describe('a version of ours', () => {
  it('goes out as ONNX, and comes back as a version that says the same', async () => {
    const response = await fetch(`${service.stack.api}/models/customers/versions/v1.0.0/export?format=onnx`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-disposition')).toBe('attachment; filename=customers-v1.0.0.onnx');
    service.file('ours.onnx', new Uint8Array(await response.arrayBuffer()));
    const { signature } = (
      await service.get<{ signature: { features: { name: string; type: string }[]; heads: { classes: string[] }[] } }>(
        '/models/customers/versions/v1.0.0',
      )
    ).body;
    const features = signature.features
      .filter(({ type }) => !type.startsWith('ignored'))
      .map(({ name, type }) => ({ name, type: type === 'category' ? 'category' : 'number' }));
    const imported = await service.post<{ version: string }>('/models/customers/versions/import', {
      source: 'ours.onnx',
      features,
      classes: signature.heads[0]!.classes,
    });
    expect(imported.status, imported.text).toBe(201);
    const ask = async (model_version: string, signed_up: unknown) =>
      (
        await service.post<{ predictions: { probabilities: Record<string, number> } }>('/predict/customers', {
          features: { usage: 30.5, plan: 'pro', coin: 'never seen', signed_up },
          model_version,
        })
      ).body.predictions.probabilities;
    const ours = await ask('v1.0.0', '2024-01-15');
    const theirs = await ask(imported.body.version, Date.UTC(2024, 0, 15));
    for (const [name, value] of Object.entries(ours)) expect(theirs[name]).toBeCloseTo(value, 5);
  });

  it('is refused in a form that there is not', async () => {
    const pmml = await service.get<ProblemBody>('/models/customers/versions/v1.0.0/export?format=pmml');
    expect([pmml.status, pmml.body.errors?.[0]?.path]).toEqual([422, 'format']);
    expect((await service.get('/models/customers/versions/v9.0.0/export')).status).toBe(404);
  });
});
