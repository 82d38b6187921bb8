import type { FeatureMatrix } from '../matrix.js';
import { levelOf, standardise } from './design.js';
import { answerFromMargins, marginCount } from './linear-model.js';
import type { LinearModel } from './linear-model.js';

/** Typed arrays in place of the model's lists, and buffers, so that predicting allocates nothing. */
interface ReadyModel {
  coefficients: Float64Array;
  margins: Float64Array;
}

const ready = new WeakMap<LinearModel, ReadyModel>();

function readyModel(model: LinearModel): ReadyModel {
  let found = ready.get(model);
  if (!found) {
    found = { coefficients: Float64Array.from(model.coefficients), margins: new Float64Array(marginCount(model)) };
    ready.set(model, found);
  }
  return found;
}

/**
 * Writes the margins of one row.
 * @param row `features` numbers, NaN = missing
 * @param margins receives `marginCount(model)` numbers
 */
export function marginsOfRow(model: LinearModel, row: Float64Array, margins: Float64Array): void {
  const { coefficients } = readyModel(model);
  const { design, intercepts } = model;
  const { features, width } = design;
  const count = intercepts.length;
  for (let m = 0; m < count; m++) margins[m] = intercepts[m]!;
  for (let column = 0; column < features.length; column++) {
    const feature = features[column]!;
    const value = row[column]!;
    let at = feature.start;
    let cell = 1;
    if (feature.kind === 'category') {
      const level = levelOf(feature, value);
      if (level < 0) continue;
      at += level;
    } else if (value === value) {
      cell = standardise(feature, value);
    } else if (feature.width === 2) {
      at++;
    } else {
      continue;
    }
    for (let m = 0; m < count; m++) margins[m]! += coefficients[m * width + at]! * cell;
  }
}

/**
 * Predicts one row without allocating.
 * @param row `features` numbers, NaN = missing
 * @param out receives `outputs` numbers: the classes' probabilities, or the value
 */
export function predictLinearRow(model: LinearModel, row: Float64Array, out: Float64Array): void {
  const { margins } = readyModel(model);
  marginsOfRow(model, row, margins);
  answerFromMargins(model, margins, out);
}

/**
 * Predicts every row of a matrix: `answers[row * outputs + output]`, each as `predictLinearRow` gives it to the bit.
 * @throws RangeError where the matrix has another count of columns than the model was fitted on
 */
export function predictLinear(model: LinearModel, x: FeatureMatrix): Float64Array {
  if (x.columns !== model.features)
    throw new RangeError(
      `the model was fitted on ${model.features} columns but the matrix has ${x.columns}: encode it with the encoder the model was fitted with`,
    );
  const { outputs } = model;
  const answers = new Float64Array(x.rows * outputs);
  const row = new Float64Array(x.columns);
  const out = new Float64Array(outputs);
  for (let r = 0; r < x.rows; r++) {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + r]!;
    predictLinearRow(model, row, out);
    for (let o = 0; o < outputs; o++) answers[r * outputs + o] = out[o]!;
  }
  return answers;
}
