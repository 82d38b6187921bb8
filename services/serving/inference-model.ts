import { ServiceError } from '../../core/errors.js';
import type { ModelKind } from '../../core/names.js';
import type { PredictInput, ScoreInput } from '../../core/schemas/prediction.js';
import { flattenAnswers, type FlatAnswer } from './flat-answers.js';
import type { Datatype, InferenceTensor } from './inference-tensor.js';
import type { PredictionAnswer } from './predict.js';
import { predictMany, type BatchCall, type BatchContext } from './predict-many.js';
import type { ServedModel } from './routing-table.js';
import type { Scorer } from './scorer.js';

export interface TensorMetadata {
  name: string;
  datatype: Datatype;
  /** -1 = any count. */
  shape: number[];
}

export interface InferenceMetadata {
  name: string;
  versions: string[];
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
}

const MOST_ROWS = 10_000;
/** Tells which entity a row is about. */
const ENTITY = 'entity_id';
const PLATFORM = 'ml_pipeline_service';

/** What the request of a kind calls its entity, where that is another name. */
const ENTITY_NAMES: Partial<Record<ModelKind, string>> = {
  user_behavior: 'user_id',
  recommendation: 'user_id',
  project_success: 'project_id',
  resource_usage: 'series_id',
};

const isByEntityAlone = (kind: ModelKind) => kind === 'recommendation';

/** What a version takes and answers, as tensors: every feature, the entity, and each part of the answer. */
export function inferenceMetadata({ model, version, scorer }: ServedModel): InferenceMetadata {
  return { name: model, versions: [version], platform: PLATFORM, inputs: inputsOf(scorer), outputs: outputsOf(scorer) };
}

function inputsOf({ bundle }: Scorer): TensorMetadata[] {
  const { kind, signature } = bundle.manifest;
  const datatypeOf = (type: string): Datatype => (type === 'number' ? 'FP64' : type === 'boolean' ? 'BOOL' : 'BYTES');
  const features = isByEntityAlone(kind) ? [] : signature;
  const inputs = features.map(({ name, type }) => ({ name, datatype: datatypeOf(type), shape: [-1] }));
  // A feature of that name is the feature: it is what the model looks at.
  return features.some(({ name }) => name === ENTITY)
    ? inputs
    : [...inputs, { name: ENTITY, datatype: 'BYTES', shape: [-1] }];
}

const DATATYPE_OF: Record<FlatAnswer['type'], Datatype> = {
  number: 'FP64',
  numbers: 'FP64',
  boolean: 'BOOL',
  text: 'BYTES',
};
const outputs = new WeakMap<Scorer, TensorMetadata[]>();

/** Read off the answer to the first golden row, which every version has. */
function outputsOf(scorer: Scorer): TensorMetadata[] {
  const known = outputs.get(scorer);
  if (known) return known;
  const [golden] = scorer.bundle.manifest.golden;
  const flat = flattenAnswers(golden ? [scorer.predict(golden.input)] : []);
  const described = [
    ...flat.map(({ name, type }) => ({
      name,
      datatype: DATATYPE_OF[type],
      shape: type === 'numbers' ? [-1, -1] : [-1],
    })),
    { name: 'prediction_id', datatype: 'BYTES' as const, shape: [-1] },
    { name: 'cached', datatype: 'BOOL' as const, shape: [-1] },
  ];
  outputs.set(scorer, described);
  return described;
}

/** One inference: tensors of as many rows each. */
export interface InferenceCall {
  inputs: readonly InferenceTensor[];
  /** Names of the outputs that are wanted; all where there are none. */
  outputs: readonly string[];
  /** What a single request of the kind holds besides features, such as `threshold`; `model_version` and `explain` are not for here. */
  options: Readonly<Record<string, string | number | boolean>>;
}

/** Reads a row's request as a single prediction's is read. @throws ServiceError `request_invalid` */
export type ReadRequest = (kind: ModelKind, body: unknown) => PredictInput;

/**
 * Answers an inference: each row is a prediction, logged and counted with its id. A row that does not fit refuses the call.
 * @throws ServiceError `request_invalid` with the path of what does not fit, and what `predictMany` throws
 */
