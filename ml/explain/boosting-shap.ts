import type { GradientBoosting } from '../ensemble/boosting-model.js';
import { createTreeWalk, meanAnswers, type ShapTrees } from './tree-shap.js';

/** What each column added to the margins of one answer. */
export interface BoostingExplanation {
  /** The mean margins over the training rows. */
  base: Float64Array;
  /** `contributions[margin * features + column]`; with `base` they sum to the margin (within 1e-9). */
  contributions: Float64Array;
}

const views = new WeakMap<GradientBoosting, ShapTrees>();

/** The trees with one number a leaf, as the walk wants them. */
function treesOf(model: GradientBoosting): ShapTrees {
  let trees = views.get(model);
  if (!trees) {
    const valueOffset = Int32Array.from(model.feature, (column, node) => (column < 0 ? node : -1));
    trees = { ...model, outputs: 1, valueOffset, values: model.value };
    views.set(model, trees);
  }
  return trees;
}

/**
 * Exact path-dependent Shapley values of one row on the scale of the margins (log odds, logits, value or its logarithm): TreeSHAP
 * as for a forest, summed over the trees.
 * @param row `features` numbers, NaN = missing
 */
export function explainBoostingRow(model: GradientBoosting, row: Float64Array): BoostingExplanation {
  const { features, baseMargins } = model;
  const margins = baseMargins.length;
  const trees = treesOf(model);
  const base = baseMargins.slice();
  const contributions = new Float64Array(margins * features);
  const addTree = createTreeWalk(trees, row);
  meanAnswers(trees).forEach((answer, tree) => {
    const k = tree % margins;
    base[k]! += answer;
    addTree(tree, contributions.subarray(k * features, (k + 1) * features));
  });
  return { base, contributions };
}
