import type { GrownTree } from '../tree/grow.js';
import type { RandomForest } from './forest.js';
import { treeCount } from './forest.js';

/** What all trees of a forest share. */
export type ForestShape = Pick<RandomForest, 'task' | 'outputs' | 'features' | 'trainRows'>;

/** Lays trees one after the other. */
export function joinTrees(trees: readonly GrownTree[], shape: ForestShape): RandomForest {
  const nodes = trees.reduce((sum, tree) => sum + tree.nodes, 0);
  const treeOffsets = new Int32Array(trees.length + 1);
  const feature = new Int32Array(nodes);
  const threshold = new Float64Array(nodes);
  const left = new Int32Array(nodes);
  const missingLeft = new Uint8Array(nodes);
  const cover = new Float64Array(nodes);
  const valueOffset = new Int32Array(nodes);
  const values = new Float64Array(trees.reduce((sum, tree) => sum + tree.values.length, 0));
  let at = 0;
  let valuesAt = 0;
  trees.forEach((tree, index) => {
    feature.set(tree.feature, at);
    threshold.set(tree.threshold, at);
    missingLeft.set(tree.missingLeft, at);
    cover.set(tree.cover, at);
    values.set(tree.values, valuesAt);
    for (let node = 0; node < tree.nodes; node++) {
      left[at + node] = tree.left[node]! < 0 ? -1 : at + tree.left[node]!;
      valueOffset[at + node] = tree.leaf[node]! < 0 ? -1 : valuesAt + tree.leaf[node]! * shape.outputs;
    }
    at += tree.nodes;
    valuesAt += tree.values.length;
    treeOffsets[index + 1] = at;
  });
  return { ...shape, treeOffsets, feature, threshold, left, missingLeft, cover, valueOffset, values };
}

/** Takes a forest apart again, so that others can be added. */
export function treesOf(forest: RandomForest, shape: ForestShape, limit: number): GrownTree[] {
  const isSame =
    forest.task.kind === shape.task.kind &&
    forest.outputs === shape.outputs &&
    forest.features === shape.features &&
    forest.trainRows === shape.trainRows;
  if (!isSame) {
    throw new RangeError(
      `cannot resume: the partial forest is ${forest.task.kind} with ${forest.outputs} outputs on ${forest.trainRows} rows x ${forest.features} columns, this fit is ${shape.task.kind} with ${shape.outputs} outputs on ${shape.trainRows} x ${shape.features}: start afresh`,
    );
  }
  const trees: GrownTree[] = [];
  for (let tree = 0; tree < Math.min(limit, treeCount(forest)); tree++) trees.push(treeOf(forest, tree));
  return trees;
}

/** The forest of the first trees alone. */
export function truncateForest(forest: RandomForest, trees: number): RandomForest {
  if (trees >= treeCount(forest)) return forest;
  const { task, outputs, features, trainRows } = forest;
  const shape = { task, outputs, features, trainRows };
  return joinTrees(treesOf(forest, shape, trees), shape);
}

function treeOf(forest: RandomForest, tree: number): GrownTree {
  const start = forest.treeOffsets[tree]!;
  const end = forest.treeOffsets[tree + 1]!;
  const leaf = forest.valueOffset.slice(start, end);
  let first = Infinity;
  let leaves = 0;
  for (const at of leaf) {
    if (at < 0) continue;
    first = Math.min(first, at);
    leaves++;
  }
  return {
    nodes: end - start,
    feature: forest.feature.slice(start, end),
    threshold: forest.threshold.slice(start, end),
    left: forest.left.slice(start, end).map((child) => (child < 0 ? -1 : child - start)),
    missingLeft: forest.missingLeft.slice(start, end),
    cover: forest.cover.slice(start, end),
    leaf: leaf.map((at) => (at < 0 ? -1 : (at - first) / forest.outputs)),
    values: forest.values.slice(first, first + leaves * forest.outputs),
  };
}
