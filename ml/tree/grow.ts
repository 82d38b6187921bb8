import type { Prng } from '../random/prng.js';
import type { BinnedMatrix } from './binning.js';
import type { Criterion, RowWeights } from './criterion.js';
import { BINS, fillDirections, partitionRows, subtractHistogram } from './histogram.js';
import type { BinnedRows } from './histogram.js';
import { clearChoice } from './split.js';
import type { NodeTotals, SplitChoice } from './split.js';

/** Where a tree stops growing, and what it looks at. */
export interface GrowthLimits {
  /** Levels below the root; Infinity for none. */
  readonly maxDepth: number;
  /** A node of less sample weight is a leaf. */
  readonly minSplit: number;
  /** No child may have less sample weight. */
  readonly minLeaf: number;
  /** Columns looked at in each node, drawn anew; constant ones are not counted. */
  readonly columnsPerNode: number;
  /** True where sample weights are whole numbers, so that histograms can be subtracted without a rounding error. */
  readonly isExact: boolean;
}

/** One tree, nodes numbered from 0; the right child follows its left sibling. */
export interface GrownTree {
  readonly nodes: number;
  /** Column, or -1 for a leaf. */
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly missingLeft: Uint8Array;
  readonly cover: Float64Array;
  /** Per leaf its number among the leaves, -1 elsewhere. */
  readonly leaf: Int32Array;
  /** `values[leaf * outputs + output]`. */
  readonly values: Float64Array;
}

interface PendingNode {
  start: number;
  end: number;
  depth: number;
  node: number;
  /** Sample weight and weighted target of its rows, NaN where they must be summed up. */
  count: number;
  target: number;
  /** Histograms of all columns where they came from the parent by subtraction. */
  histogram: Float64Array | undefined;
}

/** Nodes that may hold histograms at a time: bounds the memory of deep, lopsided trees. */
const MOST_HISTOGRAMS = 64;

/** Grows trees one after the other on the same binned rows; all scratch memory is taken once. */
export class TreeGrower {
  private readonly rows: Int32Array;
  private readonly inNode: BinnedRows;
  private readonly leftRows: Int32Array;
  private readonly rightRows: Int32Array;
  private readonly columns: Int32Array;
  private readonly histogram: Float64Array;
  private readonly goesLeft = new Uint8Array(BINS);
  private readonly totals: NodeTotals;
  private readonly choice: SplitChoice = {
    score: -1,
    feature: -1,
    bin: 0,
    isMissingOnly: false,
    missingLeft: -1,
    leftCount: NaN,
    leftTarget: NaN,
  };
  private readonly stride: number;
  private readonly takesAll: boolean;
  private readonly spare: Float64Array[] = [];
  private inUse = 0;
  private tree = new TreeBuilder(1);

  constructor(
    private readonly data: BinnedMatrix,
    private readonly criterion: Criterion,
    private readonly limits: GrowthLimits,
  ) {
    this.rows = new Int32Array(data.rows);
    this.inNode = { bins: data.bins, rowStep: data.rowStep, rows: this.rows, start: 0, end: 0 };
    this.leftRows = new Int32Array(data.rows + 1);
    this.rightRows = new Int32Array(data.rows + 1);
    this.columns = Int32Array.from({ length: data.columns }, (_, column) => column).filter(
      (c) => data.isSplittable[c] === 1,
    );
    this.stride = BINS * criterion.channels;
    this.takesAll = limits.columnsPerNode >= this.columns.length;
    this.histogram = new Float64Array(this.stride * Math.min(4, Math.max(1, this.columns.length)));
    this.totals = { count: 0, weight: 0, isPure: true, sums: new Float64Array(Math.max(2, criterion.channels)) };
  }

  /**
   * Grows one tree depth first, left before right.
   * @param rowWeights per row its weight in this tree, 0 for "not in it"; at least one must be above 0
   */
  grow(rowWeights: RowWeights, prng: Prng): GrownTree {
    let count = 0;
    for (let row = 0; row < rowWeights.length; row++) {
      this.rows[count] = row;
      count += +(rowWeights[row]! > 0);
    }
    this.criterion.setRowWeights(rowWeights);
    // Every tree draws from the same starting order, so that it does not depend on the trees before it.
    this.columns.sort();
    this.tree = new TreeBuilder(this.criterion.outputs);
    const root = { start: 0, end: count, depth: 0, node: this.tree.addNode(), count: NaN, target: NaN };
    const pending: PendingNode[] = [{ ...root, histogram: undefined }];
    for (let next = pending.pop(); next; next = pending.pop()) this.growNode(next, pending, prng);
    return this.tree.finish();
  }

