import { decodeBoosting, encodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { answerFromMargins as answerFromBoosting, outputCount } from '../../../ml/ensemble/boosting-loss.js';
import {
  boostingRawRow,
  predictBoosting,
  predictBoostingRow,
  type GradientBoosting,
} from '../../../ml/ensemble/gradient-boosting.js';
import { explainBoostingRow } from '../../../ml/explain/boosting-shap.js';
import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import { predictForest, predictForestRow, type RandomForest } from '../../../ml/ensemble/random-forest.js';
import { explainForestRow } from '../../../ml/explain/tree-shap.js';
import { explainLinearRow, predictLinear, predictLinearRow, type LinearModel } from '../../../ml/linear/fit-linear.js';
import { answerFromMargins, marginCount } from '../../../ml/linear/linear-model.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';

/** Algorithms that can learn one head of a table. */
export const TABULAR_ALGORITHMS = ['random_forest', 'gradient_boosting', 'linear'] as const;
export type TabularAlgorithm = (typeof TABULAR_ALGORITHMS)[number];

/** A row's answer taken apart on the scale on which the features' contributions add up. */
export interface RowParts {
  /** By output: what the model says of nobody in particular. */
  base: Float64Array;
  /** By output: base plus contributions. */
  raw: Float64Array;
  /** `[output * columns + column]` */
  contributions: Float64Array;
}

/** One fitted head, whatever learned it: class probabilities, or one number. */
export interface HeadModel {
  readonly algorithm: TabularAlgorithm;
  /** Numbers in one answer: the classes, or 1. */
  readonly outputs: number;
  /** @returns `[row * outputs + output]` */
  predict(x: FeatureMatrix): Float64Array;
  /** The same for one row of `columns` numbers, without allocating. */
  predictRow(row: Float64Array, out: Float64Array): void;
  explainRow(row: Float64Array): RowParts;
  /** From the scale of the contributions to the answer; `out` may be `raw`. */
  link(raw: Float64Array, out: Float64Array): void;
  encode(): Uint8Array;
}

export function forestHead(forest: RandomForest): HeadModel {
  return {
    algorithm: 'random_forest',
    outputs: forest.outputs,
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

/** Reads a stored head. @throws RangeError or Error for bytes that are no such model */
export function decodeHead(algorithm: TabularAlgorithm, bytes: Uint8Array): HeadModel {
  switch (algorithm) {
    case 'random_forest':
      return forestHead(decodeForest(bytes));
    case 'gradient_boosting':
      return boostingHead(decodeBoosting(bytes));
    case 'linear':
      return linearHead(decodeLinear(bytes));
  }
}

/** The numbers are held to the shape that they must have; the file itself was held to its digest. */
function decodeLinear(bytes: Uint8Array): LinearModel {
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
