import { factorCholesky, solveCholesky, weightedGram } from './cholesky.js';
import { minimiseLbfgs } from './minimise-lbfgs.js';

/** A logistic regression to be fitted on a finished design. */
export interface LogisticProblem {
  /** `cells[column * rows + row]`, never NaN. */
  cells: Float64Array;
  rows: number;
  width: number;
  /** Class numbers. */
  labels: Int32Array;
  /** At least 2, each with a row of weight above 0. */
  classes: number;
  /** One a row; a row of weight 0 has no say. */
  weights: Float64Array;
}

/**
 * Parameters of the margins one after the other, `width` coefficients and then the intercept: one margin for two classes,
 * otherwise one a class.
 */
export type LogisticParameters = Float64Array;

/** Wider designs than this are fitted without second derivatives: their matrix would cost more than it saves. */
const MOST_NEWTON_WIDTH = 256;

/**
 * Minimises Σ weight × log loss + strength/2 × Σ coefficient² (intercepts are free): Newton's method (iteratively reweighted least
 * squares) for two classes, L-BFGS for more and for very wide designs. scikit-learn's `C` is 1 / strength.
 * @param start parameters to begin at, for instance those of a neighbouring strength; default zeros
 * @param precision the search ends with a step that gains less than this part of the loss; 1e-10 leaves the coefficients right to
 * about ten digits (eight for L-BFGS), coarser ones do where penalties are only compared
 */
export function fitLogistic(
  problem: LogisticProblem,
  strength: number,
  start?: LogisticParameters,
  precision = 1e-10,
): LogisticParameters {
  if (problem.classes > 2) return fitSoftmax(problem, strength, precision, start);
  if (problem.width <= MOST_NEWTON_WIDTH) return fitBinary(problem, strength, precision, start);
  // Two classes as a softmax: coefficients ±β/2, so that twice the strength is the same penalty.
  const size = problem.width + 1;
  const both = start
    ? Float64Array.from({ length: 2 * size }, (_, i) => start[i % size]! * (i < size ? -0.5 : 0.5))
    : start;
  const fitted = fitSoftmax(problem, 2 * strength, precision, both);
  return Float64Array.from({ length: size }, (_, i) => fitted[size + i]! - fitted[i]!);
}

/** Newton's method with halved steps. */
function fitBinary(
  problem: LogisticProblem,
  strength: number,
  precision: number,
  start?: LogisticParameters,
): LogisticParameters {
  const { rows, width } = problem;
  const size = width + 1;
  let parameters = start?.slice() ?? new Float64Array(size);
  let margins = marginsOf(problem, parameters, 0);
  let loss = binaryLoss(problem, margins, parameters, strength);
  const gradient = new Float64Array(size);
  const hessian = new Float64Array(size * size);
  const curvature = new Float64Array(rows);
  for (let iteration = 0; iteration < 100; iteration++) {
    fillNewtonSystem(problem, margins, parameters, strength, gradient, hessian, curvature);
    if (!factorCholesky(hessian, size)) break;
    const step = gradient.slice();
    solveCholesky(hessian, size, step);
    let decrement = 0;
    for (let i = 0; i < size; i++) decrement += step[i]! * gradient[i]!;
    if (!(decrement > 0)) break;
    // So near the minimum a full step lands on it, and losses no longer differ in any digit that could confirm it.
    if (decrement < precision * (1 + loss)) return parameters.map((value, i) => value - step[i]!);
    let moved = false;
    for (let scale = 1; scale > 1e-6 && !moved; scale /= 2) {
      const next = parameters.map((value, i) => value - scale * step[i]!);
      const nextMargins = marginsOf(problem, next, 0);
      const nextLoss = binaryLoss(problem, nextMargins, next, strength);
      if (!(nextLoss < loss)) continue;
      moved = true;
      parameters = next;
      margins = nextMargins;
      loss = nextLoss;
    }
    if (!moved) break;
  }
  return parameters;
}

/** Writes gradient and second derivatives of the loss; the intercept stands last. */
function fillNewtonSystem(
  { cells, rows, width, labels, weights }: LogisticProblem,
  margins: Float64Array,
  parameters: LogisticParameters,
  strength: number,
  gradient: Float64Array,
  hessian: Float64Array,
  curvature: Float64Array,
): void {
  const size = width + 1;
  const errors = new Float64Array(rows);
  let total = 0;
  gradient[width] = 0;
  hessian[width * size + width] = 0;
  for (let row = 0; row < rows; row++) {
    const p = 1 / (1 + Math.exp(-margins[row]!));
    errors[row] = weights[row]! * (p - labels[row]!);
    curvature[row] = weights[row]! * p * (1 - p);
    gradient[width]! += errors[row]!;
    hessian[width * size + width]! += curvature[row]!;
    total += weights[row]!;
  }
  weightedGram(cells, rows, width, curvature, hessian, size);
  // Keeps the system solvable where every probability is 0 or 1; it slows the last steps but moves no minimum.
  hessian[width * size + width]! += 1e-12 * total;
  for (let column = 0; column < width; column++) {
    let slope = strength * parameters[column]!;
    let cross = 0;
    for (let row = 0; row < rows; row++) {
      const cell = cells[column * rows + row]!;
      slope += errors[row]! * cell;
      cross += curvature[row]! * cell;
    }
    gradient[column] = slope;
    hessian[width * size + column] = cross;
    hessian[column * size + column]! += strength;
  }
}

