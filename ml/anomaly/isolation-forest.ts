import type { FeatureMatrix } from '../matrix.js';
import { createPrng } from '../random/prng.js';
import { averagePathLength } from './average-path-length.js';
import { growIsolationTree } from './isolation-tree.js';
import type { IsolationTree } from './isolation-tree.js';

/**
 * Trees that isolate rows by random cuts, laid out flat one after the other (F. T. Liu, K. M. Ting, Z.-H. Zhou: Isolation
 * Forest, ICDM 2008). A row that is cut off after few cuts is unlike the others.
 */
export interface IsolationForest {
  readonly features: number;
  /** Rows that each tree was grown on. */
  readonly sampleSize: number;
  readonly trainRows: number;
  /** Nodes of tree `t` are `treeOffsets[t]` to `treeOffsets[t + 1]`. */
  readonly treeOffsets: Int32Array;
  /** The column that a node cuts; -1 for a leaf. */
  readonly feature: Int32Array;
  /** Values below it go to `left`, all others to `left + 1`. */
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  /** 1 where missing values go left: the side with more rows, so that a gap never isolates a row by itself. */
  readonly missingLeft: Uint8Array;
  /** Mean path length of the training rows that pass the node; at a leaf its depth and what its rows would still need. */
  readonly expected: Float64Array;
}

export interface IsolationForestInput {
  x: FeatureMatrix;
  seed: number;
  /** 100 by default. */
  trees?: number;
  /** Rows drawn for each tree without replacement; 256 by default, or all rows where there are fewer. */
  sampleSize?: number;
}

/**
 * Fits an isolation forest. A tree depends on the rows, the seed and its own number only.
 * @throws RangeError for a matrix without rows or columns, infinite values, or parameters out of range
 */
