import { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { parseRequest } from '../parse-request.js';
import { isTooDeep } from '../refuse-deep.js';
import type { InferenceCall } from './inference-model.js';
import { checkValues, datatypeOf, decodeRaw, encodeRaw, rowsOf, type InferenceTensor } from './inference-tensor.js';

const parameters = z.record(z.string().max(256), z.union([z.string().max(10_000), z.number(), z.boolean()]));
const tensor = z.object({
  name: z.string().min(1).max(256),
  shape: z.array(z.int().min(0)).min(1).max(2).describe('[n] or [n, 1]'),
  datatype: z
    .string()
    .max(16)
    .describe('A datatype of the protocol: BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BYTES'),
  parameters: parameters.optional(),
  data: z.array(z.unknown()).optional().describe('The values, flat or a list a row; null is missing'),
});

/** The JSON of an inference request. */
export const inferenceRequestSchema = z.object({
  id: z.string().max(256).optional(),
  parameters: parameters.optional(),
  inputs: z.array(tensor).min(1).max(2000),
  outputs: z
    .array(z.object({ name: z.string().min(1).max(256), parameters: parameters.optional() }))
    .max(2000)
    .optional(),
});

export interface InferenceRequest extends InferenceCall {
  id?: string;
  /** Names of the outputs to answer in binary; `*` = all. */
  binaryOutputs: ReadonlySet<string>;
}

/** Parameters of the protocol's own extensions, none of the model's. */
const PROTOCOL_PARAMETERS = ['binary_data_output', 'binary_data_size', 'sequence_id', 'sequence_start', 'sequence_end'];

/**
 * Reads the body of an inference request: JSON, or JSON followed by raw tensors where `headerLength` says where it ends.
 * @param headerLength the header `Inference-Header-Content-Length`
 * @throws ServiceError `request_malformed` or `request_invalid`
 */
export function readInferenceBody(body: Uint8Array, headerLength: string | undefined): InferenceRequest {
  const end = headerLength === undefined ? body.length : Number(headerLength);
  if (!/^\d+$/.test(headerLength ?? '0') || end > body.length)
    throw malformed(
      `Inference-Header-Content-Length is ${String(headerLength).slice(0, 30)}, the body has ${body.length} bytes`,
    );
  const request = parseRequest(inferenceRequestSchema, parseJson(body.subarray(0, end)));
  let at = end;
  const inputs = request.inputs.map((input, index): InferenceTensor => {
    const path = `inputs.${index}`;
    const datatype = datatypeOf(input.datatype, `${path}.datatype`);
    const count = rowsOf(input.shape, `${path}.shape`);
    const size = input.parameters?.['binary_data_size'];
    if (size === undefined) return { ...input, datatype, data: readJsonValues(input.data, datatype, count, path) };
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || at + size > body.length || input.data)
      throw invalid(
        `${path}.parameters.binary_data_size`,
        `${String(size)} bytes are not there behind the JSON, or the tensor has data, too`,
      );
    at += size;
    return { ...input, datatype, data: decodeRaw(datatype, body.subarray(at - size, at), count, `${path}.data`) };
  });
  if (at !== body.length) throw malformed(`${body.length - at} bytes behind the JSON belong to no input`);
  const wanted = request.outputs ?? [];
  const isAllBinary = request.parameters?.['binary_data_output'] === true;
  const binary = wanted.filter(({ parameters: own }) => own?.['binary_data'] ?? isAllBinary).map(({ name }) => name);
  return {
    id: request.id,
    inputs,
    outputs: wanted.map(({ name }) => name),
    options: optionsOf(request.parameters),
    binaryOutputs: new Set(wanted.length === 0 && isAllBinary ? ['*'] : binary),
  };
}

/** Parameters that are the model's own, such as `threshold`. */
export function optionsOf(given: Readonly<Record<string, string | number | boolean>> = {}): InferenceCall['options'] {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !PROTOCOL_PARAMETERS.includes(name)));
}

function parseJson(bytes: Uint8Array): unknown {
  if (isTooDeep(bytes)) throw malformed('The body is nested deeper than 64 levels');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformed(`The body is not valid JSON (${(error as Error).message.slice(0, 100)})`);
  }
}

function readJsonValues(
  data: readonly unknown[] | undefined,
  datatype: InferenceTensor['datatype'],
  count: number,
  path: string,
) {
  if (!data) throw invalid(`${path}.data`, 'is missing');
  // Rows may come as lists of one value.
  const flat = data.flat(1);
  if (flat.length !== count) throw invalid(`${path}.data`, `has ${flat.length} values, the shape says ${count}`);
  return checkValues(datatype, flat, `${path}.data`);
}

const malformed = (what: string) => new ServiceError('request_malformed', `${what}.`);
const invalid = (path: string, message: string) =>
  new ServiceError('request_invalid', `${path}: ${message}.`, [{ path, message }]);

export interface InferenceAnswer {
  model: string;
  version: string;
  id?: string;
  outputs: readonly InferenceTensor[];
}

/**
 * The body of an answer. @returns the bytes, and how many of them are JSON where raw tensors follow
 */
export function writeInferenceBody(
  { model, version, id, outputs }: InferenceAnswer,
  binaryOutputs: ReadonlySet<string>,
): { bytes: Buffer; headerLength?: number } {
  const raw: Buffer[] = [];
  const described = outputs.map((output) => {
    const { name, datatype, shape, data } = output;
    if (!binaryOutputs.has('*') && !binaryOutputs.has(name)) return { name, datatype, shape, data };
    const bytes = encodeRaw(output);
    raw.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const header = Buffer.from(
    JSON.stringify({
      model_name: model,
      model_version: version,
      ...(id === undefined ? {} : { id }),
      outputs: described,
    }),
  );
  return raw.length === 0 ? { bytes: header } : { bytes: Buffer.concat([header, ...raw]), headerLength: header.length };
}