function binaryLoss(
  { rows, width, labels, weights }: LogisticProblem,
  margins: Float64Array,
  parameters: LogisticParameters,
  strength: number,
): number {
  let loss = 0;
  for (let row = 0; row < rows; row++)
    if (weights[row]! > 0) loss += weights[row]! * logLoss(margins[row]!, labels[row]!);
  for (let column = 0; column < width; column++) loss += 0.5 * strength * parameters[column]! ** 2;
  return loss;
}

/** -log of the probability that the margin gives the label (0 or 1), without overflow. */
function logLoss(margin: number, label: number): number {
  const against = label === 1 ? -margin : margin;
  return Math.max(against, 0) + Math.log1p(Math.exp(-Math.abs(against)));
}

/** One margin of every row. */
function marginsOf(
  { cells, rows, width }: LogisticProblem,
  parameters: LogisticParameters,
  margin: number,
): Float64Array {
  const at = margin * (width + 1);
  const margins = new Float64Array(rows).fill(parameters[at + width]!);
  for (let column = 0; column < width; column++) {
    const coefficient = parameters[at + column]!;
    if (coefficient === 0) continue;
    for (let row = 0; row < rows; row++) margins[row]! += coefficient * cells[column * rows + row]!;
  }
  return margins;
}

function fitSoftmax(
  problem: LogisticProblem,
  strength: number,
  precision: number,
  start?: LogisticParameters,
): LogisticParameters {
  const parameters = start?.slice() ?? new Float64Array(problem.classes * (problem.width + 1));
  let total = 0;
  for (const weight of problem.weights) total += weight;
  // Scaled to one row, so that steps and tolerance do not depend on the size of the table.
  const f = (at: Float64Array, gradient: Float64Array): number => softmaxLoss(problem, strength, at, gradient, total);
  minimiseLbfgs(f, parameters, 10 * precision);
  return parameters;
}

/** The loss divided by `total`, and its gradient. */
function softmaxLoss(
  problem: LogisticProblem,
  strength: number,
  parameters: LogisticParameters,
  gradient: Float64Array,
  total: number,
): number {
  const { cells, rows, width, labels, classes, weights } = problem;
  const margins = Array.from({ length: classes }, (_, c) => marginsOf(problem, parameters, c));
  let loss = softmaxErrors(margins, labels, weights);
  for (let c = 0; c < classes; c++) {
    const errors = margins[c]!;
    const at = c * (width + 1);
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += errors[row]!;
    gradient[at + width] = sum / total;
    for (let column = 0; column < width; column++) {
      const coefficient = parameters[at + column]!;
      let slope = strength * coefficient;
      for (let row = 0; row < rows; row++) slope += errors[row]! * cells[column * rows + row]!;
      gradient[at + column] = slope / total;
      loss += 0.5 * strength * coefficient * coefficient;
    }
  }
  return loss / total;
}

/** Replaces margins by weight × (probability - 1 where it is the label) and returns the sum of weight × log loss. */
function softmaxErrors(margins: Float64Array[], labels: Int32Array, weights: Float64Array): number {
  let loss = 0;
  for (let row = 0; row < labels.length; row++) {
    const weight = weights[row]!;
    let most = -Infinity;
    for (const margin of margins) if (margin[row]! > most) most = margin[row]!;
    let sum = 0;
    for (const margin of margins) sum += Math.exp(margin[row]! - most);
    const label = labels[row]!;
    if (weight > 0) loss += weight * (Math.log(sum) + most - margins[label]![row]!);
    for (let c = 0; c < margins.length; c++) {
      const p = Math.exp(margins[c]![row]! - most) / sum;
      margins[c]![row] = weight * (p - (c === label ? 1 : 0));
    }
  }
  return loss;
}

/**
 * Σ weight × log loss of rows under given parameters.
 * @param weights of the rows that are judged, in place of the problem's
 */
export function logisticLoss(problem: LogisticProblem, parameters: LogisticParameters, weights: Float64Array): number {
  if (problem.classes === 2)
    return binaryLoss({ ...problem, weights }, marginsOf(problem, parameters, 0), parameters, 0);
  const margins = Array.from({ length: problem.classes }, (_, c) => marginsOf(problem, parameters, c));
  return softmaxErrors(margins, problem.labels, weights);
}
