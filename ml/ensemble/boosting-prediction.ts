import type { FeatureMatrix } from '../matrix.js';
import { clampFinite } from '../tree/binning.js';
import { hasCode, isCode } from '../tree/code-set.js';
import { answerFromMargins, marginCount, outputCount } from './boosting-loss.js';
import type { GradientBoosting } from './boosting-model.js';

/** The leaf that a row ends in. `values[at + column * step]` is the row's value of a column. */
function findLeaf(model: GradientBoosting, root: number, values: Float64Array, at: number, step: number): number {
  const { feature, threshold, left, missingLeft, codeOffset, codes } = model;
  let node = root;
  for (let column = feature[node]!; column >= 0; column = feature[node]!) {
    const value = values[at + column * step]!;
    let goesLeft: boolean;
    if (codeOffset[node]! < 0) {
      goesLeft = value !== value ? missingLeft[node] === 1 : clampFinite(value) <= threshold[node]!;
    } else {
      goesLeft = isCode(value) ? hasCode(codes, codeOffset[node]!, value) : missingLeft[node] === 1;
    }
    node = left[node]! + (goesLeft ? 0 : 1);
  }
  return node;
}

const margins = new WeakMap<GradientBoosting, Float64Array>();

/**
 * Writes the margins of one row without allocating.
 * @param row `features` numbers, NaN = missing
 * @param out receives a number a margin: the log odds, the logits, or the value
 */
export function boostingRawRow(model: GradientBoosting, row: Float64Array, out: Float64Array): void {
  const { baseMargins, treeOffsets, value } = model;
  const count = baseMargins.length;
  for (let k = 0; k < count; k++) out[k] = baseMargins[k]!;
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    out[tree % count]! += value[findLeaf(model, treeOffsets[tree]!, row, 0, 1)]!;
  }
}

/**
 * Predicts one row without allocating.
 * @param row `features` numbers, NaN = missing
 * @param out receives the classes' probabilities (two for the logistic loss), or the value
 */
export function predictBoostingRow(model: GradientBoosting, row: Float64Array, out: Float64Array): void {
  let raw = margins.get(model);
  if (!raw) {
    raw = new Float64Array(marginCount(model.loss));
    margins.set(model, raw);
  }
  boostingRawRow(model, row, raw);
  answerFromMargins(model.loss, raw, 0, out, 0);
}

/**
 * Predicts every row of a matrix: `[row * outputs + output]`, each as `predictBoostingRow` gives it to the bit.
 * @throws RangeError where the matrix has another count of columns than the model was fitted on
 */
export function predictBoosting(model: GradientBoosting, x: FeatureMatrix): Float64Array {
  const raw = predictMargins(model, x);
  const count = marginCount(model.loss);
  const outputs = outputCount(model.loss);
  const answers = new Float64Array(x.rows * outputs);
  for (let row = 0; row < x.rows; row++) answerFromMargins(model.loss, raw, row * count, answers, row * outputs);
  return answers;
}

/** The margins of every row: `[row * margins + margin]`. */
export function predictMargins(model: GradientBoosting, x: FeatureMatrix): Float64Array {
  if (x.columns !== model.features)
    throw new RangeError(
      `the model was fitted on ${model.features} columns but the matrix has ${x.columns}: encode it with the encoder the model was fitted with`,
    );
  const count = marginCount(model.loss);
  const raw = new Float64Array(x.rows * count);
  for (let row = 0; row < x.rows; row++) raw.set(model.baseMargins, row * count);
  for (let tree = 0; tree < model.treeOffsets.length - 1; tree++) addTree(model, tree, x, raw, count);
  return raw;
}

function addTree(model: GradientBoosting, tree: number, x: FeatureMatrix, raw: Float64Array, count: number): void {
  const root = model.treeOffsets[tree]!;
  const k = tree % count;
  for (let row = 0; row < x.rows; row++) {
    raw[row * count + k]! += model.value[findLeaf(model, root, x.values, row, x.rows)]!;
  }
}
