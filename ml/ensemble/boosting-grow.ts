import type { ColumnCuts } from '../tree/gradient-plan.js';
import { BIN_BYTES, LEAF_NUMBERS } from '../tree/gradient-plan.js';
import type { FoundSplit, NodeSums, ScanRules } from '../tree/gradient-scan.js';
import { valueOf } from '../tree/gradient-scan.js';
import { hasCode } from '../tree/code-set.js';
import type { WasmMemory } from '../wasm/assembler.js';
import type { BoostingCrew, BoostingWorker } from './boosting-work.js';
import { COUNT, PARTITION, QUANTISE, TASK, UPDATE, writeScanTask } from './boosting-work.js';

/** One grown tree, trimmed to its nodes. The right child of a node follows its left one. */
export interface BoostedTree {
  nodes: number;
  /** -1 for a leaf. */
  feature: Int32Array;
  threshold: Float64Array;
  left: Int32Array;
  missingLeft: Uint8Array;
  /** Rows (whole weights count as rows) that reached a node. */
  cover: Float64Array;
  /** Of a leaf its answer, with the learning rate in it; of an inner node the gain of its split. */
  value: Float64Array;
  /** By node the set of codes that go left, where its column is categorical. */
  codes: (Uint32Array | undefined)[];
}

/** A leaf while the tree grows: its rows stand side by side in the order of rows, those left out of the draw apart. */
export interface OpenLeaf {
  node: number;
  depth: number;
  start: number;
  end: number;
  outStart: number;
  outEnd: number;
  sums: NodeSums;
  /** Where its histogram is kept, or -1. */
  slot: number;
  split: FoundSplit | undefined;
}

export interface GrowLimits {
  maxLeaves: number;
  /** Levels below the root. */
  maxDepth: number;
  learningRate: number;
}

/** Below so many cells, waking other threads costs more than they save. */
const FEWEST_CELLS = 20_000;
/** The same where cells are counted: one takes a nanosecond or two. */
const FEWEST_COUNTED = 100_000;

/**
 * Grows trees leaf by leaf, always at the leaf whose split gains most (Shi 2007, "Best-first decision tree learning"; Ke et al.
 * 2017, LightGBM). Of two children the smaller one's rows are counted, the other one's histogram is what the parent has left.
 */
export class BoostingGrower {
  private readonly task: Float64Array;
  private readonly answers: Float64Array;
  private readonly order: Uint32Array;
  private readonly spare: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly leafList: Float64Array;
  private readonly free: number[] = [];

  constructor(
    private readonly worker: BoostingWorker,
    memory: WasmMemory,
    private readonly cuts: ColumnCuts,
    private readonly limits: GrowLimits,
    private readonly crew: BoostingCrew | undefined,
  ) {
    const { at, rows } = worker.job.plan;
    this.task = new Float64Array(memory.buffer, at.task, 32);
    this.answers = new Float64Array(memory.buffer, at.answers, 128);
    this.order = new Uint32Array(memory.buffer, at.order, rows);
    this.spare = new Uint32Array(memory.buffer, at.spare, rows);
    this.bytes = new Uint8Array(memory.buffer);
    this.leafList = new Float64Array(memory.buffer, at.leaves, limits.maxLeaves * LEAF_NUMBERS);
  }

  /** Runs the task that the memory describes, on all threads where it is large enough. @returns the count of parts */
  perform(cells: number): number {
    const { crew, worker } = this;
    if (!crew || crew.threads < 2 || cells < FEWEST_CELLS) {
      worker.perform(0, 1);
      return 1;
    }
    crew.perform(() => worker.perform(0, crew.threads));
    return crew.threads;
  }

  /**
   * Grows a tree on the quantised derivatives of one margin.
   * @param drawn so many rows at the front of the order take part, the others only follow
   * @param columns the columns that may be looked at
   * @param renew replaces a leaf's value
   */
  grow(margin: number, drawn: number, columns: Int32Array, renew?: (leaf: OpenLeaf) => number): BoostedTree {
    const { maxLeaves } = this.limits;
    const rules = this.worker.scanRules();
    const tree = emptyTree(2 * maxLeaves - 1);
    this.task.set([QUANTISE, margin]);
    this.perform(this.order.length);
    this.free.length = 0;
    for (let slot = this.worker.job.plan.slots - 1; slot >= 0; slot--) this.free.push(slot);
    const open = [this.openRoot(drawn, columns)];
    tree.cover[0] = open[0]!.sums.count;
    while (open.length < maxLeaves) {
      const best = bestLeaf(open);
      if (!best) break;
      const children = this.split(tree, best, rules);
      open[open.indexOf(best)] = children[0];
      open.push(children[1]);
      this.prepare(children, best, rules, open, columns);
    }
    const unit = this.task[TASK.hessianUnit]! / this.task[TASK.gradientUnit]!;
    open.forEach((leaf, index) => {
      // A tree without any split says nothing that the base does not say.
      const own = open.length === 1 ? 0 : renew ? renew(leaf) : valueOf(leaf.sums, rules.l2) * unit;
      const { lower, upper } = leaf.sums;
      const value = this.limits.learningRate * Math.min(upper * unit, Math.max(lower * unit, own));
      tree.value[leaf.node] = value;
      this.leafList.set([leaf.start, leaf.end, leaf.outStart, leaf.outEnd, value], index * LEAF_NUMBERS);
    });
    this.task.set([UPDATE, open.length, margin]);
    if (open.length > 1) this.perform(this.order.length);
    return trim(tree);
  }

