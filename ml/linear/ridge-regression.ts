import { factorCholesky, solveCholesky, solveLower, weightedGram } from './cholesky.js';

/** A ridge regression to be fitted on a finished design. */
export interface RidgeProblem {
  /** `cells[column * rows + row]`, never NaN. */
  cells: Float64Array;
  rows: number;
  width: number;
  targets: Float64Array;
  /** One a row, at least one above 0. */
  weights: Float64Array;
  /** Weighted mean of each design column. */
  means: readonly number[];
}

/** The fitted plane. */
export interface RidgeFit {
  coefficients: Float64Array;
  intercept: number;
  strength: number;
}

/** Penalties tried, per unit of training weight. */
const RIDGE_PATH = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 1e-4, 1e-5];
/** Above this many multiplications a penalty, each row's leverage is replaced by their mean. */
const MOST_LEVERAGE_WORK = 3e8;

interface Prepared extends RidgeProblem {
  centred: Float64Array;
  gram: Float64Array;
  /** Xᵀ·W·(y - mean). */
  moment: Float64Array;
  total: number;
  meanTarget: number;
}

/**
 * Minimises Σ weight × (target - prediction)² + strength × Σ coefficient² (the intercept is free) in closed form by Cholesky's
 * factors. scikit-learn's `alpha` is the strength.
 * @param strength above 0, or 'cv' to choose it by the leave-one-out error, which needs no second fit (Allen's PRESS; on large
 * tables by generalised cross-validation: Golub, Heath and Wahba 1979)
 */
export function fitRidge(problem: RidgeProblem, strength: number | 'cv'): RidgeFit {
  const prepared = prepare(problem);
  if (strength !== 'cv') return solveRidge(prepared, strength).fit;
  let best: RidgeFit | undefined;
  let least = Infinity;
  for (const ratio of RIDGE_PATH) {
    const { fit, factor } = solveRidge(prepared, ratio * prepared.total);
    const error = leaveOneOutError(prepared, fit, factor);
    // A strict comparison keeps the stronger penalty where nothing tells them apart.
    if (!best || error < least) {
      best = fit;
      least = error;
    }
  }
  return best!;
}

function prepare(problem: RidgeProblem): Prepared {
  const { cells, rows, width, targets, weights, means } = problem;
  const centred = cells.slice();
  let total = 0;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    total += weights[row]!;
    sum += weights[row]! * targets[row]!;
  }
  const meanTarget = sum / total;
  const moment = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    for (let row = 0; row < rows; row++) {
      const cell = cells[column * rows + row]! - means[column]!;
      centred[column * rows + row] = cell;
      moment[column]! += weights[row]! * cell * (targets[row]! - meanTarget);
    }
  }
  const gram = new Float64Array(width * width);
  weightedGram(centred, rows, width, weights, gram, width);
  return { ...problem, centred, gram, moment, total, meanTarget };
}

function solveRidge(prepared: Prepared, strength: number): { fit: RidgeFit; factor: Float64Array } {
  const { width, gram, moment, means, meanTarget } = prepared;
  const factor = gram.slice();
  for (let column = 0; column < width; column++) factor[column * width + column]! += strength;
  if (!factorCholesky(factor, width))
    throw new RangeError(
      `a penalty of ${strength} is too weak: the columns are collinear to the last digit; use a larger strength or 'cv'`,
    );
  const coefficients = moment.slice();
  solveCholesky(factor, width, coefficients);
  let intercept = meanTarget;
  for (let column = 0; column < width; column++) intercept -= coefficients[column]! * means[column]!;
  return { fit: { coefficients, intercept, strength }, factor };
}

/** Σ weight × (error of a row when the fit has not seen it)², by residual / (1 - leverage). */
function leaveOneOutError(prepared: Prepared, fit: RidgeFit, factor: Float64Array): number {
  const { centred, rows, width, targets, weights, total, meanTarget } = prepared;
  const isExact = rows * width * width <= MOST_LEVERAGE_WORK;
  const meanLeverage = isExact ? 0 : (1 + effectiveColumns(prepared, factor)) / total;
  const cells = new Float64Array(width);
  let error = 0;
  for (let row = 0; row < rows; row++) {
    const weight = weights[row]!;
    if (weight === 0) continue;
    let predicted = meanTarget;
    for (let column = 0; column < width; column++) {
      cells[column] = centred[column * rows + row]!;
      predicted += fit.coefficients[column]! * cells[column]!;
    }
    let leverage = weight * meanLeverage;
    if (isExact) {
      solveLower(factor, width, cells);
      leverage = 1 / total;
      for (const part of cells) leverage += part * part;
      leverage *= weight;
    }
    error += weight * ((targets[row]! - predicted) / Math.max(1e-9, 1 - leverage)) ** 2;
  }
  return error;
}

/** The trace of (gram + strength)⁻¹ · gram. */
function effectiveColumns({ gram, width }: Prepared, factor: Float64Array): number {
  let trace = 0;
  const column = new Float64Array(width);
  for (let j = 0; j < width; j++) {
    for (let i = 0; i < width; i++) column[i] = i >= j ? gram[i * width + j]! : gram[j * width + i]!;
    solveCholesky(factor, width, column);
    trace += column[j]!;
  }
  return trace;
}
