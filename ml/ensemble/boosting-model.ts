import type { BoostedTree } from './boosting-grow.js';
import { marginCount, type BoostingLoss } from './boosting-loss.js';

/**
 * A boosted model as plain numbers. Trees lie one after the other, those of a round side by side, one a margin. A row at node n
 * goes to `left[n]` where its value of `feature[n]` is at most `threshold[n]`, where its code is in the node's set, or where it is
 * missing and `missingLeft[n]` is 1; otherwise to `left[n] + 1`. Children have higher numbers than their parent.
 */
export interface GradientBoosting {
  readonly loss: BoostingLoss;
  /** Columns of the matrix it was fitted on. */
  readonly features: number;
  /** Rows of that matrix. */
  readonly trainRows: number;
  /** What every row begins with, one number a margin. */
  readonly baseMargins: Float64Array;
  /** Node numbers where each tree begins; one more entry than trees, the last is the count of nodes. */
  readonly treeOffsets: Int32Array;
  /** Column a node looks at, or -1 for a leaf. */
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly missingLeft: Uint8Array;
  /** Weight of the training rows that reached a node. */
  readonly cover: Float64Array;
  /** Of a leaf its answer, with the learning rate in it; of an inner node the gain of its split. */
  readonly value: Float64Array;
  /** Of a node that looks at codes, where its set of 256 bits begins in `codes`, else -1. */
  readonly codeOffset: Int32Array;
  readonly codes: Uint32Array;
  /** Mean loss after each round, on the training rows and, where there were any, on the validation rows. */
  readonly history: { readonly train: Float64Array; readonly validation: Float64Array };
  /** The file that a model with quantised answers came from: it is written as it was read. */
  readonly packed?: Uint8Array;
}

/** The count of rounds. */
export function roundCount(model: GradientBoosting): number {
  return (model.treeOffsets.length - 1) / marginCount(model.loss);
}

type Header = Pick<GradientBoosting, 'loss' | 'features' | 'trainRows' | 'baseMargins' | 'history'>;

/** Lays trees one after the other. */
export function joinBoostedTrees(trees: readonly BoostedTree[], header: Header): GradientBoosting {
  const nodes = trees.reduce((sum, tree) => sum + tree.nodes, 0);
  const sets = trees.reduce((sum, tree) => sum + tree.codes.filter((set) => set !== undefined).length, 0);
  const model: GradientBoosting = {
    ...header,
    treeOffsets: new Int32Array(trees.length + 1),
    feature: new Int32Array(nodes),
    threshold: new Float64Array(nodes),
    left: new Int32Array(nodes),
    missingLeft: new Uint8Array(nodes),
    cover: new Float64Array(nodes),
    value: new Float64Array(nodes),
    codeOffset: new Int32Array(nodes).fill(-1),
    codes: new Uint32Array(8 * sets),
  };
  let at = 0;
  let codesAt = 0;
  trees.forEach((tree, index) => {
    for (let node = 0; node < tree.nodes; node++) {
      model.feature[at + node] = tree.feature[node]!;
      model.threshold[at + node] = tree.threshold[node]!;
      model.left[at + node] = tree.left[node]! < 0 ? -1 : at + tree.left[node]!;
      model.missingLeft[at + node] = tree.missingLeft[node]!;
      model.cover[at + node] = tree.cover[node]!;
      model.value[at + node] = tree.value[node]!;
      const set = tree.codes[node];
      if (!set) continue;
      model.codeOffset[at + node] = codesAt;
      model.codes.set(set, codesAt);
      codesAt += 8;
    }
    at += tree.nodes;
    model.treeOffsets[index + 1] = at;
  });
  return model;
}

/** Takes the trees of the first rounds apart again, so that others can be added. */
export function boostedTreesOf(model: GradientBoosting, rounds: number): BoostedTree[] {
  const trees: BoostedTree[] = [];
  for (let tree = 0; tree < rounds * marginCount(model.loss); tree++) {
    const start = model.treeOffsets[tree]!;
    const end = model.treeOffsets[tree + 1]!;
    trees.push({
      nodes: end - start,
      feature: model.feature.slice(start, end),
      threshold: model.threshold.slice(start, end),
      left: model.left.slice(start, end).map((child) => (child < 0 ? -1 : child - start)),
      missingLeft: model.missingLeft.slice(start, end),
      cover: model.cover.slice(start, end),
      value: model.value.slice(start, end),
      codes: Array.from(model.codeOffset.subarray(start, end), (offset) =>
        offset < 0 ? undefined : model.codes.slice(offset, offset + 8),
      ),
    });
  }
  return trees;
}

/** The model of the first rounds alone. */
export function truncateBoosting(model: GradientBoosting, rounds: number): GradientBoosting {
  if (rounds >= roundCount(model)) return model;
  const { loss, features, trainRows, baseMargins, history } = model;
  return joinBoostedTrees(boostedTreesOf(model, rounds), {
    loss,
    features,
    trainRows,
    baseMargins,
    history: { train: history.train.slice(0, rounds), validation: history.validation.slice(0, rounds) },
  });
}

/** The share of the total gain that splits on each column have: `features` numbers that sum to 1, or all 0. */
export function boostingFeatureImportance(model: GradientBoosting): Float64Array {
  const gains = new Float64Array(model.features);
  let total = 0;
  for (let node = 0; node < model.feature.length; node++) {
    const column = model.feature[node]!;
    if (column < 0) continue;
    gains[column]! += model.value[node]!;
    total += model.value[node]!;
  }
  return total > 0 ? gains.map((gain) => gain / total) : gains;
}
