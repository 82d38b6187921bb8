import { isSkewed } from './fit-head.js';
import type { HeadTarget } from './training-table.js';

/** A chance of 0 for what happened costs as much as one of this. */
const LEAST_CHANCE = 1e-6;

/** Truths on the scale that a search measures on: the logarithm of positive values with a long tail. */
export function onTrialScale({ head }: Pick<HeadTarget, 'head'>, truths: Float64Array): Float64Array {
  return head.task === 'regression' && isSkewed(truths) ? truths.map(Math.log) : truths;
}

/** What the answer that needs no model loses in the mean: the entropy of the classes, or the variance of the values. */
export function baselineLoss(y: Float64Array, classes: number): number {
  if (classes === 0) {
    const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
    return y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length;
  }
  const counts = new Float64Array(classes);
  for (const label of y) counts[label]!++;
  return counts.reduce((sum, count) => (count > 0 ? sum - (count / y.length) * Math.log(count / y.length) : sum), 0);
}

/** Log loss or squared error, row by row. @param answers `[row * max(1, classes) + output]` */
export function answerLosses(answers: Float64Array, y: Float64Array, classes: number): Float64Array {
  return classes === 0
    ? y.map((truth, row) => (truth - answers[row]!) ** 2)
    : y.map((truth, row) => -Math.log(Math.max(LEAST_CHANCE, answers[row * classes + truth]!)));
}
