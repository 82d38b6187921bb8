import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import { predictForest, predictForestRow, type RandomForest } from '../../../ml/ensemble/random-forest.js';
import { explainForestRow } from '../../../ml/explain/tree-shap.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';

/** Algorithms that can learn one head of a table. */
export const TABULAR_ALGORITHMS = ['random_forest'] as const;
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

/** Reads a stored head. @throws RangeError or Error for bytes that are no such model */
export function decodeHead(algorithm: TabularAlgorithm, bytes: Uint8Array): HeadModel {
  switch (algorithm) {
    case 'random_forest':
      return forestHead(decodeForest(bytes));
  }
}
