import { chooseLogisticStrength } from './choose-strength.js';
import { buildDesign, fitDesign } from './design.js';
import type { LinearDesign } from './design.js';
import type { LinearModel } from './linear-model.js';
import { checkLinearInput, checkLinearParameters } from './linear-parameters.js';
import type { LinearInput } from './linear-parameters.js';
import { fitLogistic } from './logistic-regression.js';
import { fitRidge } from './ridge-regression.js';

export type { LinearModel, LinearTask } from './linear-model.js';
export { defaultLinearParameters } from './linear-parameters.js';
export type { LinearInput, LinearParameters } from './linear-parameters.js';
export { predictLinear, predictLinearRow } from './linear-prediction.js';
export { explainLinearRow } from './linear-explanation.js';

/**
 * Fits a logistic regression (two classes, or softmax) or a ridge regression, both with a squared penalty, on numbers that are
 * standardised and categories that are spread out as `fitDesign` says. The same input gives the same model to the bit.
 * @throws RangeError for inputs or parameters out of range
 */
export function fitLinear(input: LinearInput): LinearModel {
  checkLinearParameters(input.parameters);
  checkLinearInput(input);
  const { x, task, categorical, parameters } = input;
  const weights = input.weights ?? new Float64Array(x.rows).fill(1);
  const design = fitDesign(x, weights, { categorical, logSkewed: parameters.logSkewed });
  const cells = buildDesign(design, x);
  return task.kind === 'regression'
    ? fitValue(input, weights, design, cells)
    : fitClasses(input, task.classes, weights, design, cells);
}

function modelOf(input: LinearInput, design: LinearDesign, fitted: Partial<LinearModel>): LinearModel {
  const { task, x } = input;
  return {
    version: 1,
    task,
    outputs: task.kind === 'classification' ? task.classes : 1,
    features: x.columns,
    trainRows: x.rows,
    design,
    coefficients: [],
    intercepts: [],
    strength: 0,
    logTarget: null,
    ...fitted,
  };
}

function fitValue(input: LinearInput, weights: Float64Array, design: LinearDesign, cells: Float64Array): LinearModel {
  const { x, y, parameters } = input;
  const isLog = parameters.logTarget !== 'none';
  // One is added where a target is 0, the logarithm of which is no number.
  const offset = isLog && y.some((target) => target === 0) ? 1 : 0;
  const targets = isLog ? y.map((target) => Math.log(target + offset)) : y;
  const problem = { cells, rows: x.rows, width: design.width, targets, weights, means: design.means };
  const { coefficients, intercept, strength } = fitRidge(problem, parameters.strength);
  const fitted = {
    coefficients: Array.from(coefficients, noNegativeZero),
    intercepts: [noNegativeZero(intercept)],
    strength,
  };
  if (!isLog) return modelOf(input, design, fitted);
  let factor = 1;
  if (parameters.logTarget === 'mean') factor = smearingFactor(problem, coefficients, intercept);
  return modelOf(input, design, { ...fitted, logTarget: { offset, factor } });
}

/** JSON has no -0, and a stored model must come back equal. */
function noNegativeZero(value: number): number {
  return value + 0;
}

/** The mean of exp(residual): what exp(prediction) has to be multiplied by to be right on average (Duan 1983). */
function smearingFactor(
  {
    cells,
    rows,
    width,
    targets,
    weights,
  }: { cells: Float64Array; rows: number; width: number; targets: Float64Array; weights: Float64Array },
  coefficients: Float64Array,
  intercept: number,
): number {
  let sum = 0;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    let predicted = intercept;
    for (let column = 0; column < width; column++) predicted += coefficients[column]! * cells[column * rows + row]!;
    sum += weights[row]! * Math.exp(targets[row]! - predicted);
    total += weights[row]!;
  }
  return sum / total;
}

/** The classes that rows of weight above 0 have, and how the others are left out. */
function fitClasses(
  input: LinearInput,
  classes: number,
  sampleWeights: Float64Array,
  design: LinearDesign,
  cells: Float64Array,
): LinearModel {
  const { x, y, parameters } = input;
  const perClass = new Float64Array(classes);
  sampleWeights.forEach((weight, row) => (perClass[y[row]!]! += weight));
  const present = Array.from(perClass.keys()).filter((c) => perClass[c]! > 0);
  const total = perClass.reduce((sum, weight) => sum + weight, 0);
  const margins = classes > 2 ? classes : 1;
  const { width } = design;
  const coefficients = new Float64Array(margins * width);
  const intercepts = new Float64Array(margins);
  // A class without rows gets about the chance of one row more: log(1 / (total + 1)) below the rest.
  const absent = -Math.log1p(total);
  let strength = parameters.strength === 'cv' ? 1 : parameters.strength;
  if (present.length > 1) {
    const weights = balance(sampleWeights, y, perClass, present.length, parameters.classWeight);
    const labels = Int32Array.from(y, (label) => Math.max(0, present.indexOf(label)));
    const problem = { cells, rows: x.rows, width, labels, classes: present.length, weights };
    if (parameters.strength === 'cv') strength = chooseLogisticStrength(problem, parameters.seed);
    const fitted = fitLogistic(problem, strength);
    if (margins > 1) intercepts.fill(absent);
    placeMargins(fitted, present, margins, width, coefficients, intercepts);
  } else if (margins > 1) {
    intercepts.fill(absent);
    intercepts[present[0]!] = 0;
  } else if (classes === 2) {
    intercepts[0] = present[0] === 1 ? -absent : absent;
  }
  return modelOf(input, design, {
    coefficients: Array.from(coefficients, noNegativeZero),
    intercepts: Array.from(intercepts, noNegativeZero),
    strength,
  });
}

function balance(
  weights: Float64Array,
  y: Float64Array,
  perClass: Float64Array,
  present: number,
  rule: 'none' | 'balanced',
): Float64Array {
  if (rule === 'none') return weights;
  const total = perClass.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight, row) => (weight > 0 ? (weight * total) / (present * perClass[y[row]!]!) : 0));
}

/** Puts fitted margins where their classes belong. */
function placeMargins(
  fitted: Float64Array,
  present: readonly number[],
  margins: number,
  width: number,
  coefficients: Float64Array,
  intercepts: Float64Array,
): void {
  const size = width + 1;
  const place = (from: number, to: number, scale: number): void => {
    for (let column = 0; column < width; column++)
      coefficients[to * width + column] = scale * fitted[from * size + column]!;
    intercepts[to] = scale * fitted[from * size + width]!;
  };
  if (margins === 1) return place(0, 0, 1);
  // Of three classes or more only two had rows: their one margin is shared out between them.
  if (present.length === 2) {
    place(0, present[0]!, -0.5);
    place(0, present[1]!, 0.5);
    return;
  }
  present.forEach((c, index) => place(index, c, 1));
}