  private growNode(next: PendingNode, pending: PendingNode[], prng: Prng): void {
    const { node } = next;
    const { totals, limits, choice, inNode } = this;
    inNode.start = next.start;
    inNode.end = next.end;
    this.criterion.summarise(inNode, totals, next);
    this.tree.cover[node] = totals.weight;
    const mayPart =
      !totals.isPure &&
      next.depth < limits.maxDepth &&
      totals.count >= limits.minSplit &&
      totals.count >= 2 * limits.minLeaf;
    clearChoice(choice);
    if (mayPart) {
      if (this.takesAll) this.searchAll(next);
      else this.searchDrawn(prng);
    }
    if (choice.feature < 0 || !this.part(next, pending)) {
      if (next.histogram) this.giveBack(next.histogram);
      const at = this.tree.addLeaf(node);
      this.criterion.writeLeaf(inNode, totals, this.tree.values, at);
    }
  }

  /** Looks at columns drawn without replacement until enough of them vary in this node. */
  private searchDrawn(prng: Prng): void {
    const { columns, criterion, histogram, stride } = this;
    let wanted = this.limits.columnsPerNode;
    let drawn = 0;
    while (wanted > 0 && drawn < columns.length) {
      const batch = Math.min(4, wanted, columns.length - drawn);
      for (let i = drawn; i < drawn + batch; i++) {
        const j = i + prng.nextInt(columns.length - i);
        const held = columns[i]!;
        columns[i] = columns[j]!;
        columns[j] = held;
      }
      criterion.accumulate(histogram, columns, drawn, batch, this.inNode);
      for (let i = 0; i < batch; i++) {
        const varies = criterion.scan(
          histogram,
          i * stride,
          columns[drawn + i]!,
          this.totals,
          this.limits.minLeaf,
          this.choice,
          true,
        );
        if (varies) wanted--;
      }
      drawn += batch;
    }
  }

  /** Looks at every column; the histograms stay with the node, so that one child can be had by subtraction. */
  private searchAll(next: PendingNode): void {
    const { columns, criterion, stride } = this;
    let histogram = next.histogram;
    if (!histogram) {
      histogram = this.takeHistogram();
      criterion.accumulate(histogram, columns, 0, columns.length, this.inNode);
      next.histogram = histogram;
    }
    for (let i = 0; i < columns.length; i++) {
      criterion.scan(histogram, i * stride, columns[i]!, this.totals, this.limits.minLeaf, this.choice, false);
    }
  }

  private takeHistogram(): Float64Array {
    this.inUse++;
    const spare = this.spare.pop();
    if (!spare) return new Float64Array(this.stride * this.columns.length);
    spare.fill(0);
    return spare;
  }

  private giveBack(histogram: Float64Array): void {
    this.inUse--;
    this.spare.push(histogram);
  }

  /** Parts the node's rows and puts its children on the stack; false where rounding left one side without rows. */
  private part(next: PendingNode, pending: PendingNode[]): boolean {
    const { start, end, node } = next;
    const { feature, missingLeft, isMissingOnly } = this.choice;
    const edges = this.data.edges[feature]!;
    const bin = isMissingOnly ? edges.length : this.choice.bin;
    fillDirections(this.goesLeft, bin, missingLeft === 1);
    const middle = partitionRows(
      this.inNode,
      feature * this.data.columnStep,
      this.goesLeft,
      this.leftRows,
      this.rightRows,
    );
    if (middle === start || middle === end) return false;
    const threshold = isMissingOnly ? Number.MAX_VALUE : edges[bin]!;
    const left = this.tree.part(node, feature, threshold, missingLeft);
    const depth = next.depth + 1;
    const { leftCount, leftTarget } = this.choice;
    const count = this.totals.count - leftCount;
    const target = this.totals.sums[1]! - leftTarget;
    const leftNode = {
      start,
      end: middle,
      depth,
      node: left,
      count: leftCount,
      target: leftTarget,
      histogram: undefined,
    };
    const rightNode = { start: middle, end, depth, node: left + 1, count, target, histogram: undefined };
    if (next.histogram) this.shareHistogram(next.histogram, leftNode, rightNode);
    pending.push(rightNode, leftNode);
    return true;
  }

