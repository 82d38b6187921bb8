import type { RandomForest } from './forest.js';
import { treeCount } from './forest.js';

/**
 * Mean decrease in impurity by column: per tree the shares of the impurity its cuts removed, averaged over the trees and
 * scaled to sum 1 (all zeros where no tree has a cut). Follows from covers and leaf answers, so nothing else is stored.
 */
export function forestFeatureImportance(forest: RandomForest): Float64Array {
  const { features, outputs, feature, left, cover, treeOffsets } = forest;
  const importance = new Float64Array(features);
  const mean = new Float64Array(feature.length * outputs);
  for (let tree = 0; tree < treeCount(forest); tree++) {
    const inTree = new Float64Array(features);
    let total = 0;
    for (let node = treeOffsets[tree + 1]! - 1; node >= treeOffsets[tree]!; node--) {
      for (let o = 0; o < outputs; o++) {
        const child = left[node]!;
        const at = forest.valueOffset[node]!;
        mean[node * outputs + o] =
          at >= 0
            ? forest.values[at + o]!
            : (mean[child * outputs + o]! * cover[child]! + mean[(child + 1) * outputs + o]! * cover[child + 1]!) /
              cover[node]!;
      }
      if (feature[node]! < 0) continue;
      const removed = impurityRemoved(forest, mean, node);
      inTree[feature[node]!]! += removed;
      total += removed;
    }
    if (total > 0) for (let column = 0; column < features; column++) importance[column]! += inTree[column]! / total;
  }
  const sum = importance.reduce((a, b) => a + b, 0);
  return sum > 0 ? importance.map((value) => value / sum) : importance;
}

function impurityRemoved(forest: RandomForest, mean: Float64Array, node: number): number {
  const { outputs, cover } = forest;
  const child = forest.left[node]!;
  let apart = 0;
  for (let o = 0; o < outputs; o++) apart += (mean[child * outputs + o]! - mean[(child + 1) * outputs + o]!) ** 2;
  // Σ over sides of cover × (mean - parent's mean)², in the form that cannot come out below zero.
  return (apart * cover[child]! * cover[child + 1]!) / cover[node]!;
}
