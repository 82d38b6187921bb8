import { createMemory, pagesFor } from '../wasm/assembler.js';
import type { FeatureMatrix } from '../matrix.js';
import { clampFinite } from './binning.js';
import {
  BLOCK_ROWS,
  CELL_BYTES,
  GROUP_BYTES,
  LANES,
  NODE_BYTES,
  TREE_BYTES,
  bindWalkKernels,
  type WalkKernels,
} from './walk-kernels.js';

/** Trees as plain numbers: a row goes to `left[n]` or to the node behind it, as `RandomForest` says. */
export interface WalkedTrees {
  readonly outputs: number;
  readonly treeOffsets: Int32Array;
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly missingLeft: Uint8Array;
  readonly valueOffset: Int32Array;
  readonly values: Float64Array;
}

/** Nodes in the order in which they are walked: children of a node side by side, a tree after the other. */
interface Order {
  /** Their numbers in the trees they come from. */
  source: Int32Array;
  /** The place of the left child, or -1 for a leaf. */
  left: Int32Array;
  count: number;
  roots: number[];
  depths: number[];
}

/**
 * Trees laid out for walking, in WebAssembly memory. Of a column that is missing in all rows that will come, no node is left: its
 * way is known. A column is laid out as cells: once with its missing values low and once with them high, where nodes that send
 * them left and right ask for it.
 */
export class TreeWalker {
  readonly #kernels: WalkKernels;
  readonly #cells: Float64Array;
  readonly #answers: Float64Array;
  /** `2 * column`, and 1 more where missing values are high. */
  readonly #cellColumns: Int32Array;
  readonly #pairs: number;
  readonly #outputs: number;
  readonly #at: { trees: number; treesEnd: number; groups: number; groupsEnd: number; cells: number; answers: number };