  /** Counts the smaller child and takes it away from the parent, where that is less work than counting both. */
  private shareHistogram(parent: Float64Array, left: PendingNode, right: PendingNode): void {
    const smaller = left.end - left.start <= right.end - right.start ? left : right;
    const larger = smaller === left ? right : left;
    const isWorthIt = larger.end - larger.start > BINS && left.depth < this.limits.maxDepth;
    if (!this.limits.isExact || !isWorthIt || this.inUse >= MOST_HISTOGRAMS) {
      this.giveBack(parent);
      return;
    }
    const counted = this.takeHistogram();
    this.inNode.start = smaller.start;
    this.inNode.end = smaller.end;
    this.criterion.accumulate(counted, this.columns, 0, this.columns.length, this.inNode);
    subtractHistogram(parent, counted);
    smaller.histogram = counted;
    larger.histogram = parent;
  }
}

/** Growing arrays of nodes and leaves. */
class TreeBuilder {
  values: Float64Array = new Float64Array(64);
  cover: Float64Array = new Float64Array(64);
  private feature: Int32Array = new Int32Array(64);
  private threshold: Float64Array = new Float64Array(64);
  private left: Int32Array = new Int32Array(64);
  private missingLeft: Uint8Array = new Uint8Array(64);
  private leaf: Int32Array = new Int32Array(64);
  private nodes = 0;
  private leaves = 0;

  constructor(private readonly outputs: number) {}

  addNode(): number {
    if (this.nodes === this.feature.length) this.enlarge();
    const node = this.nodes++;
    this.feature[node] = -1;
    this.left[node] = -1;
    this.leaf[node] = -1;
    return node;
  }

  /** Makes `node` a leaf and returns where in `values` its answer begins. */
  addLeaf(node: number): number {
    const at = this.leaves * this.outputs;
    if (at + this.outputs > this.values.length) {
      const values = new Float64Array(Math.max(2 * this.values.length, at + this.outputs));
      values.set(this.values);
      this.values = values;
    }
    this.leaf[node] = this.leaves++;
    return at;
  }

  /** Makes `node` an inner one and returns its left child; the right one is the next. */
  part(node: number, feature: number, threshold: number, missingLeft: number): number {
    const left = this.addNode();
    this.addNode();
    this.feature[node] = feature;
    this.threshold[node] = threshold;
    this.left[node] = left;
    this.missingLeft[node] = missingLeft === -1 ? UNDECIDED : missingLeft;
    return left;
  }

  finish(): GrownTree {
    const { nodes, cover } = this;
    for (let node = 0; node < nodes; node++) {
      if (this.missingLeft[node] !== UNDECIDED) continue;
      const left = this.left[node]!;
      this.missingLeft[node] = cover[left]! >= cover[left + 1]! ? 1 : 0;
    }
    return {
      nodes,
      feature: this.feature.slice(0, nodes),
      threshold: this.threshold.slice(0, nodes),
      left: this.left.slice(0, nodes),
      missingLeft: this.missingLeft.slice(0, nodes),
      cover: cover.slice(0, nodes),
      ...this.orderedLeaves(),
    };
  }

  /** Numbers the leaves by their nodes: they were met depth first, but a stored forest knows node numbers only. */
  private orderedLeaves(): Pick<GrownTree, 'leaf' | 'values'> {
    const { nodes, outputs } = this;
    const leaf = this.leaf.slice(0, nodes);
    const values = new Float64Array(this.leaves * outputs);
    let next = 0;
    for (let node = 0; node < nodes; node++) {
      const met = leaf[node]!;
      if (met < 0) continue;
      for (let o = 0; o < outputs; o++) values[next * outputs + o] = this.values[met * outputs + o]!;
      leaf[node] = next++;
    }
    return { leaf, values };
  }

  private enlarge(): void {
    const size = 2 * this.feature.length;
    const grown = <T extends Int32Array | Float64Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.cover = grown(this.cover, new Float64Array(size));
    this.feature = grown(this.feature, new Int32Array(size));
    this.threshold = grown(this.threshold, new Float64Array(size));
    this.left = grown(this.left, new Int32Array(size));
    this.missingLeft = grown(this.missingLeft, new Uint8Array(size));
    this.leaf = grown(this.leaf, new Int32Array(size));
  }
}

/** Marks a node that saw no missing value; they follow the heavier child, which is known only when the tree is done. */
const UNDECIDED = 2;
