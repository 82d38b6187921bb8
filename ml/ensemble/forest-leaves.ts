import type { FeatureMatrix } from '../matrix.js';
import { clampFinite } from '../tree/binning.js';
import type { RandomForest } from './forest.js';
import { treeCount } from './forest.js';

/**
 * A forest laid out for walking: a node is 16 bytes (threshold, then cell and child), so that one cache line has all of it.
 * Leaves point at themselves with a threshold nothing exceeds, so that a walk has a fixed length and no branch. A row is
 * laid out twice, missing values low in the first half and high in the second; a node whose missing values go right
 * looks into the second.
 */
interface WalkableForest {
  readonly thresholds: Float64Array;
  readonly links: Int32Array;
  readonly depths: Int32Array;
}

const walkable = new WeakMap<RandomForest, WalkableForest>();

function walkableForest(forest: RandomForest): WalkableForest {
  let laidOut = walkable.get(forest);
  if (!laidOut) {
    laidOut = layOut(forest);
    walkable.set(forest, laidOut);
  }
  return laidOut;
}

function layOut(forest: RandomForest): WalkableForest {
  const nodes = forest.feature.length;
  const buffer = new ArrayBuffer(16 * nodes);
  const thresholds = new Float64Array(buffer);
  const links = new Int32Array(buffer);
  for (let node = 0; node < nodes; node++) {
    const feature = forest.feature[node]!;
    const isLeaf = feature < 0;
    thresholds[2 * node] = isLeaf ? Infinity : forest.threshold[node]!;
    links[4 * node + 2] = isLeaf ? 0 : feature + (forest.missingLeft[node] === 1 ? 0 : forest.features);
    links[4 * node + 3] = isLeaf ? node : forest.left[node]!;
  }
  return { thresholds, links, depths: treeDepths(forest) };
}

/** Levels below the root of each tree. Children have higher numbers than their parents, so one pass is enough. */
function treeDepths(forest: RandomForest): Int32Array {
  const depths = new Int32Array(treeCount(forest));
  const depthOf = new Int32Array(forest.feature.length);
  for (let tree = 0; tree < depths.length; tree++) {
    let deepest = 0;
    for (let node = forest.treeOffsets[tree]!; node < forest.treeOffsets[tree + 1]!; node++) {
      const depth = depthOf[node]!;
      if (depth > deepest) deepest = depth;
      if (forest.feature[node]! < 0) continue;
      const left = forest.left[node]!;
      depthOf[left] = depth + 1;
      depthOf[left + 1] = depth + 1;
    }
    depths[tree] = deepest;
  }
  return depths;
}

/** Lays out one row for walking. `source[at + column * step]` is the value of a column. */
function layOutRow(cells: Float64Array, source: Float64Array, at: number, step: number, features: number): void {
  for (let column = 0; column < features; column++) {
    const value = source[at + column * step]!;
    const isMissing = value !== value;
    const present = clampFinite(value);
    cells[column] = isMissing ? -Infinity : present;
    cells[features + column] = isMissing ? Infinity : present;
  }
}

/** Rows laid out at a time when a whole matrix is predicted: they stay in the first-level cache while all trees pass. */
const BLOCK_ROWS = 64;

/**
 * Walks trees [firstTree, endTree) over the matrix block by block and hands out the leaves that rows [start, end) fall into.
 */
export function forEachTreeOfBlocks(
  forest: RandomForest,
  x: FeatureMatrix,
  visit: (tree: number, start: number, end: number, leaves: Int32Array) => void,
  firstTree = 0,
  endTree = treeCount(forest),
): void {
  const { depths, links, thresholds } = walkableForest(forest);
  const stride = 2 * forest.features;
  const block = new Float64Array(BLOCK_ROWS * stride);
  const leaves = new Int32Array(BLOCK_ROWS);
  for (let start = 0; start < x.rows; start += BLOCK_ROWS) {
    const end = Math.min(x.rows, start + BLOCK_ROWS);
    for (let row = start; row < end; row++) {
      const at = (row - start) * stride;
      layOutRow(block.subarray(at, at + stride), x.values, row, x.rows, forest.features);
    }
    for (let tree = firstTree; tree < endTree; tree++) {
      walkBlock(thresholds, links, block, stride, end - start, forest.treeOffsets[tree]!, depths[tree]!, leaves);
      visit(tree, start, end, leaves);
    }
  }
}

function walkBlock(
  thresholds: Float64Array,
  links: Int32Array,
  block: Float64Array,
  stride: number,
  rows: number,
  root: number,
  depth: number,
  leaves: Int32Array,
): void {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const at = row * stride;
    let a = root;
    let b = root;
    let c = root;
    let d = root;
    for (let step = 0; step < depth; step++) {
      a = links[4 * a + 3]! + +(block[at + links[4 * a + 2]!]! > thresholds[2 * a]!);
      b = links[4 * b + 3]! + +(block[at + stride + links[4 * b + 2]!]! > thresholds[2 * b]!);
      c = links[4 * c + 3]! + +(block[at + 2 * stride + links[4 * c + 2]!]! > thresholds[2 * c]!);
      d = links[4 * d + 3]! + +(block[at + 3 * stride + links[4 * d + 2]!]! > thresholds[2 * d]!);
    }
    leaves[row] = a;
    leaves[row + 1] = b;
    leaves[row + 2] = c;
    leaves[row + 3] = d;
  }
  for (; row < rows; row++) {
    let node = root;
    for (let step = 0; step < depth; step++) {
      node = links[4 * node + 3]! + +(block[row * stride + links[4 * node + 2]!]! > thresholds[2 * node]!);
    }
    leaves[row] = node;
  }
}
