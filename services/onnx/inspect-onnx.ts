import {
  decodeOnnx,
  TENSOR_TYPES,
  type OnnxGraph,
  type OnnxModel,
  type OnnxTensor,
  type OnnxValue,
  type TensorType,
} from './onnx-schema.js';

/** An input or output of a model. */
export interface OnnxPort {
  name: string;
  type: TensorType;
  /** null = any count. */
  shape: (number | null)[];
}

export interface OnnxDescription {
  inputs: OnnxPort[];
  /** Tensors only. */
  outputs: OnnxPort[];
  opset: number;
  nodes: number;
}

const DOMAINS = ['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft'];
const OLDEST_OPSET = 7;
/** They can run for ever, and an answer must come in time. */
const LOOPS = ['Loop', 'Scan'];
const EXTERNAL = 1;
const MOST_NODES = 200_000;

/** Why a file is not taken. */
export class OnnxProblem extends Error {
  override readonly name = 'OnnxProblem';
}

/**
 * Looks at what a file says, before anything runs it: its operators, whether all its numbers are in it, and its inputs and outputs.
 * @throws OnnxProblem with the reason
 */
export function inspectOnnx(bytes: Uint8Array): OnnxDescription {
  const model = decode(bytes);
  const opset = Math.max(
    0,
    ...model.opsetImport.filter(({ domain = '' }) => domain === '' || domain === 'ai.onnx').map((one) => one.version),
  );
  if (opset < OLDEST_OPSET)
    throw new OnnxProblem(`it uses version ${opset} of the operators; version ${OLDEST_OPSET} or later is needed`);
  const foreign = model.opsetImport.find(({ domain = '' }) => !DOMAINS.includes(domain));
  if (foreign)
    throw new OnnxProblem(
      `it needs operators of the domain ${JSON.stringify(foreign.domain)}, which onnxruntime does not have`,
    );
  if (model.functions?.length) throw new OnnxProblem('it has functions of its own; export it without them');
  const nodes = checkGraph(model.graph, 0);
  const initialised = new Set(model.graph.initializer?.map(({ name }) => name));
  const inputs = model.graph.input
    .filter(({ name }) => !initialised.has(name))
    .map((value) => {
      const port = readPort(value);
      if (port) return port;
      throw new OnnxProblem(`its input ${value.name} is no tensor`);
    });
  const outputs = model.graph.output.map(readPort).filter((port) => port !== undefined);
  if (outputs.length === 0)
    throw new OnnxProblem(
      'none of its outputs is a tensor; convert it without ZipMap (skl2onnx: options={"zipmap": False})',
    );
  return { inputs, outputs, opset, nodes };
}

function decode(bytes: Uint8Array): OnnxModel {
  try {
    return decodeOnnx(bytes);
  } catch (error) {
    throw new OnnxProblem(`it is no ONNX file: ${(error as Error).message}`);
  }
}

function checkGraph(graph: OnnxGraph, depth: number): number {
  if (depth > 16) throw new OnnxProblem('its graphs lie more than 16 deep in each other');
  graph.initializer?.forEach(checkTensor);
  let nodes = graph.node.length;
  for (const node of graph.node) {
    if (LOOPS.includes(node.opType)) throw new OnnxProblem(`it has a ${node.opType}, which may take for ever`);
    if (!DOMAINS.includes(node.domain ?? ''))
      throw new OnnxProblem(`it uses ${node.domain}.${node.opType}, which onnxruntime does not have`);
    for (const { t, tensors = [], g, graphs = [] } of node.attribute ?? []) {
      [...(t ? [t] : []), ...tensors].forEach(checkTensor);
      for (const inner of [...(g ? [g] : []), ...graphs]) nodes += checkGraph(inner, depth + 1);
    }
  }
  if (nodes > MOST_NODES) throw new OnnxProblem(`it has more than ${MOST_NODES} nodes`);
  return nodes;
}

/** Numbers in files beside it could lie anywhere. */
function checkTensor({ name = '', externalData = [], dataLocation }: OnnxTensor): void {
  if (dataLocation === EXTERNAL || externalData.length > 0)
    throw new OnnxProblem(
      `the numbers of ${name || 'a tensor'} are in another file; save the model with all data in one file`,
    );
}

const NAMES = new Map(Object.entries(TENSOR_TYPES).map(([name, number]) => [number as number, name as TensorType]));

function readPort({ name, type }: OnnxValue): OnnxPort | undefined {
  const tensor = type?.tensorType;
  const known = tensor && NAMES.get(tensor.elemType);
  if (!tensor || !known) return undefined;
  return {
    name,
    type: known,
    shape: (tensor.shape?.dim ?? []).map(({ dimValue, dimParam }) => (dimParam || !dimValue ? null : dimValue)),
  };
}
