import * as tf from '@tensorflow/tfjs-core';
import type { WeightLayout } from './weight-layout.js';
import type { WeightTensors } from './weight-training.js';

/**
 * The matrix product. Its gradient is written with products of transposed copies, since the wasm backend multiplies without its fast
 * kernel, several times slower, where it is asked to transpose on the way.
 */
export function multiply(left: tf.Tensor, right: tf.Tensor): tf.Tensor2D {
  const product = tf.customGrad((a, b, save) => {
    (save as tf.GradSaveFunc)([a as tf.Tensor, b as tf.Tensor]);
    return {
      value: tf.matMul(a as tf.Tensor, b as tf.Tensor),
      gradFunc: (dy, saved) => {
        const [x, y] = saved as tf.Tensor[];
        return [tf.matMul(dy as tf.Tensor, tf.transpose(y!)), tf.matMul(tf.transpose(x!), dy as tf.Tensor)];
      },
    };
  });
  return product(left, right) as tf.Tensor2D;
}

/**
 * The rows of a table that codes stand for. The gradient is summed up here, since the wasm backend has none for looking rows
 * up, and a product with one-hot rows takes many times as long.
 */
export function lookUp(codes: Int32Array, table: tf.Tensor2D): tf.Tensor2D {
  const [depth, width] = table.shape;
  const look = tf.customGrad((x) => ({
    value: tf.gather(x as tf.Tensor, tf.tensor1d(codes, 'int32')),
    gradFunc: (dy) => {
      const change = (dy as tf.Tensor).dataSync();
      const total = new Float32Array(depth * width);
      for (let i = 0, at = 0; i < codes.length; i++)
        for (let to = codes[i]! * width, end = to + width; to < end; to++, at++) total[to] = total[to]! + change[at]!;
      return tf.tensor2d(total, [depth, width]);
    },
  }));
  return look(table) as tf.Tensor2D;
}

/** Made here and not by tfjs: `tf.oneHot` of the wasm backend (4.22) writes whole numbers where decimal ones are asked for. */
export function oneHot(codes: Int32Array, depth: number): tf.Tensor2D {
  const values = new Float32Array(codes.length * depth);
  for (let i = 0; i < codes.length; i++) values[i * depth + codes[i]!] = 1;
  return tf.tensor2d(values, [codes.length, depth]);
}

/** The logarithm of the softmax of each row, without overflow. */
export function logSoftmax(scores: tf.Tensor2D): tf.Tensor2D {
  const shifted = tf.sub(scores, tf.max(scores, 1, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)));
}

/** The weights of a network as tensors. Runs inside a tidy. */
export function tensorsOf(weights: Float32Array, layout: WeightLayout): WeightTensors {
  return new Map(
    layout.blocks.map(({ name, rows, columns, offset }) => [
      name,
      tf.tensor2d(weights.slice(offset, offset + rows * columns), [rows, columns]),
    ]),
  );
}
