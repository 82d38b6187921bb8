import { ServiceError } from '../../core/errors.js';
import { pollutingPaths, unstorablePaths } from '../../services/parse-request.js';
import { optionsOf } from '../../services/serving/inference-body.js';
import { infer } from '../../services/serving/inference-model.js';
import {
  checkValues,
  datatypeOf,
  decodeRaw,
  encodeRaw,
  rowsOf,
  type Datatype,
  type InferenceTensor,
} from '../../services/serving/inference-tensor.js';
import type { BatchCall } from '../../services/serving/predict-many.js';
import type { ApiContext } from '../http-context.js';
import { readInput } from '../routes/asked-model.js';

interface Parameter {
  parameter_choice?: 'bool_param' | 'int64_param' | 'string_param' | 'double_param' | 'uint64_param';
  [choice: string]: string | number | boolean | undefined;
}
type Contents = Record<string, unknown[]>;

/** ModelInferRequest, as the proto loader gives it. */
export interface InferMessage {
  model_name: string;
  model_version: string;
  id: string;
  parameters: Record<string, Parameter>;
  inputs: { name: string; datatype: string; shape: number[]; contents: Contents | null }[];
  outputs: { name: string }[];
  raw_input_contents: Uint8Array[];
}

/** Where the values of a datatype lie; FP16 has raw contents only. */
const CONTENTS: Partial<Record<Datatype, string>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

/** Answers ModelInfer: raw contents with raw contents, others with contents by type. @throws ServiceError as `infer` */
export async function answerInfer(
  context: ApiContext,
  model: string,
  message: InferMessage,
  caller: Pick<BatchCall, 'correlationId' | 'caller' | 'isGone'>,
): Promise<object> {
  const parameters = Object.fromEntries(
    Object.entries(message.parameters).map(([name, parameter]) => [
      name,
      parameter[parameter.parameter_choice ?? ''] ?? '',
    ]),
  );
  const { version, outputs } = await infer(
    context,
    { inputs: readInputs(message), outputs: message.outputs.map(({ name }) => name), options: optionsOf(parameters) },
    { ...caller, model, modelVersion: message.model_version || undefined },
    readInput,
  );
  const isRaw = message.raw_input_contents.length > 0;
  return {
    model_name: model,
    model_version: version,
    id: message.id,
    outputs: outputs.map((output) => ({
      name: output.name,
      datatype: output.datatype,
      shape: output.shape,
      ...(isRaw ? {} : { contents: { [CONTENTS[output.datatype]!]: contentsOf(output) } }),
    })),
    raw_output_contents: isRaw ? outputs.map(encodeRaw) : [],
  };
}

const contentsOf = ({ datatype, data }: InferenceTensor) =>
  datatype === 'BYTES' ? data.map((value) => Buffer.from(String(value))) : data.map((value) => value ?? NaN);

function readInputs({ inputs, raw_input_contents: raw }: InferMessage): InferenceTensor[] {
  if (raw.length > 0 && raw.length !== inputs.length)
    throw new ServiceError(
      'request_invalid',
      `There are ${inputs.length} inputs and ${raw.length} raw contents; give one an input, or none.`,
    );
  const tensors = inputs.map(({ name, datatype: given, shape, contents }, at): InferenceTensor => {
    const path = `inputs.${at}`;
    const datatype = datatypeOf(given, `${path}.datatype`);
    const count = rowsOf(shape, `${path}.shape`);
    if (raw.length > 0)
      return { name, datatype, shape, data: decodeRaw(datatype, raw[at]!, count, `${path}.contents`) };
    const values = contents?.[CONTENTS[datatype] ?? ''] ?? [];
    const data =
      datatype === 'BYTES' ? values.map((value) => Buffer.from(value as Uint8Array).toString('utf8')) : values;
    if (data.length !== count)
      throw new ServiceError(
        'request_invalid',
        `${path}.contents: ${data.length} values of ${datatype}, the shape says ${count}.`,
      );
    return { name, datatype, shape, data: checkValues(datatype, data, `${path}.contents`) };
  });
  const names = Object.fromEntries(tensors.map(({ name }) => [name, 0]));
  const problems = [...pollutingPaths(names), ...unstorablePaths(names)];
  if (problems.length > 0)
    throw new ServiceError('request_invalid', 'The names of the inputs are not allowed.', problems);
  return tensors;
}
