import {
  encodeOnnx,
  TENSOR_TYPES,
  type OnnxModel,
  type OnnxNode,
  type TensorType,
} from '../../services/onnx/onnx-schema.js';

const port = (name: string, type: TensorType, columns: number) => ({
  name,
  type: { tensorType: { elemType: TENSOR_TYPES[type], shape: { dim: [{ dimParam: 'N' }, { dimValue: columns }] } } },
});

/** P(second) = sigmoid(x0 - 2 x1), from one input of two floats, as scikit-learn's converters make them. @param change what is else about it */
export function smallOnnx(change: (model: OnnxModel) => void = () => undefined): Uint8Array {
  const weights = new Float32Array([-1, 1, 2, -2]);
  const model: OnnxModel = {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'small',
      node: [
        { input: ['x', 'weights'], output: ['margins'], opType: 'MatMul' },
        { input: ['margins'], output: ['both'], opType: 'Mul', name: 'half' },
        { input: ['both'], output: ['probabilities'], opType: 'Softmax' },
        { input: ['x'], output: ['copy'], opType: 'Identity' },
      ],
      initializer: [
        { name: 'weights', dims: [2, 2], dataType: TENSOR_TYPES.float, rawData: new Uint8Array(weights.buffer) },
        {
          name: 'scale',
          dims: [],
          dataType: TENSOR_TYPES.float,
          rawData: new Uint8Array(new Float32Array([0.5]).buffer),
        },
      ],
      input: [port('x', 'float', 2)],
      output: [port('probabilities', 'float', 2)],
    },
  };
  (model.graph.node[1] as OnnxNode).input.push('scale');
  change(model);
  return encodeOnnx(model);
}