export function fitIsolationForest(input: IsolationForestInput): IsolationForest {
  const { x, seed, trees = 100 } = input;
  if (!(Number.isInteger(trees) && trees >= 1 && trees <= 100_000))
    throw new RangeError(`trees must be a whole number from 1 to 100,000, got ${trees}`);
  const asked = input.sampleSize ?? 256;
  if (!(Number.isInteger(asked) && asked >= 2))
    throw new RangeError(`sampleSize must be a whole number of at least 2, got ${asked}`);
  requireFiniteMatrix(x);
  const sampleSize = Math.min(asked, x.rows);
  const order = Int32Array.from({ length: x.rows }, (_, row) => row);
  const grown: IsolationTree[] = [];
  for (let tree = 0; tree < trees; tree++) {
    const prng = createPrng(seed, tree);
    // A partial Fisher-Yates shuffle from the order the last tree left would tie trees together: put it back after each.
    const swapped = new Int32Array(sampleSize);
    for (let i = 0; i < sampleSize; i++) {
      const j = i + prng.nextInt(x.rows - i);
      swapped[i] = j;
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    grown.push(growIsolationTree(x, order.slice(0, sampleSize), prng));
    for (let i = sampleSize - 1; i >= 0; i--) {
      const j = swapped[i]!;
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
  }
  return joinTrees(grown, { features: x.columns, sampleSize, trainRows: x.rows });
}

/** @throws RangeError for a matrix without rows or columns, of the wrong length, or with infinite values */
export function requireFiniteMatrix(x: FeatureMatrix): void {
  if (!(x.rows >= 1 && x.columns >= 1))
    throw new RangeError(`a detector needs at least one row and one column, got ${x.rows} x ${x.columns}`);
  if (x.values.length !== x.rows * x.columns)
    throw new RangeError(
      `${x.rows} rows of ${x.columns} columns need ${x.rows * x.columns} values, got ${x.values.length}`,
    );
  const wrong = x.values.findIndex((value) => value === Infinity || value === -Infinity);
  if (wrong >= 0)
    throw new RangeError(
      `column ${Math.floor(wrong / x.rows)}, row ${wrong % x.rows} is infinite: give NaN for a missing value`,
    );
}

function joinTrees(
  trees: readonly IsolationTree[],
  shape: Pick<IsolationForest, 'features' | 'sampleSize' | 'trainRows'>,
): IsolationForest {
  const nodes = trees.reduce((sum, tree) => sum + tree.nodes, 0);
  const treeOffsets = new Int32Array(trees.length + 1);
  const feature = new Int32Array(nodes);
  const threshold = new Float64Array(nodes);
  const left = new Int32Array(nodes);
  const missingLeft = new Uint8Array(nodes);
  const expected = new Float64Array(nodes);
  let at = 0;
  trees.forEach((tree, index) => {
    feature.set(tree.feature, at);
    threshold.set(tree.threshold, at);
    missingLeft.set(tree.missingLeft, at);
    expected.set(tree.expected, at);
    for (let node = 0; node < tree.nodes; node++) left[at + node] = tree.left[node]! < 0 ? -1 : at + tree.left[node]!;
    at += tree.nodes;
    treeOffsets[index + 1] = at;
  });
  return { ...shape, treeOffsets, feature, threshold, left, missingLeft, expected };
}

/**
 * How easily a row is isolated: 2^(-mean path length / c(sampleSize)), in (0, 1]. Ordinary rows have about 0.5 or less, clear
 * anomalies 0.6 and more. Allocates nothing. Missing values (NaN) go with the majority at each cut.
 * @param row one value a column
 */
export function scoreIsolationForestRow(forest: IsolationForest, row: ArrayLike<number>): number {
  const { treeOffsets, expected } = forest;
  const trees = treeOffsets.length - 1;
  let sum = 0;
  for (let tree = 0; tree < trees; tree++) sum += expected[leafOf(forest, treeOffsets[tree]!, row)]!;
  return scoreOfPathLength(sum / trees, forest.sampleSize);
}

/** The score of each row of a matrix; see `scoreIsolationForestRow`. @throws RangeError for another number of columns */
export function scoreIsolationForest(forest: IsolationForest, x: FeatureMatrix): Float64Array {
  if (x.columns !== forest.features)
    throw new RangeError(`the forest was fitted on ${forest.features} columns, got ${x.columns}`);
  const { treeOffsets, feature, threshold, left, missingLeft, expected } = forest;
  const { rows, values } = x;
  const trees = treeOffsets.length - 1;
  const out = new Float64Array(rows);
  // Tree by tree: one tree stays in the processor's cache while all rows walk down it.
  for (let tree = 0; tree < trees; tree++) {
    for (let row = 0; row < rows; row++) {
      let node = treeOffsets[tree]!;
      while (left[node]! >= 0) {
        const value = values[feature[node]! * rows + row]!;
        const isLeft = Number.isNaN(value) ? missingLeft[node] === 1 : value < threshold[node]!;
        node = left[node]! + (isLeft ? 0 : 1);
      }
      out[row]! += expected[node]!;
    }
  }
  for (let row = 0; row < rows; row++) out[row] = scoreOfPathLength(out[row]! / trees, forest.sampleSize);
  return out;
}

/**
 * What each column adds to a row's isolation, in cuts saved against the average training row: each cut's change of the
 * expected path length goes to its column, so the contributions add up exactly to the returned base less the row's own mean
 * path length. Above 0 makes the row more anomalous.
 * @param out one number a column, overwritten
 * @returns the mean path length of the average training row
 */
export function isolationContributions(forest: IsolationForest, row: ArrayLike<number>, out: Float64Array): number {
  const { treeOffsets, feature, expected, left } = forest;
  const trees = treeOffsets.length - 1;
  out.fill(0);
  let base = 0;
  for (let tree = 0; tree < trees; tree++) {
    let node = treeOffsets[tree]!;
    base += expected[node]!;
    while (left[node]! >= 0) {
      const child = left[node]! + (goesLeft(forest, node, row) ? 0 : 1);
      out[feature[node]!]! += (expected[node]! - expected[child]!) / trees;
      node = child;
    }
  }
  return base / trees;
}

function leafOf(forest: IsolationForest, root: number, row: ArrayLike<number>): number {
  const { left } = forest;
  let node = root;
  while (left[node]! >= 0) node = left[node]! + (goesLeft(forest, node, row) ? 0 : 1);
  return node;
}

function goesLeft(forest: IsolationForest, node: number, row: ArrayLike<number>): boolean {
  const value = row[forest.feature[node]!]!;
  return Number.isNaN(value) ? forest.missingLeft[node] === 1 : value < forest.threshold[node]!;
}

function scoreOfPathLength(length: number, sampleSize: number): number {
  const average = averagePathLength(sampleSize);
  // One row, or rows that are all alike: nothing can be told apart.
  return average > 0 ? 2 ** (-length / average) : 0.5;
}
