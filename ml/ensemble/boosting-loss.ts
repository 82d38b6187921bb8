import { softmax } from '../softmax.js';

/** What boosting minimises, and how its margins become answers. */
export type BoostingLoss =
  /** Two classes: log loss of the second; one margin, the log odds. */
  | { kind: 'logistic' }
  /** Several classes: log loss; one margin a class, softmax. */
  | { kind: 'softmax'; classes: number }
  /** Half the squared error; the mean. */
  | { kind: 'squared' }
  /** Pinball loss; the `alpha` quantile, 0 < alpha < 1. */
  | { kind: 'quantile'; alpha: number }
  /** Poisson deviance of counts of 0 or more; the margin is the logarithm of the mean. */
  | { kind: 'poisson' };

/** In the order in which files number them. */
export const LOSSES = ['logistic', 'softmax', 'squared', 'quantile', 'poisson'] as const;

/** A mean of no events at all would have the logarithm minus infinity. */
const LEAST_MEAN = 1e-9;

/** Margins behind one answer: trees that each round grows. */
export function marginCount(loss: BoostingLoss): number {
  return loss.kind === 'softmax' ? loss.classes : 1;
}

/** Numbers in one answer: class probabilities, or one value. */
export function outputCount(loss: BoostingLoss): number {
  return loss.kind === 'logistic' ? 2 : marginCount(loss);
}

/**
 * The margins that every row begins with: what minimises the loss without any feature.
 * @throws RangeError for targets that the loss does not take
 */
export function baseMargins(loss: BoostingLoss, y: Float64Array, weights: Float64Array | undefined): Float64Array {
  checkTargets(loss, y);
  let total = 0;
  let sum = 0;
  for (let row = 0; row < y.length; row++) {
    const weight = weights ? weights[row]! : 1;
    total += weight;
    sum += weight * y[row]!;
  }
  const mean = sum / total;
  switch (loss.kind) {
    case 'squared':
      return Float64Array.of(mean);
    case 'quantile':
      return Float64Array.of(weightedQuantile(y, weights, loss.alpha));
    case 'poisson':
      return Float64Array.of(Math.log(Math.max(LEAST_MEAN, mean)));
    case 'logistic': {
      // One class only: about the chance that one more row would leave it.
      const share = Math.min(total / (total + 1), Math.max(1 / (total + 1), mean));
      return Float64Array.of(Math.log(share / (1 - share)));
    }
    case 'softmax': {
      const perClass = new Float64Array(loss.classes);
      for (let row = 0; row < y.length; row++) perClass[y[row]!]! += weights ? weights[row]! : 1;
      return perClass.map((weight) => Math.log(Math.max(1 / (total + 1), weight / total)));
    }
  }
}

function checkTargets(loss: BoostingLoss, y: Float64Array): void {
  const classes = loss.kind === 'logistic' ? 2 : loss.kind === 'softmax' ? loss.classes : 0;
  const isWrong = (value: number): boolean =>
    classes > 0
      ? !(Number.isInteger(value) && value >= 0 && value < classes)
      : !Number.isFinite(value) || (loss.kind === 'poisson' && value < 0);
  const row = y.findIndex(isWrong);
  if (row < 0) return;
  const allowed =
    classes > 0 ? `a class number from 0 to ${classes - 1}` : loss.kind === 'poisson' ? '0 or more' : 'finite';
  throw new RangeError(`the target of row ${row} is ${y[row]} but must be ${allowed} for the ${loss.kind} loss`);
}

/** The smallest value with at least the share `alpha` of the weight at or below it. */
export function weightedQuantile(values: Float64Array, weights: Float64Array | undefined, alpha: number): number {
  if (!weights) {
    const sorted = values.slice().sort();
    return sorted[Math.max(0, Math.ceil(alpha * sorted.length * (1 - 1e-12)) - 1)]!;
  }
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
  let total = 0;
  for (const row of order) total += weights[row]!;
  let sum = 0;
  for (const row of order) {
    sum += weights[row]!;
    if (weights[row]! > 0 && sum >= alpha * total * (1 - 1e-12)) return values[row]!;
  }
  return values[order.at(-1)!]!;
}

/**
 * The weighted mean loss of the rows.
 * @param most where there are more rows, about that many at equal distances are looked at
 */
export function meanLoss(
  loss: BoostingLoss,
  y: Float64Array,
  margins: Float64Array,
  weights: Float64Array | undefined,
  most = Infinity,
): number {
  const count = marginCount(loss);
  const step = Math.max(1, Math.floor(y.length / most));
  let sum = 0;
  let total = 0;
  for (let row = 0; row < y.length; row += step) {
    const weight = weights ? weights[row]! : 1;
    total += weight;
    if (weight > 0) sum += weight * rowLoss(loss, y[row]!, margins, row * count);
  }
  return total > 0 ? sum / total : 0;
}

function rowLoss(loss: BoostingLoss, truth: number, margins: Float64Array, at: number): number {
  const margin = margins[at]!;
  switch (loss.kind) {
    case 'squared':
      return (margin - truth) ** 2 / 2;
    case 'quantile':
      return margin > truth ? (1 - loss.alpha) * (margin - truth) : loss.alpha * (truth - margin);
    case 'poisson':
      return Math.exp(margin) - truth * margin;
    case 'logistic': {
      const signed = truth === 1 ? -margin : margin;
      // log(1 + e^x) without overflow.
      return signed > 0 ? signed + Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed));
    }
    case 'softmax': {
      let most = -Infinity;
      for (let c = 0; c < loss.classes; c++) if (margins[at + c]! > most) most = margins[at + c]!;
      let sum = 0;
      for (let c = 0; c < loss.classes; c++) sum += Math.exp(margins[at + c]! - most);
      return most + Math.log(sum) - margins[at + truth]!;
    }
  }
}

/** Turns the margins of one answer into the answer; `out` may not be `margins` for the logistic loss. */
export function answerFromMargins(
  loss: BoostingLoss,
  margins: Float64Array,
  at: number,
  out: Float64Array,
  to: number,
): void {
  switch (loss.kind) {
    case 'squared':
    case 'quantile':
      out[to] = margins[at]!;
      return;
    case 'poisson':
      out[to] = Math.exp(margins[at]!);
      return;
    case 'logistic': {
      const odds = margins[at]!;
      out[to] = 1 / (1 + Math.exp(odds));
      out[to + 1] = 1 / (1 + Math.exp(-odds));
      return;
    }
    case 'softmax':
      softmax(margins, at, out, to, loss.classes);
  }
}
