import type { BoostingLoss } from './boosting-loss.js';
import { softmax } from '../softmax.js';
import { marginCount } from './boosting-loss.js';
import { pairRows } from '../tree/gradient-plan.js';

/** Hessians of the Poisson loss are enlarged by e^0.7, so that one step cannot overshoot exponentially (as LightGBM does). */
const POISSON_SLACK = Math.exp(0.7);
/** Larger logarithms of a mean would leave the range of 32-bit floats. */
const MOST_LOG_MEAN = 80;

/** The logistic loss has a kernel of its own. */
type DerivedLoss = Exclude<BoostingLoss, { kind: 'logistic' }>;

type Deriver<Loss> = (
  loss: Loss,
  y: Float64Array,
  margins: Float64Array,
  pairs: Float32Array,
  start: number,
  end: number,
) => void;

/**
 * First and second derivatives of the loss for rows [start, end), as pairs of 32-bit floats: `pairs[2 * (k * pairRows + row)]` is
 * the gradient by margin k, the number behind it the hessian.
 * @param margins `[row * marginCount + k]`
 * @param weights of the rows, to be multiplied in
 * @returns the largest absolute gradient and the largest hessian
 */
export function deriveRows(
  loss: DerivedLoss,
  y: Float64Array,
  margins: Float64Array,
  weights: Float64Array | undefined,
  pairs: Float32Array,
  start: number,
  end: number,
): [gradient: number, hessian: number] {
  const derive = DERIVERS[loss.kind] as Deriver<DerivedLoss>;
  derive(loss, y, margins, pairs, start, Math.min(end, y.length));
  let most = 0;
  let mostHessian = 0;
  const rows = pairRows(y.length);
  for (let k = 0; k < marginCount(loss); k++) {
    for (let row = start; row < Math.min(end, y.length); row++) {
      const cell = 2 * (k * rows + row);
      if (weights) {
        pairs[cell]! *= weights[row]!;
        pairs[cell + 1]! *= weights[row]!;
      }
      const size = Math.abs(pairs[cell]!);
      most = size > most ? size : most;
      mostHessian = pairs[cell + 1]! > mostHessian ? pairs[cell + 1]! : mostHessian;
    }
  }
  return [most, mostHessian];
}

const DERIVERS: { [Kind in DerivedLoss['kind']]: Deriver<Extract<DerivedLoss, { kind: Kind }>> } = {
  squared(_, y, margins, pairs, start, end) {
    for (let row = start; row < end; row++) {
      pairs[2 * row] = margins[row]! - y[row]!;
      pairs[2 * row + 1] = 1;
    }
  },
  quantile({ alpha }, y, margins, pairs, start, end) {
    for (let row = start; row < end; row++) {
      pairs[2 * row] = margins[row]! > y[row]! ? 1 - alpha : -alpha;
      pairs[2 * row + 1] = 1;
    }
  },
  poisson(_, y, margins, pairs, start, end) {
    for (let row = start; row < end; row++) {
      const mean = Math.exp(Math.min(MOST_LOG_MEAN, margins[row]!));
      pairs[2 * row] = mean - y[row]!;
      pairs[2 * row + 1] = mean * POISSON_SLACK;
    }
  },
  softmax({ classes }, y, margins, pairs, start, end) {
    const rows = pairRows(y.length);
    // The diagonal alone overstates the curvature that one class can use (Friedman 2001).
    const factor = classes / (classes - 1);
    const chances = new Float64Array(classes);
    for (let row = start; row < end; row++) {
      softmax(margins, row * classes, chances, 0, classes);
      for (let k = 0; k < classes; k++) {
        const p = chances[k]!;
        pairs[2 * (k * rows + row)] = p - (y[row] === k ? 1 : 0);
        pairs[2 * (k * rows + row) + 1] = factor * p * (1 - p);
      }
    }
  },
};
