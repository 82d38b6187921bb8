import type { FeatureMatrix } from '../matrix.js';
import { createWalkers, sumMatrix, type Walkers } from '../tree/walkers.js';
import type { RandomForest } from './forest.js';
import { treeCount } from './forest.js';

const walkers = new WeakMap<RandomForest, Walkers>();

function walkersOf(forest: RandomForest): Walkers {
  let found = walkers.get(forest);
  if (!found) walkers.set(forest, (found = createWalkers(forest)));
  return found;
}

/**
 * Predicts one row without allocating.
 * @param row `features` numbers, NaN = missing
 * @param out receives `outputs` numbers: the classes' probabilities, or the value
 */
export function predictForestRow(forest: RandomForest, row: Float64Array, out: Float64Array): void {
  walkersOf(forest).forRow(row).sumRow(row, out);
  const trees = treeCount(forest);
  for (let o = 0; o < forest.outputs; o++) out[o]! /= trees;
}

/**
 * Predicts every row of a matrix: `answers[row * outputs + output]`, each as `predictForestRow` gives it to the bit.
 * @throws RangeError where the matrix has another count of columns than the forest was fitted on
 */
export function predictForest(forest: RandomForest, x: FeatureMatrix): Float64Array {
  requireColumns(forest, x);
  const answers = new Float64Array(x.rows * forest.outputs);
  sumMatrix(walkersOf(forest), x, answers);
  const trees = treeCount(forest);
  for (let at = 0; at < answers.length; at++) answers[at]! /= trees;
  return answers;
}

/** Refuses a matrix that the forest cannot read. */
export function requireColumns(forest: RandomForest, x: FeatureMatrix): void {
  if (x.columns !== forest.features) {
    throw new RangeError(
      `the forest was fitted on ${forest.features} columns but the matrix has ${x.columns}: encode it with the encoder the forest was fitted with`,
    );
  }
}
