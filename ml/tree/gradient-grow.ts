import type { GradientBins } from './gradient-bins.js';
import { addRows, subtractHistogram, type FixedPoint } from './gradient-histogram.js';
import {
  hasCode,
  SplitFinder,
  type Bounds,
  type GradientSplit,
  type NodeSums,
  type SplitLimits,
} from './gradient-split.js';

export interface GrowLimits extends SplitLimits {
  maxLeaves: number;
  /** Levels below the root. */
  maxDepth: number;
}

/** One grown tree; its leaves have no answers yet. The right child of a node follows its left one. */
export interface GradientTree {
  nodes: number;
  /** -1 for a leaf. */
  feature: Int32Array;
  threshold: Float64Array;
  left: Int32Array;
  missingLeft: Uint8Array;
  /** Rows (whole weights count as rows) that reached a node. */
  cover: Float64Array;
  /** By node the gain of its split. */
  gain: Float64Array;
  /** By node the set of codes that go left, where its column is categorical. */
  codes: (Uint32Array | undefined)[];
  /** The rows it was grown on, those of a leaf side by side. */
  rows: Uint32Array;
  /** Where each leaf's rows stand, and what its answer may be. */
  leaves: { node: number; start: number; end: number; bounds: Bounds }[];
}

/** A leaf that may still be split. */
interface OpenLeaf {
  node: number;
  depth: number;
  start: number;
  end: number;
  sums: NodeSums;
  bounds: Bounds;
  histogram: Float64Array | undefined;
  split: GradientSplit | undefined;
}

/** Adds rows `start` to `end` of a list to a histogram that is all zeros; may do so on several threads. */
export type AddRows = (
  fixed: FixedPoint,
  rows: Uint32Array,
  start: number,
  end: number,
  columns: Int32Array,
  histogram: Float64Array,
) => void;

/** Grows trees leaf by leaf, always the one whose split gains most (Shi 2007; LightGBM), reusing its buffers. */
export class GradientTreeGrower {
  readonly #finder: SplitFinder;
  readonly #scratch: Uint32Array;
  readonly #free: Float64Array[] = [];
  readonly #add: AddRows;

  constructor(
    private readonly data: GradientBins,
    private readonly limits: GrowLimits,
    private readonly monotone: Int8Array | undefined,
    add?: AddRows,
  ) {
    this.#finder = new SplitFinder(data, limits, monotone);
    this.#scratch = new Uint32Array(data.rows);
    const ordered = add ? undefined : new Float64Array(2 * data.rows);
    this.#add =
      add ??
      ((fixed, rows, start, end, columns, histogram) =>
        addRows(data, fixed.pairs, rows, start, end, ordered!, columns, histogram));
  }

  /**
   * @param rows the rows to grow on; the list is reordered
   * @param columns the columns that may be looked at
   */
  grow(fixed: FixedPoint, rows: Uint32Array, columns: Int32Array): GradientTree {
    const tree = this.#emptyTree(rows);
    const root = this.#openRoot(fixed, rows, columns);
    this.#setCover(tree, root, fixed);
    const open: OpenLeaf[] = [root];
    this.#findSplit(root, fixed, columns);
    for (let leaves = 1; leaves < this.limits.maxLeaves; leaves++) {
      const best = bestLeaf(open);
      if (!best) break;
      const children = this.#split(tree, best, fixed);
      open.splice(open.indexOf(best), 1, ...children);
      // The children of the last split are never split themselves.
      if (leaves + 1 < this.limits.maxLeaves) this.#prepare(children, best, fixed, rows, columns);
      this.#release(best);
    }
    for (const leaf of open) {
      this.#release(leaf);
      tree.leaves.push({ node: leaf.node, start: leaf.start, end: leaf.end, bounds: leaf.bounds });
    }
    tree.leaves.sort((a, b) => a.node - b.node);
    return tree;
  }

