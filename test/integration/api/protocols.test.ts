import { tableFromArrays, tableFromIPC, tableToIPC, vectorFromArray, Utf8, Dictionary, Int32 } from 'apache-arrow';
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../infra/local/free-port.js';
import { decodeRaw } from '../../../services/serving/inference-tensor.js';
import { Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
idle: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;
const ARROW = 'application/vnd.apache.arrow.stream';

let service: Service;
let grpcPort: number;

beforeAll(async () => {
  grpcPort = await freePort();
  service = await Service.start(MODELS, { PREDICTION_CACHE_TTL: '0', GRPC_PORT: String(grpcPort) });
  service.file('customers.csv', learnableTable(200));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 5, max_depth: 3 } });
  await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
});
afterAll(() => service?.stop());

const usage = [90, 5, 33.3, 70];
const plan = ['basic', 'pro', 'plus', 'unheard of'];

interface Tensors {
  model_version: string;
  id?: string;
  outputs: { name: string; datatype: string; shape: number[]; data: unknown[] }[];
}
const v2 = async (path: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(`${service.stack.api}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    body:
      body === undefined
        ? undefined
        : typeof body === 'string' || body instanceof Uint8Array
          ? (body as string)
          : JSON.stringify(body),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(response.headers.get('x-correlation-id')).toBeTruthy();
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    json: () => JSON.parse(Buffer.from(bytes).toString()) as never,
  };
};
const infer = (body: unknown, headers?: Record<string, string>) => v2('/v2/models/customers/infer', body, headers);
const tensor = (name: string, datatype: string, data: unknown[], shape = [data.length]) => ({
  name,
  datatype,
  shape,
  data,
});

const singles = async () => {
  const answers = [];
  for (const [at, value] of usage.entries()) {
    const { body } = await service.post<{
      predictions: { label: string; probabilities: Record<string, number> };
      confidence_scores: Record<string, number>;
    }>('/predict/customers', { features: { usage: value, plan: plan[at] } });
    answers.push(body);
  }
  return answers;
};

describe('Open Inference Protocol over REST', () => {
  it.each([
    ['/v2', 200],
    ['/v2/health/live', 200],
    ['/v2/health/ready', 200],
    ['/v2/models/customers', 200],
    ['/v2/models/customers/ready', 200],
    ['/v2/models/customers/versions/v1.0.0', 200],
    ['/v2/models/customers/versions/v1.0.0/ready', 200],
    ['/v2/models/nobody', 404],
    ['/v2/models/idle/ready', 404],
    ['/v2/models/customers/versions/v9.9.9', 404],
    ['/v2/nowhere', 404],
    ['/v2/models/customers/infer', 405],
  ])('GET %s answers %i', async (path, status) => {
    const answer = await v2(path);
    expect(answer.status).toBe(status);
    expect(answer.json()).toEqual(status === 200 ? expect.any(Object) : { error: expect.any(String) });
  });

  it('tells the tensors of a model', async () => {
    expect((await v2('/v2/models/customers')).json()).toMatchObject({
      name: 'customers',
      versions: ['v1.0.0'],
      inputs: [
        { name: 'usage', datatype: 'FP64', shape: [-1] },
        { name: 'plan', datatype: 'BYTES', shape: [-1] },
        { name: 'entity_id', datatype: 'BYTES', shape: [-1] },
      ],
    });
  });

  it.each(['FP64', 'FP32', 'FP16', 'INT8', 'INT16', 'INT32', 'INT64', 'UINT8', 'UINT16', 'UINT32', 'UINT64'])(
    'takes %s, and answers each row as a single prediction is answered',
    async (datatype) => {
      const { status, json } = await infer({
        id: 'seven',
        inputs: [tensor('usage', datatype, [90, 5], [2, 1]), tensor('plan', 'BYTES', ['basic', 'pro'])],
      });
      expect(status).toBe(200);
      const answer = json() as Tensors;
      expect([answer.id, answer.model_version]).toEqual(['seven', 'v1.0.0']);
      const expected = await singles();
      expect(answer.outputs.find(({ name }) => name === 'label')!.data).toEqual(
        expected.slice(0, 2).map(({ predictions }) => predictions.label),
      );
      expect(answer.outputs.find(({ name }) => name === 'prediction_id')!.data[0]).toMatch(/^pred_[0-9a-f]{32}$/);
    },
  );

  it('takes and gives raw tensors, as tritonclient sends them', async () => {
    const raw = Buffer.alloc(16);
    raw.writeDoubleLE(90, 0);
    raw.writeDoubleLE(NaN, 8);
    const header = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true },
        inputs: [{ name: 'usage', datatype: 'FP64', shape: [2], parameters: { binary_data_size: 16 } }],
        outputs: [{ name: 'prediction_id' }],
      }),
    );
    const answer = await infer(Buffer.concat([header, raw]), {
      'Inference-Header-Content-Length': String(header.length),
    });
    expect(answer.status).toBe(200);
    const length = Number(answer.headers.get('inference-header-content-length'));
    const ids = decodeRaw('BYTES', answer.bytes.subarray(length), 2, 'x') as string[];
    await new Promise((resolve) => setTimeout(resolve, 600));
    const rows = await service.query<{ features: unknown }>(
      'SELECT features FROM predictions WHERE id = ANY($1) ORDER BY features->>$2',
      [ids, 'usage'],
    );
    expect(rows.map(({ features }) => features)).toEqual([{ usage: 90 }, { usage: null }]);
  });

  it.each<[string, unknown, Record<string, string>?]>([
    ['no JSON', '{"inputs": '],
    ['no inputs', { inputs: [] }],
    ['an unknown input', { inputs: [tensor('ussage', 'FP64', [1])] }],
    ['an unknown datatype', { inputs: [tensor('usage', 'FP128', [1])] }],
    ['a value out of range', { inputs: [tensor('usage', 'UINT8', [256])] }],
    ['a fraction as a whole number', { inputs: [tensor('usage', 'INT32', [1.5])] }],
    ['a text as a number', { inputs: [tensor('usage', 'FP64', ['x'])] }],
    ['a text that is no number', { inputs: [tensor('usage', 'BYTES', ['x'])] }],
    ['a shape of two columns', { inputs: [tensor('usage', 'FP64', [1, 2], [1, 2])] }],
    ['a shape that the data lack', { inputs: [tensor('usage', 'FP64', [1], [1_000_000_000])] }],
    ['tensors of different lengths', { inputs: [tensor('usage', 'FP64', [1]), tensor('plan', 'BYTES', ['a', 'b'])] }],
    ['an input twice', { inputs: [tensor('usage', 'FP64', [1]), tensor('usage', 'FP64', [1])] }],
    ['an unknown output', { inputs: [tensor('usage', 'FP64', [1])], outputs: [{ name: 'nothing' }] }],
    [
      'raw bytes that are not there',
      { inputs: [{ name: 'usage', datatype: 'FP64', shape: [1], parameters: { binary_data_size: 8 } }] },
    ],
    [
      'a header length beyond the body',
      { inputs: [tensor('usage', 'FP64', [1])] },
      { 'Inference-Header-Content-Length': '99999' },
    ],
  ])('refuses %s with 400 and the error of the protocol', async (_, body, headers) => {
    const answer = await infer(body, headers);
    expect([answer.status, answer.json()]).toEqual([400, { error: expect.stringMatching(/.+/) }]);
  });
});

describe('Open Inference Protocol over gRPC', () => {
  type Unary = (
    request: object,
    done: (error: { code: number; details: string } | null, answer: never) => void,
  ) => void;
  let client: Client & Record<string, Unary>;
  beforeAll(() => {
    const definition = loadSync('api/grpc/open-inference.proto', { keepCase: true, longs: Number, defaults: true });
    const { inference } = loadPackageDefinition(definition) as never as {
      inference: { GRPCInferenceService: new (address: string, secure: unknown) => typeof client };
    };
    client = new inference.GRPCInferenceService(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  });
  afterAll(() => client?.close());
  const ask = <T>(method: string, request: object = {}) =>
    new Promise<T>((resolve, reject) => {
      client[method]!(request, (error, answer) =>
        error ? reject(Object.assign(new Error(error.details), error)) : resolve(answer),
      );
    });

  it('tells what it is and has', async () => {
    expect(await ask('ServerLive')).toEqual({ live: true });
    expect(await ask('ServerReady')).toEqual({ ready: true });
    expect(await ask('ServerMetadata')).toMatchObject({ name: 'ml-pipeline-service' });
    expect(await ask('ModelReady', { name: 'customers' })).toEqual({ ready: true });
    expect(await ask('ModelMetadata', { name: 'customers' })).toMatchObject({
      versions: ['v1.0.0'],
      inputs: [{ name: 'usage', datatype: 'FP64', shape: [-1] }, {}, {}],
    });
  });

  it('answers typed and raw contents alike, and as single predictions', async () => {
    const raw = Buffer.alloc(16);
    raw.writeDoubleLE(90, 0);
    raw.writeDoubleLE(5, 8);
    const input = { name: 'usage', datatype: 'FP64', shape: [2] };
    const outputs = [{ name: 'label' }];
    const typed = await ask<{ outputs: { contents: { bytes_contents: Buffer[] } }[] }>('ModelInfer', {
      model_name: 'customers',
      inputs: [{ ...input, contents: { fp64_contents: [90, 5] } }],
      outputs,
    });
    const other = await ask<{ raw_output_contents: Buffer[] }>('ModelInfer', {
      model_name: 'customers',
      inputs: [input],
      outputs,
      raw_input_contents: [raw],
    });
    const expected = [];
    for (const value of [90, 5]) {
      const { body } = await service.post<{ predictions: { label: string } }>('/predict/customers', {
        features: { usage: value },
      });
      expected.push(body.predictions.label);
    }
    expect(typed.outputs[0]!.contents.bytes_contents.map(String)).toEqual(expected);
    expect(decodeRaw('BYTES', other.raw_output_contents[0]!, 2, 'x')).toEqual(expected);
  });

  it.each<[string, string, object, number]>([
    ['an unknown model', 'ModelMetadata', { name: 'nobody' }, 5],
    ['an unknown version', 'ModelReady', { name: 'customers', version: 'v9.9.9' }, 5],
    ['no inputs', 'ModelInfer', { model_name: 'customers' }, 3],
    [
      'contents of another type',
      'ModelInfer',
      {
        model_name: 'customers',
        inputs: [{ name: 'usage', datatype: 'FP64', shape: [1], contents: { int_contents: [1] } }],
      },
      3,
    ],
    [
      'raw contents that are too short',
      'ModelInfer',
      {
        model_name: 'customers',
        inputs: [{ name: 'usage', datatype: 'FP64', shape: [1] }],
        raw_input_contents: [Buffer.alloc(4)],
      },
      3,
    ],
  ])('refuses %s', async (_, method, request, code) => {
    await expect(ask(method, request)).rejects.toMatchObject({ code });
  });
});

describe('Arrow batches', () => {
  const send = (bytes: Uint8Array, model = 'customers') =>
    v2(`/predict/${model}/batch`, bytes, { 'content-type': ARROW });

  it('answers each row as a single prediction is answered, and logs it', async () => {
    const text = vectorFromArray(plan, new Dictionary(new Utf8(), new Int32()));
    const table = tableFromArrays({
      usage: Float64Array.from(usage),
      plan: text as never,
      entity_id: ['a', 'b', 'c', 'd'],
    });
    const answer = await send(tableToIPC(table, 'stream'));
    expect(answer.status).toBe(200);
    const got = tableFromIPC(answer.bytes);
    const rows = got.toArray().map((row) => (row as { toJSON: () => Record<string, unknown> }).toJSON());
    for (const [at, single] of (await singles()).entries()) {
      expect(rows[at]).toEqual({
        prediction_id: expect.stringMatching(/^pred_/),
        label: single.predictions.label,
        ...Object.fromEntries(
          Object.entries(single.predictions.probabilities).map(([name, p]) => [`probabilities.${name}`, p]),
        ),
        'label.confidence': single.confidence_scores['label'],
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 600));
    const [logged] = await service.query('SELECT entity_id, features, predictions FROM predictions WHERE id = $1', [
      rows[0]!['prediction_id'],
    ]);
    expect(logged).toMatchObject({
      entity_id: 'a',
      features: { usage: 90, plan: 'basic' },
      predictions: { label: rows[0]!['label'] },
    });
  });

  it.each<[string, () => Uint8Array, number]>([
    ['no Arrow', () => Buffer.from('usage,plan\n1,pro\n'), 400],
    ['nothing', () => Buffer.alloc(0), 400],
    [
      'a stream that is cut off',
      () => tableToIPC(tableFromArrays({ usage: new Float64Array(5000) })).subarray(0, 3000),
      400,
    ],
    ['an unknown column', () => tableToIPC(tableFromArrays({ ussage: Float64Array.of(1) })), 422],
    ['a text where a number belongs', () => tableToIPC(tableFromArrays({ usage: ['x'] })), 422],
    ['an infinite number', () => tableToIPC(tableFromArrays({ usage: Float64Array.of(Infinity) })), 422],
  ])('refuses %s', async (_, bytes, status) => {
    const answer = await send(bytes());
    expect([answer.status, answer.json()]).toEqual([status, expect.objectContaining({ status })]);
  });

  it('never fails for bytes that are damaged anywhere', async () => {
    const whole = tableToIPC(tableFromArrays({ usage: Float64Array.from(usage), plan }), 'stream');
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = whole.slice();
      damaged[at]! ^= 0xff;
      expect((await send(damaged)).status, `byte ${at}`).toBeLessThan(500);
    }
  });
});
