/** What a forest answers with: class probabilities or one number. */
export type ForestTask = { kind: 'classification'; classes: number } | { kind: 'regression' };

/**
 * Trees as plain numbers. Nodes of all trees lie one after the other; a row at node n goes to `left[n]` where
 * its value of `feature[n]` is at most `threshold[n]` or is missing and `missingLeft[n]` is 1, otherwise to `left[n] + 1`:
 * the right child follows its left sibling, and children always have higher numbers than their parent.
 */
export interface TreeNodes {
  /** Columns of the matrix they were fitted on. */
  readonly features: number;
  /** Numbers in one answer. */
  readonly outputs: number;
  /** Node numbers where each tree begins; one more entry than trees, the last is the count of nodes. */
  readonly treeOffsets: Int32Array;
  /** Column a node looks at, or -1 for a leaf. */
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  /** Left child as a node number of all trees, -1 for a leaf. */
  readonly left: Int32Array;
  readonly missingLeft: Uint8Array;
  /** Weight of the training rows that reached a node. */
  readonly cover: Float64Array;
  /** Where a leaf's answer begins in `values`, -1 for an inner node. */
  readonly valueOffset: Int32Array;
  /** Answers of the leaves, `outputs` numbers each. */
  readonly values: Float64Array;
}

/** A fitted forest: an answer has a number a class, or one. */
export interface RandomForest extends TreeNodes {
  readonly task: ForestTask;
  /** Rows of the matrix it was fitted on. */
  readonly trainRows: number;
  /** The file that a forest with quantised answers came from: it is written as it was read. */
  readonly packed?: Uint8Array;
}

/** The count of trees. */
export function treeCount(forest: RandomForest): number {
  return forest.treeOffsets.length - 1;
}