  /** @param isMissing of a column: whether it is missing in all rows that will come */
  constructor(trees: WalkedTrees, isMissing: (column: number) => boolean) {
    const order = orderNodes(trees, isMissing);
    const pairs = Math.ceil(trees.outputs / 2);
    const groups = Math.ceil(order.roots.length / LANES);
    const leaves = order.left.subarray(0, order.count).reduce((sum, left) => sum + (left < 0 ? 1 : 0), 0);
    this.#cellColumns = cellColumns(trees, order);
    // A last leaf that answers nothing stands for the trees that the last group lacks.
    const values = NODE_BYTES * (order.count + 1);
    const table = values + 16 * pairs * (leaves + 1);
    const groupTable = table + TREE_BYTES * order.roots.length;
    const cells = Math.ceil((groupTable + GROUP_BYTES * groups) / 64) * 64;
    const answers = cells + CELL_BYTES * BLOCK_ROWS * this.#cellColumns.length;
    const memory = createMemory(pagesFor(answers + 16 * pairs * BLOCK_ROWS), false);
    this.#pairs = pairs;
    this.#outputs = trees.outputs;
    this.#at = {
      trees: table,
      treesEnd: groupTable,
      groups: groupTable,
      groupsEnd: groupTable + GROUP_BYTES * groups,
      cells,
      answers,
    };
    this.#cells = new Float64Array(memory.buffer, cells, BLOCK_ROWS * this.#cellColumns.length);
    this.#answers = new Float64Array(memory.buffer, answers, 2 * pairs * BLOCK_ROWS);
    this.#writeNodes(trees, order, new DataView(memory.buffer), values);
    writeTables(order, new DataView(memory.buffer), table, groupTable);
    this.#kernels = bindWalkKernels(pairs, memory);
  }

  #writeNodes(trees: WalkedTrees, order: Order, view: DataView, values: number): void {
    const cellOf = new Map([...this.#cellColumns].map((key, cell) => [key, cell]));
    let answer = values;
    const writeLeaf = (at: number) => {
      view.setUint32(at, answer, true);
      view.setUint32(at + 4, 0x7ff80000, true);
      view.setUint32(at + 12, at, true);
      answer += 16 * this.#pairs;
    };
    for (let node = 0; node < order.count; node++) {
      const source = order.source[node]!;
      const at = NODE_BYTES * node;
      if (order.left[node]! < 0) {
        for (let o = 0; o < this.#outputs; o++)
          view.setFloat64(answer + 8 * o, trees.values[trees.valueOffset[source]! + o]!, true);
        writeLeaf(at);
        continue;
      }
      view.setFloat64(at, trees.threshold[source]!, true);
      view.setUint32(at + 8, CELL_BYTES * BLOCK_ROWS * cellOf.get(cellKey(trees, source))!, true);
      view.setUint32(at + 12, NODE_BYTES * order.left[node]!, true);
    }
    writeLeaf(NODE_BYTES * order.count);
  }

  /**
   * Sums what the trees answer to one row, in their order and without allocating.
   * @param row a number a column, NaN = missing
   * @param out receives `outputs` numbers
   */
  sumRow(row: Float64Array, out: Float64Array): void {
    this.#layOut(row, 0, 1, 1);
    const { groups, groupsEnd, cells, answers } = this.#at;
    this.#answers.fill(0, 0, 2 * this.#pairs);
    this.#kernels.walkRow(groups, groupsEnd, cells, answers);
    for (let o = 0; o < this.#outputs; o++) out[o] = this.#answers[o]!;
  }

  /**
   * The same for rows [start, end) of a matrix, as many as a block has at most.
   * @param out receives `outputs` numbers a row, from `start * outputs` on
   */
  sumRows(x: FeatureMatrix, start: number, end: number, out: Float64Array): void {
    this.#layOut(x.values, start, x.rows, end - start);
    const { trees, treesEnd, cells, answers } = this.#at;
    // Rows that fill up the last eight are walked with what stands there, and not read.
    const cellsEnd = cells + CELL_BYTES * LANES * Math.ceil((end - start) / LANES);
    const width = 2 * this.#pairs;
    this.#answers.fill(0);
    this.#kernels.walkRows(trees, treesEnd, cells, cellsEnd, answers);
    for (let row = start; row < end; row++)
      for (let o = 0; o < this.#outputs; o++) out[row * this.#outputs + o] = this.#answers[(row - start) * width + o]!;
  }

  /** `source[at + row + column * step]` is the value of a row and column. */
  #layOut(source: Float64Array, at: number, step: number, rows: number): void {
    const cells = this.#cells;
    for (let cell = 0; cell < this.#cellColumns.length; cell++) {
      const key = this.#cellColumns[cell]!;
      const from = at + (key >> 1) * step;
      const to = cell * BLOCK_ROWS;
      const missing = (key & 1) === 1 ? Infinity : -Infinity;
      for (let row = 0; row < rows; row++) {
        const value = source[from + row]!;
        cells[to + row] = value !== value ? missing : clampFinite(value);
      }
    }
  }
}

/** Follows the children from each root. */
function orderNodes(trees: WalkedTrees, isMissing: (column: number) => boolean): Order {
  const { feature, left, missingLeft, treeOffsets } = trees;
  const source = new Int32Array(feature.length);
  const order: Order = { source, left: new Int32Array(feature.length), count: 0, roots: [], depths: [] };
  const depthOf = new Int32Array(feature.length);
  /** The first node from here on that has to be asked. */
  const skip = (start: number): number => {
    let node = start;
    while (feature[node]! >= 0 && isMissing(feature[node]!)) node = left[node]! + (missingLeft[node] === 1 ? 0 : 1);
    return node;
  };
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const root = order.count;
    source[order.count++] = skip(treeOffsets[tree]!);
    depthOf[root] = 0;
    for (let node = root; node < order.count; node++) {
      const from = source[node]!;
      order.left[node] = feature[from]! < 0 ? -1 : order.count;
      if (feature[from]! < 0) continue;
      for (const child of [left[from]!, left[from]! + 1]) {
        depthOf[order.count] = depthOf[node]! + 1;
        source[order.count++] = skip(child);
      }
    }
    order.roots.push(root);
    order.depths.push(depthOf[order.count - 1]!);
  }
  return order;
}

const cellKey = ({ feature, missingLeft }: WalkedTrees, node: number): number =>
  2 * feature[node]! + (missingLeft[node] === 1 ? 0 : 1);

/** What the nodes look at, in order. */
function cellColumns(trees: WalkedTrees, order: Order): Int32Array {
  const keys = new Set<number>();
  for (let node = 0; node < order.count; node++)
    if (order.left[node]! >= 0) keys.add(cellKey(trees, order.source[node]!));
  return Int32Array.from(keys).sort();
}

function writeTables({ roots, depths, count }: Order, view: DataView, table: number, groupTable: number): void {
  roots.forEach((root, tree) => {
    view.setUint32(table + TREE_BYTES * tree, NODE_BYTES * root, true);
    view.setUint32(table + TREE_BYTES * tree + 4, depths[tree]!, true);
  });
  for (let first = 0, at = groupTable; first < roots.length; first += LANES, at += GROUP_BYTES) {
    for (let lane = 0; lane < LANES; lane++)
      view.setUint32(at + 4 * lane, NODE_BYTES * (roots[first + lane] ?? count), true);
    view.setUint32(at + 4 * LANES, Math.max(...depths.slice(first, first + LANES)), true);
  }
}