export async function infer(
  context: BatchContext,
  { inputs, outputs: wanted, options }: InferenceCall,
  call: BatchCall,
  readRequest: ReadRequest,
): Promise<{ version: string; outputs: InferenceTensor[] }> {
  const served = await context.predict.versionFor(call.model, call.modelVersion);
  const { kind } = served.scorer.bundle.manifest;
  const known = outputsOf(served.scorer);
  for (const [at, name] of wanted.entries())
    if (!known.some((output) => output.name === name))
      refuse(
        `outputs.${at}.name`,
        `the model has no output ${JSON.stringify(name.slice(0, 60))}; it has ${known.map((o) => o.name).join(', ')}`,
      );
  const rows = readRows(served.scorer, inputs).map((row) => readRequest(kind, requestOf(kind, row, options)));
  const answers = await predictMany(context, rows, call);
  const predictions = answers.map((answer, row) => {
    if (!(answer instanceof ServiceError)) return answer;
    throw new ServiceError(
      answer.code,
      `Row ${row}: ${answer.message} ${answer.problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
      answer.problems,
    );
  });
  const all = tensorsOf(predictions, known);
  return {
    version: predictions[0]?.model_version ?? served.version,
    outputs:
      wanted.length === 0 ? all : wanted.map((name) => all.find((tensor) => tensor.name === name)!).filter(Boolean),
  };
}

function refuse(path: string, message: string): never {
  throw new ServiceError('request_invalid', `${path}: ${message}.`, [{ path, message }]);
}

function requestOf(kind: ModelKind, { entityId, features }: ScoreInput, options: InferenceCall['options']) {
  const entityName = ENTITY_NAMES[kind] ?? ENTITY;
  return {
    ...options,
    ...(isByEntityAlone(kind) ? {} : { features }),
    ...(entityId === undefined ? {} : { [entityName]: entityId }),
  };
}

function readRows({ bundle }: Scorer, tensors: readonly InferenceTensor[]): ScoreInput[] {
  const accepted = new Set(inputsOf({ bundle } as Scorer).map(({ name }) => name));
  const seen = new Set<string>();
  const rows = tensors[0]?.data.length ?? 0;
  if (rows === 0) refuse('inputs', 'give at least one tensor with at least one value');
  if (rows > MOST_ROWS) refuse('inputs', `${rows} rows are more than the ${MOST_ROWS} of one call`);
  tensors.forEach(({ name, data }, at) => {
    if (!accepted.has(name))
      refuse(
        `inputs.${at}.name`,
        `the model has no input ${JSON.stringify(name.slice(0, 60))}; it has ${[...accepted].join(', ')}`,
      );
    if (seen.has(name)) refuse(`inputs.${at}.name`, `${name} is there twice`);
    if (data.length !== rows) refuse(`inputs.${at}.shape`, `has ${data.length} rows, the first tensor has ${rows}`);
    seen.add(name);
  });
  const features = tensors.filter(
    ({ name }) => name !== ENTITY || bundle.manifest.signature.some((f) => f.name === ENTITY),
  );
  const entities = tensors.find((tensor) => !features.includes(tensor));
  return Array.from({ length: rows }, (_, row) => {
    const entity = entities?.data[row];
    return {
      entityId: entity === null || entity === undefined || entity === '' ? undefined : (entity as string),
      features: Object.fromEntries(features.map(({ name, data }) => [name, featureOf(data[row])])),
    };
  });
}

/** NaN is how tensors say "missing". */
const featureOf = (value: unknown) => (value !== value ? null : (value as string | number | boolean | null));

function tensorsOf(answers: readonly PredictionAnswer[], known: readonly TensorMetadata[]): InferenceTensor[] {
  const rows = answers.length;
  const own = flattenAnswers(answers).map(({ name, type, width, values }): InferenceTensor => {
    const datatype = DATATYPE_OF[type];
    const isPromised = known.find((output) => output.name === name)?.datatype;
    // A part that no row has keeps the type that the metadata promise.
    const isEmpty = values.every((value) => value === null);
    return {
      name,
      datatype: isEmpty && isPromised ? isPromised : datatype,
      shape: type === 'numbers' ? [rows, width] : [rows],
      data: values.flat().map((value) => value ?? (type === 'text' ? '' : null)),
    };
  });
  return [
    ...own,
    { name: 'prediction_id', datatype: 'BYTES', shape: [rows], data: answers.map((answer) => answer.prediction_id) },
    { name: 'cached', datatype: 'BOOL', shape: [rows], data: answers.map((answer) => answer.cached) },
  ];
}
