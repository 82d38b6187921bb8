import { decodeBoosting, encodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { answerFromMargins as answerFromBoosting, outputCount } from '../../../ml/ensemble/boosting-loss.js';
import {
  boostingRawRow,
  predictBoosting,
  predictBoostingRow,
  type GradientBoosting,
} from '../../../ml/ensemble/gradient-boosting.js';
import { explainBoostingRow } from '../../../ml/explain/boosting-shap.js';
import type { TreeNodes } from '../../../ml/ensemble/forest.js';
import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import { predictForest, predictForestRow, type RandomForest } from '../../../ml/ensemble/random-forest.js';
import { explainForestRow } from '../../../ml/explain/tree-shap.js';
import { explainLinearRow, predictLinear, predictLinearRow, type LinearModel } from '../../../ml/linear/fit-linear.js';
import { answerFromMargins, marginCount } from '../../../ml/linear/linear-model.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { decodeNetworkHead } from './network-head.js';

/** Algorithms that learn one head of a table, and that an open choice is made among. */
export const TABULAR_ALGORITHMS = ['random_forest', 'gradient_boosting', 'linear'] as const;
export type TabularAlgorithm = (typeof TABULAR_ALGORITHMS)[number];
/** What a stored head may be: one algorithm's model, a weighted mean of several, or one answer of a network. */
export type HeadAlgorithm = TabularAlgorithm | 'blend' | 'neural_network';

/** A row's answer taken apart on the scale on which the features' contributions add up. */
export interface RowParts {
  /** By output: what the model says of nobody in particular. */
  base: Float64Array;
  /** By output: base plus contributions. */
  raw: Float64Array;
  /** `[output * columns + column]` */
  contributions: Float64Array;
}

/** By model: the answers of all its heads about one matrix. */
export type SharedAnswers = Map<object, Float64Array>;

/** One fitted head, whatever learned it: class probabilities, or one number. */
export interface HeadModel {
  readonly algorithm: HeadAlgorithm;
  /** Numbers in one answer: the classes, or 1. */
  readonly outputs: number;
  /** What one answer takes in the mean over the rows that it learned from: nodes of trees that are looked at, and products. */
  readonly work: Readonly<{ nodes: number; products: number }>;
  /**
   * @param shared what heads of the same file have answered about this very matrix, for those that come after
   * @returns `[row * outputs + output]`
   */
  predict(x: FeatureMatrix, shared?: SharedAnswers): Float64Array;
  /** The same for one row of `columns` numbers, without allocating. */
  predictRow(row: Float64Array, out: Float64Array): void;
  explainRow(row: Float64Array): RowParts;
  /** From the scale of the contributions to the answer; `out` may be `raw`. */
  link(raw: Float64Array, out: Float64Array): void;
  encode(): Uint8Array;
}

/** Nodes that a row passes on its way through all trees, leaves included: each counts by its share of the training rows. */
function meanNodes({ treeOffsets, cover }: Pick<TreeNodes, 'treeOffsets' | 'cover'>): number {
  let nodes = 0;
  for (let tree = 0; tree + 1 < treeOffsets.length; tree++) {
    const root = treeOffsets[tree]!;
    for (let node = root; node < treeOffsets[tree + 1]!; node++) nodes += cover[node]! / cover[root]!;
  }
  return nodes;
}

export function forestHead(forest: RandomForest): HeadModel {
  return {
    algorithm: 'random_forest',
    outputs: forest.outputs,
    work: { nodes: meanNodes(forest), products: 0 },
    predict: (x) => predictForest(forest, x),
    predictRow: (row, out) => predictForestRow(forest, row, out),
    explainRow(row) {
      const { base, contributions } = explainForestRow(forest, row);
      const raw = new Float64Array(forest.outputs);
      predictForestRow(forest, row, raw);
      return { base: Float64Array.from(base), raw, contributions: Float64Array.from(contributions) };
    },
    link: (raw, out) => out.set(raw),
    encode: () => encodeForest(forest),
  };
}

/** The margins of two classes are one: the first one's is the negative of the second's. */
function bothMargins(values: Float64Array): Float64Array {
  const doubled = new Float64Array(2 * values.length);
  values.forEach((value, at) => {
    doubled[at] = -value;
    doubled[values.length + at] = value;
  });
  return doubled;
}

export function boostingHead(model: GradientBoosting): HeadModel {
  const isBinary = model.loss.kind === 'logistic';
  return {
    algorithm: 'gradient_boosting',
    outputs: outputCount(model.loss),
    work: { nodes: meanNodes(model), products: 0 },
    predict: (x) => predictBoosting(model, x),
    predictRow: (row, out) => predictBoostingRow(model, row, out),
    explainRow(row) {
      const { base, contributions } = explainBoostingRow(model, row);
      const raw = new Float64Array(base.length);
      boostingRawRow(model, row, raw);
      if (!isBinary) return { base, raw, contributions };
      return { base: bothMargins(base), raw: bothMargins(raw), contributions: bothMargins(contributions) };
    },
    link: (raw, out) => answerFromBoosting(model.loss, isBinary ? raw.slice(1) : raw.slice(), 0, out, 0),
    encode: () => encodeBoosting(model),
  };
}

export function linearHead(model: LinearModel): HeadModel {
  const { outputs } = model;
  const isBinary = model.task.kind === 'classification' && outputs === 2;
  const margins = isBinary ? 1 : outputs;
  return {
    algorithm: 'linear',
    outputs,
    work: { nodes: 0, products: model.coefficients.length },
    predict: (x) => predictLinear(model, x),
    predictRow: (row, out) => predictLinearRow(model, row, out),
    explainRow(row) {
      const { base, contributions } = explainLinearRow(model, row);
      const raw = base.map((value, m) => {
        const own = contributions.subarray(m * model.features, (m + 1) * model.features);
        return own.reduce((sum, contribution) => sum + contribution, value);
      });
      if (!isBinary) return { base, raw, contributions };
      return { base: bothMargins(base), raw: bothMargins(raw), contributions: bothMargins(contributions) };
    },
    link: (raw, out) => answerFromMargins(model, isBinary ? raw.slice(1) : raw.slice(0, margins), out),
    encode: () => new TextEncoder().encode(JSON.stringify(model)),
  };
}

/** One model of a blend, and how much it counts. */
export interface BlendPart {
  weight: number;
  model: HeadModel;
}

/** The weighted mean of several models' probabilities; its contributions are taken to that scale, part by part. */
export function blendedHead(parts: readonly BlendPart[]): HeadModel {
  const { outputs } = parts[0]!.model;
  const buffer = new Float64Array(outputs);
  return {
    algorithm: 'blend',
    outputs,
    work: {
      nodes: parts.reduce((sum, { model }) => sum + model.work.nodes, 0),
      products: parts.reduce((sum, { model }) => sum + model.work.products, outputs * parts.length),
    },
    predict(x) {
      const sum = new Float64Array(x.rows * outputs);
      for (const { weight, model } of parts) model.predict(x).forEach((value, at) => (sum[at]! += weight * value));
      return sum;
    },
    predictRow(row, out) {
      out.fill(0);
      for (const { weight, model } of parts) {
        model.predictRow(row, buffer);
        for (let o = 0; o < outputs; o++) out[o]! += weight * buffer[o]!;
      }
    },
    explainRow: (row) => blendParts(parts, row, outputs),
    link: (raw, out) => out.set(raw),
    encode: () =>
      encodeParts(
        parts.map(({ weight, model }) => ({
          weight,
          algorithm: model.algorithm as TabularAlgorithm,
          bytes: model.encode(),
        })),
      ),
  };
}

function blendParts(parts: readonly BlendPart[], row: Float64Array, outputs: number): RowParts {
  const base = new Float64Array(outputs);
  const raw = new Float64Array(outputs);
  const contributions = new Float64Array(outputs * row.length);
  for (const { weight, model } of parts) {
    const own = model.explainRow(row);
    const from = new Float64Array(outputs);
    const to = new Float64Array(outputs);
    model.link(own.base, from);
    model.link(own.raw, to);
    for (let o = 0; o < outputs; o++) {
      const step = own.raw[o]! - own.base[o]!;
      // The rescale rule: a part's contributions keep their proportions and sum to its own change of probability.
      const factor = Math.abs(step) < 1e-12 ? 0 : (to[o]! - from[o]!) / step;
      raw[o]! += weight * to[o]!;
      base[o]! += weight * (factor === 0 ? to[o]! : from[o]!);
      for (let at = o * row.length; at < (o + 1) * row.length; at++)
        contributions[at]! += weight * factor * own.contributions[at]!;
    }
  }
  return { base, raw, contributions };
}

/** One model of a blend as its file has it. */
export interface EncodedPart {
  weight: number;
  algorithm: TabularAlgorithm;
  bytes: Uint8Array;
}

/** A header of JSON with its length before it, then the parts' own bytes. */
export function encodeParts(parts: readonly EncodedPart[]): Uint8Array {
  const encoded = parts.map(({ bytes }) => bytes);
  const header = new TextEncoder().encode(
    JSON.stringify(parts.map(({ weight, algorithm, bytes }) => ({ weight, algorithm, bytes: bytes.length }))),
  );
  const all = new Uint8Array(4 + header.length + encoded.reduce((sum, bytes) => sum + bytes.length, 0));
  new DataView(all.buffer).setUint32(0, header.length, true);
  all.set(header, 4);
  let at = 4 + header.length;
  for (const bytes of encoded) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

/** The parts of a stored blend, each as it was encoded. @throws RangeError for bytes that are no such blend */
export function readParts(bytes: Uint8Array): EncodedPart[] {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    weight: number;
    algorithm: TabularAlgorithm;
    bytes: number;
  }[];
  let at = 4 + length;
  const parts = header.map(({ weight, algorithm, bytes: size }) => {
    if (!(weight > 0 && weight <= 1)) throw new RangeError(`a part of a blend has the weight ${weight}`);
    at += size;
    return { weight, algorithm, bytes: bytes.slice(at - size, at) };
  });
  if (parts.length === 0 || at !== bytes.length) throw new RangeError('the parts of a blend do not fill its file');
  return parts;
}

/** Reads a stored head; `index` is its place among the heads of a network. @throws RangeError or Error for bytes that are no such model */
export function decodeHead(algorithm: HeadAlgorithm, bytes: Uint8Array, index = 0): HeadModel {
  switch (algorithm) {
    case 'random_forest':
      return forestHead(decodeForest(bytes));
    case 'gradient_boosting':
      return boostingHead(decodeBoosting(bytes));
    case 'neural_network':
      return decodeNetworkHead(bytes, index);
    case 'blend':
      return blendedHead(
        readParts(bytes).map((part) => ({ weight: part.weight, model: decodeHead(part.algorithm, part.bytes) })),
      );
    case 'linear':
      return linearHead(decodeLinear(bytes));
  }
}

/** The numbers are held to the shape that they must have; the file itself was held to its digest. */
export function decodeLinear(bytes: Uint8Array): LinearModel {
  const model = JSON.parse(new TextDecoder().decode(bytes)) as LinearModel;
  const margins = marginCount(model);
  const isWhole =
    model.version === 1 &&
    model.intercepts.length === margins &&
    model.coefficients.length === margins * model.design.width &&
    [...model.intercepts, ...model.coefficients].every((value) => Number.isFinite(value));
  if (!isWhole) throw new RangeError('this is no linear model of the format 1');
  return model;
}