  private openRoot(drawn: number, columns: Int32Array): OpenLeaf {
    const { plan } = this.worker.job;
    const sums = { gradient: 0, hessian: 0, count: 0, lower: -Infinity, upper: Infinity };
    const rows = this.order.length;
    const range = { start: 0, end: drawn, outStart: drawn, outEnd: rows };
    const root: OpenLeaf = { node: 0, depth: 0, ...range, sums, slot: -1, split: undefined };
    this.bytes.fill(0, plan.at.active, plan.at.active + plan.columns);
    for (const column of columns) this.bytes[plan.at.active + column] = 1;
    if (columns.length === 0) {
      sums.count = drawn;
      return root;
    }
    root.slot = this.free.pop()!;
    const alone = { slot: root.slot, otherSlot: -1, isSubtracted: false, other: null };
    const { slot } = alone;
    const counted = this.count(0, drawn, columns);
    writeScanTask(this.task, { ...alone, counted, node: null });
    this.worker.perform(0, 1);
    root.sums = this.worker.reader.total(plan.at.histograms + slot * plan.histogramOffsets[plan.columns]!, columns[0]!);
    writeScanTask(this.task, { ...alone, counted: 0, node: root.sums });
    this.perform(plan.histogramOffsets[plan.columns]! / BIN_BYTES);
    root.split = this.bestFound(0, columns);
    return root;
  }

  /** Has rows counted, on all threads where there are many. @returns the count of threads that counted */
  private count(start: number, end: number, columns: Int32Array): number {
    const { crew } = this;
    const cells = (end - start) * columns.length;
    const parts = crew && cells >= FEWEST_COUNTED ? crew.threads : 1;
    this.task.set([COUNT, start, end, parts]);
    return this.perform(parts > 1 ? cells : 0);
  }

  /** The best of the splits found by column; of equal ones the first column's. */
  private bestFound(which: number, columns: Int32Array): FoundSplit | undefined {
    const { reader } = this.worker;
    let best = -1;
    let bestGain = 0;
    for (const column of columns) {
      const gain = reader.gainFound(which, column);
      if (gain > bestGain) {
        bestGain = gain;
        best = column;
      }
    }
    return best < 0 ? undefined : reader.readFound(which, best);
  }

  /** Writes the split into the tree and parts the rows. */
  private split(tree: BoostedTree, leaf: OpenLeaf, rules: ScanRules): [OpenLeaf, OpenLeaf] {
    const split = leaf.split!;
    const { column } = split;
    const left = tree.nodes;
    tree.nodes += 2;
    tree.feature[leaf.node] = column;
    tree.left[leaf.node] = left;
    const [gradientUnit, hessianUnit] = [this.task[TASK.gradientUnit]!, this.task[TASK.hessianUnit]!];
    tree.value[leaf.node] = ((split.gain + rules.minSplitGain) * hessianUnit) / gradientUnit ** 2;
    tree.missingLeft[leaf.node] = split.missingLeft ? 1 : 0;
    const edges = this.cuts.edges[column]!;
    if (split.leftBins) tree.codes[leaf.node] = split.leftBins;
    // Where only missing values go right, every present one is below the threshold.
    else tree.threshold[leaf.node] = split.bin < edges.length ? edges[split.bin]! : Number.MAX_VALUE;
    this.fillTable(split);
    const middle = this.partition(leaf.start, leaf.end, column);
    const outMiddle = this.partition(leaf.outStart, leaf.outEnd, column);
    const [leftSums, rightSums] = childSums(leaf.sums, split, rules);
    tree.cover[left] = leftSums.count;
    tree.cover[left + 1] = rightSums.count;
    const shared = { depth: leaf.depth + 1, slot: -1, split: undefined };
    return [
      {
        ...shared,
        node: left,
        start: leaf.start,
        end: middle,
        outStart: leaf.outStart,
        outEnd: outMiddle,
        sums: leftSums,
      },
      {
        ...shared,
        node: left + 1,
        start: middle,
        end: leaf.end,
        outStart: outMiddle,
        outEnd: leaf.outEnd,
        sums: rightSums,
      },
    ];
  }

  /** Says of each bin whether it goes left: by 4, the bytes that a row takes in the list of the left ones. */
  private fillTable({ column, bin, leftBins, missingLeft }: FoundSplit): void {
    const { plan } = this.worker.job;
    const bins = plan.binCounts[column]!;
    for (let b = 0; b < bins; b++) {
      const isLeft = leftBins ? hasCode(leftBins, 0, b) : b <= bin;
      this.bytes[plan.at.table + b] = isLeft ? 4 : 0;
    }
    if (plan.hasMissing[column] === 1) this.bytes[plan.at.table + bins] = missingLeft ? 4 : 0;
  }

