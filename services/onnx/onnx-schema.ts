import protobuf from 'protobufjs';

/** Types of tensors and attributes, by the numbers that the format has for them. */
export const TENSOR_TYPES = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
} as const;
export type TensorType = keyof typeof TENSOR_TYPES;
export const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

const field = (type: string, id: number) => ({ type, id });
const list = (type: string, id: number) => ({ rule: 'repeated', type, id });

/** The parts of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 that this service writes or looks at. */
const root = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: field('int64', 1),
        producerName: field('string', 2),
        producerVersion: field('string', 3),
        docString: field('string', 6),
        graph: field('Graph', 7),
        opsetImport: list('Opset', 8),
        metadataProps: list('Entry', 14),
        functions: list('Function', 25),
      },
    },
    Opset: { fields: { domain: field('string', 1), version: field('int64', 2) } },
    Entry: { fields: { key: field('string', 1), value: field('string', 2) } },
    Function: { fields: { name: field('string', 1), node: list('Node', 7), domain: field('string', 10) } },
    Graph: {
      fields: {
        node: list('Node', 1),
        name: field('string', 2),
        initializer: list('Tensor', 5),
        input: list('Value', 11),
        output: list('Value', 12),
        sparseInitializer: list('SparseTensor', 15),
      },
    },
    SparseTensor: { fields: { values: field('Tensor', 1), indices: field('Tensor', 2) } },
    Node: {
      fields: {
        input: list('string', 1),
        output: list('string', 2),
        name: field('string', 3),
        opType: field('string', 4),
        attribute: list('Attribute', 5),
        domain: field('string', 7),
      },
    },
    Attribute: {
      fields: {
        name: field('string', 1),
        f: field('float', 2),
        i: field('int64', 3),
        s: field('bytes', 4),
        t: field('Tensor', 5),
        g: field('Graph', 6),
        floats: list('float', 7),
        ints: list('int64', 8),
        strings: list('bytes', 9),
        tensors: list('Tensor', 10),
        graphs: list('Graph', 11),
        type: field('int32', 20),
      },
    },
    Tensor: {
      fields: {
        dims: list('int64', 1),
        dataType: field('int32', 2),
        stringData: list('bytes', 6),
        name: field('string', 8),
        rawData: field('bytes', 9),
        externalData: list('Entry', 13),
        dataLocation: field('int32', 14),
      },
    },
    Value: { fields: { name: field('string', 1), type: field('Type', 2) } },
    Type: {
      fields: {
        tensorType: field('TensorTypeOf', 1),
        sequenceType: field('SequenceTypeOf', 4),
        mapType: field('MapTypeOf', 5),
      },
    },
    TensorTypeOf: { fields: { elemType: field('int32', 1), shape: field('Shape', 2) } },
    SequenceTypeOf: { fields: { elemType: field('Type', 1) } },
    MapTypeOf: { fields: { keyType: field('int32', 1), valueType: field('Type', 2) } },
    Shape: { fields: { dim: list('Dimension', 1) } },
    Dimension: { fields: { dimValue: field('int64', 1), dimParam: field('string', 2) } },
  },
});
const modelType = root.lookupType('Model');

export interface OnnxTensor {
  dims?: number[];
  dataType?: number;
  stringData?: Uint8Array[];
  name?: string;
  rawData?: Uint8Array;
  externalData?: { key: string; value: string }[];
  dataLocation?: number;
}

export interface OnnxAttribute {
  name: string;
  type?: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: OnnxTensor;
  g?: OnnxGraph;
  floats?: number[];
  ints?: number[];
  strings?: Uint8Array[];
  tensors?: OnnxTensor[];
  graphs?: OnnxGraph[];
}

export interface OnnxNode {
  input: string[];
  output: string[];
  name?: string;
  opType: string;
  domain?: string;
  attribute?: OnnxAttribute[];
}

export interface OnnxValue {
  name: string;
  type?: {
    tensorType?: { elemType: number; shape?: { dim: { dimValue?: number; dimParam?: string }[] } };
    sequenceType?: unknown;
    mapType?: unknown;
  };
}

export interface OnnxGraph {
  name?: string;
  node: OnnxNode[];
  initializer?: OnnxTensor[];
  input: OnnxValue[];
  output: OnnxValue[];
}

export interface OnnxModel {
  irVersion: number;
  producerName?: string;
  producerVersion?: string;
  docString?: string;
  opsetImport: { domain: string; version: number }[];
  graph: OnnxGraph;
  metadataProps?: { key: string; value: string }[];
  functions?: { name: string; node: OnnxNode[] }[];
}

/** The bytes of a model. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  return modelType.encode(modelType.fromObject(model)).finish();
}

/** Reads a model's structure; nothing in it is run. @throws Error for bytes that are no such message */
export function decodeOnnx(bytes: Uint8Array): OnnxModel {
  const model = modelType.toObject(modelType.decode(bytes), { longs: Number, arrays: true }) as OnnxModel;
  if (!model.graph) throw new RangeError('it has no graph');
  return model;
}