  #emptyTree(rows: Uint32Array): GradientTree {
    const most = 2 * this.limits.maxLeaves - 1;
    return {
      nodes: 1,
      feature: new Int32Array(most).fill(-1),
      threshold: new Float64Array(most),
      left: new Int32Array(most).fill(-1),
      missingLeft: new Uint8Array(most),
      cover: new Float64Array(most),
      gain: new Float64Array(most),
      codes: [],
      rows,
      leaves: [],
    };
  }

  #openRoot(fixed: FixedPoint, rows: Uint32Array, columns: Int32Array): OpenLeaf {
    const sums = { gradient: 0, rest: 0 };
    for (const row of rows) {
      sums.gradient += fixed.pairs[2 * row]!;
      sums.rest += fixed.pairs[2 * row + 1]!;
    }
    const histogram = this.#histogram();
    this.#add(fixed, rows, 0, rows.length, columns, histogram);
    const bounds = { lower: -Infinity, upper: Infinity };
    return { node: 0, depth: 0, start: 0, end: rows.length, sums, bounds, histogram, split: undefined };
  }

  #histogram(): Float64Array {
    const used = this.#free.pop();
    if (!used) return new Float64Array(2 * this.data.offsets[this.data.columns]!);
    return used.fill(0);
  }

  #release(leaf: OpenLeaf): void {
    if (leaf.histogram) this.#free.push(leaf.histogram);
    leaf.histogram = undefined;
  }

  #setCover(tree: GradientTree, leaf: OpenLeaf, { countUnit }: FixedPoint): void {
    tree.cover[leaf.node] = leaf.sums.rest - Math.floor(leaf.sums.rest / countUnit) * countUnit;
  }

  #findSplit(leaf: OpenLeaf, fixed: FixedPoint, columns: Int32Array): void {
    if (!leaf.histogram || leaf.depth >= this.limits.maxDepth) return;
    leaf.split = this.#finder.find(leaf.histogram, fixed, leaf.sums, columns, leaf.bounds);
  }

  /** Writes the split into the tree and parts the rows. */
  #split(tree: GradientTree, leaf: OpenLeaf, fixed: FixedPoint): [OpenLeaf, OpenLeaf] {
    const split = leaf.split!;
    const left = tree.nodes;
    tree.nodes += 2;
    tree.feature[leaf.node] = split.column;
    tree.left[leaf.node] = left;
    tree.gain[leaf.node] = split.gain;
    tree.missingLeft[leaf.node] = this.#missingSide(leaf, split, fixed);
    if (split.codes) tree.codes[leaf.node] = split.codes;
    else tree.threshold[leaf.node] = this.#threshold(split);
    const middle = this.#partition(tree.rows, leaf, split);
    const rightSums = {
      gradient: leaf.sums.gradient - split.left.gradient,
      rest: leaf.sums.rest - split.left.rest,
    };
    const [lowerBounds, upperBounds] = this.#childBounds(leaf, split, rightSums, fixed);
    const child = (node: number, start: number, end: number, sums: NodeSums, bounds: Bounds): OpenLeaf => ({
      node,
      depth: leaf.depth + 1,
      start,
      end,
      sums,
      bounds,
      histogram: undefined,
      split: undefined,
    });
    const children: [OpenLeaf, OpenLeaf] = [
      child(left, leaf.start, middle, split.left, lowerBounds),
      child(left + 1, middle, leaf.end, rightSums, upperBounds),
    ];
    for (const one of children) this.#setCover(tree, one, fixed);
    return children;
  }

  /** A value between the bins; where only missing values go right, the largest there is. */
  #threshold({ column, bin }: GradientSplit): number {
    const edges = this.data.edges[column]!;
    return bin < edges.length ? edges[bin]! : Number.MAX_VALUE;
  }

  /** Where no value was missing in training, a missing one later goes with the larger child. */
  #missingSide(leaf: OpenLeaf, split: GradientSplit, { countUnit }: FixedPoint): number {
    const missing = this.data.offsets[split.column + 1]! - 1;
    if (leaf.histogram![2 * missing + 1]! > 0) return split.missingLeft ? 1 : 0;
    const count = (rest: number) => rest - Math.floor(rest / countUnit) * countUnit;
    return 2 * count(split.left.rest) >= count(leaf.sums.rest) ? 1 : 0;
  }

  /** Below a monotone split neither side may cross the middle of the two answers. */
  #childBounds(leaf: OpenLeaf, split: GradientSplit, right: NodeSums, fixed: FixedPoint): [Bounds, Bounds] {
    const direction = this.monotone?.[split.column] ?? 0;
    if (direction === 0) return [leaf.bounds, leaf.bounds];
    const answer = ({ gradient, rest }: NodeSums): number => {
      const hessian = Math.floor(rest / fixed.countUnit) / fixed.hessianUnit;
      const free = -gradient / fixed.gradientUnit / (hessian + this.limits.l2);
      return Math.min(leaf.bounds.upper, Math.max(leaf.bounds.lower, free));
    };
    const middle = (answer(split.left) + answer(right)) / 2;
    const below = { lower: leaf.bounds.lower, upper: middle };
    const above = { lower: middle, upper: leaf.bounds.upper };
    return direction > 0 ? [below, above] : [above, below];
  }

  /** Moves the rows that go left to the front, keeping their order; returns where the others begin. */
  #partition(rows: Uint32Array, { start, end }: OpenLeaf, split: GradientSplit): number {
    const { bins, columns, offsets } = this.data;
    const { column, bin, codes, missingLeft } = split;
    const missing = offsets[column + 1]! - offsets[column]! - 1;
    const goesLeft = new Uint8Array(missing + 1);
    for (let b = 0; b < missing; b++) goesLeft[b] = codes ? Number(hasCode(codes, 0, b)) : Number(b <= bin);
    goesLeft[missing] = Number(missingLeft);
    const scratch = this.#scratch;
    let to = start;
    let others = 0;
    for (let i = start; i < end; i++) {
      const row = rows[i]!;
      // Both are written and one of them counts, which is faster than a branch that nobody can foresee.
      const isLeft = goesLeft[bins[row * columns + column]!]!;
      rows[to] = row;
      scratch[others] = row;
      to += isLeft;
      others += 1 - isLeft;
    }
    rows.set(scratch.subarray(0, others), to);
    return to;
  }

  /** Histograms of both children: the smaller one's from its rows, the other's is what the parent has left. */
  #prepare(
    [left, right]: [OpenLeaf, OpenLeaf],
    parent: OpenLeaf,
    fixed: FixedPoint,
    rows: Uint32Array,
    columns: Int32Array,
  ): void {
    const [small, large] = left.end - left.start <= right.end - right.start ? [left, right] : [right, left];
    if (large.depth >= this.limits.maxDepth) return;
    small.histogram = this.#histogram();
    this.#add(fixed, rows, small.start, small.end, columns, small.histogram);
    large.histogram = parent.histogram;
    parent.histogram = undefined;
    subtractHistogram(large.histogram!, small.histogram);
    this.#findSplit(small, fixed, columns);
    this.#findSplit(large, fixed, columns);
  }
}

function bestLeaf(open: readonly OpenLeaf[]): OpenLeaf | undefined {
  let best: OpenLeaf | undefined;
  for (const leaf of open) {
    if (!leaf.split) continue;
    const isBetter =
      !best || leaf.split.gain > best.split!.gain || (leaf.split.gain === best.split!.gain && leaf.node < best.node);
    if (isBetter) best = leaf;
  }
  return best;
}