  /** Moves the rows that go left to the front, keeping their order; returns where the others begin. */
  private partition(start: number, end: number, column: number): number {
    if (start === end) return start;
    const { order, spare } = this;
    this.task.set([PARTITION, start, end, column]);
    const parts = this.perform(end - start);
    const length = end - start;
    let to = start;
    for (let part = 0; part < parts; part++) {
      const from = start + Math.floor((length * part) / parts);
      if (part > 0) order.copyWithin(to, from, this.answers[2 * part]);
      to += this.answers[2 * part]! - from;
    }
    let at = to;
    for (let part = 0; part < parts; part++) {
      const from = start + Math.floor((length * part) / parts);
      const rights = start + Math.floor((length * (part + 1)) / parts) - this.answers[2 * part]!;
      order.set(spare.subarray(from, from + rights), at);
      at += rights;
    }
    return to;
  }

  /** Finds out how the children of a split can be split themselves. */
  private prepare(
    [left, right]: [OpenLeaf, OpenLeaf],
    parent: OpenLeaf,
    rules: ScanRules,
    open: readonly OpenLeaf[],
    columns: Int32Array,
  ): void {
    const canSplit = ({ depth, sums }: OpenLeaf): boolean =>
      depth < this.limits.maxDepth && open.length < this.limits.maxLeaves && sums.count >= 2 * rules.minCount;
    const [small, large] = left.end - left.start <= right.end - right.start ? [left, right] : [right, left];
    const [isSmall, isLarge] = [canSplit(small), canSplit(large)];
    if (!isSmall && !isLarge) {
      this.release(parent);
      return;
    }
    const isSubtracted = parent.slot >= 0 && isLarge;
    large.slot = parent.slot;
    parent.slot = -1;
    if (!isLarge) this.release(large);
    else if (!isSubtracted) {
      large.slot = this.takeSlot(open);
      const counted = this.count(large.start, large.end, columns);
      const alone = { otherSlot: -1, isSubtracted: false, node: null, other: null };
      writeScanTask(this.task, { ...alone, counted, slot: large.slot });
      this.worker.perform(0, 1);
    }
    const task = { counted: 0, slot: -1, otherSlot: large.slot, isSubtracted, other: isLarge ? large.sums : null };
    if (isSmall || isSubtracted) {
      small.slot = this.takeSlot(open);
      task.slot = small.slot;
      task.counted = this.count(small.start, small.end, columns);
    }
    writeScanTask(this.task, { ...task, node: isSmall ? small.sums : null });
    this.perform(this.worker.job.plan.histogramOffsets.at(-1)! / BIN_BYTES);
    if (isSmall) small.split = this.bestFound(0, columns);
    if (isLarge) large.split = this.bestFound(1, columns);
    if (!small.split) this.release(small);
    if (!large.split) this.release(large);
  }

  private release(leaf: OpenLeaf): void {
    if (leaf.slot >= 0) this.free.push(leaf.slot);
    leaf.slot = -1;
  }

  /** A free slot, or that of the leaf that is least likely to be split: its histogram can be counted again. */
  private takeSlot(open: readonly OpenLeaf[]): number {
    const slot = this.free.pop();
    if (slot !== undefined) return slot;
    let least: OpenLeaf | undefined;
    for (const leaf of open) {
      if (leaf.slot >= 0 && leaf.split && (!least || leaf.split.gain < least.split!.gain)) least = leaf;
    }
    const taken = least!.slot;
    least!.slot = -1;
    return taken;
  }
}

function childSums(parent: NodeSums, split: FoundSplit, rules: ScanRules): [NodeSums, NodeSums] {
  const { lower, upper } = parent;
  const { gradient, hessian, count } = split;
  const left = { gradient, hessian, count, lower, upper };
  const right = {
    gradient: parent.gradient - gradient,
    hessian: parent.hessian - hessian,
    count: parent.count - count,
    lower,
    upper,
  };
  const direction = rules.monotone?.[split.column] ?? 0;
  if (direction === 0) return [left, right];
  // Below a monotone split neither side may cross the middle of the two answers.
  const middle = (valueOf(left, rules.l2) + valueOf(right, rules.l2)) / 2;
  const [below, above] = direction > 0 ? [left, right] : [right, left];
  below.upper = middle;
  above.lower = middle;
  return [left, right];
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

function emptyTree(most: number): BoostedTree {
  return {
    nodes: 1,
    feature: new Int32Array(most).fill(-1),
    threshold: new Float64Array(most),
    left: new Int32Array(most).fill(-1),
    missingLeft: new Uint8Array(most),
    cover: new Float64Array(most),
    value: new Float64Array(most),
    codes: [],
  };
}

function trim(tree: BoostedTree): BoostedTree {
  const { nodes } = tree;
  return {
    nodes,
    feature: tree.feature.slice(0, nodes),
    threshold: tree.threshold.slice(0, nodes),
    left: tree.left.slice(0, nodes),
    missingLeft: tree.missingLeft.slice(0, nodes),
    cover: tree.cover.slice(0, nodes),
    value: tree.value.slice(0, nodes),
    codes: tree.codes,
  };
}
