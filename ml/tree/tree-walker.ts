import { createMemory, pagesFor } from '../wasm/assembler.js';
import type { FeatureMatrix } from '../matrix.js';
import { clampFinite } from './binning.js';
import { searchTables, takeCrowns, type Crown, type Order } from './crowns.js';
import {
  BLOCK_ROWS,
  CELL_BYTES,
  CODE_BYTES,
  CROWN_ROWS,
  GROUP_BYTES,
  LANES,
  NODE_BYTES,
  QUESTION_BYTES,
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

/** A cell whose codes the crowns ask for: which it is, and where the table of its thresholds lies. */
interface Search {
  cell: number;
  table: number;
  half: number;
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
  readonly #searches: readonly Search[];
  readonly #at: Places;

  /** @param isMissing of a column: whether it is missing in all rows that will come */
  constructor(trees: WalkedTrees, isMissing: (column: number) => boolean) {
    const order = orderNodes(trees, isMissing);
    const pairs = Math.ceil(trees.outputs / 2);
    this.#cellColumns = cellColumns(trees, order);
    const cellOf = new Map([...this.#cellColumns].map((key, cell) => [key, cell]));
    const cellOfNode = (node: number) => cellOf.get(cellKey(trees, order.source[node]!))!;
    const thresholdOf = (node: number) => trees.threshold[order.source[node]!]!;
    const crowns = takeCrowns(order, { count: cellOf.size, thresholdsEach: 255 });
    const tables = searchTables(crowns, cellOfNode, thresholdOf);
    const at = placeParts(order, crowns, tables, { pairs, cells: cellOf.size });
    const memory = createMemory(pagesFor(at.end), false);
    const view = new DataView(memory.buffer);
    this.#pairs = pairs;
    this.#outputs = trees.outputs;
    this.#at = at;
    this.#cells = new Float64Array(memory.buffer, at.cells, BLOCK_ROWS * this.#cellColumns.length);
    this.#answers = new Float64Array(memory.buffer, at.answers, 2 * pairs * BLOCK_ROWS);
    this.#writeNodes(trees, order, view, cellOfNode);
    writeGroups(order, view, at.groups);
    let table = at.tables;
    this.#searches = [...tables].map(([cell, thresholds]) => {
      new Float64Array(memory.buffer, table, thresholds.length).set(thresholds);
      table += thresholds.byteLength;
      return { cell, table: table - thresholds.byteLength, half: thresholds.byteLength / 2 };
    });
    writeCrowns(crowns, view, at, (node) => {
      const cell = cellOfNode(node);
      return { codes: CODE_BYTES * BLOCK_ROWS * cell, code: tables.get(cell)!.indexOf(thresholdOf(node)) };
    });
    this.#kernels = bindWalkKernels(pairs, memory);
  }

  #writeNodes(trees: WalkedTrees, order: Order, view: DataView, cellOfNode: (node: number) => number): void {
    let answer = this.#at.values;
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
      view.setUint32(at + 8, CELL_BYTES * BLOCK_ROWS * cellOfNode(node), true);
      view.setUint32(at + 12, NODE_BYTES * order.left[node]!, true);
    }
    // A last leaf that answers nothing stands for the trees that the last group lacks.
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
    const { trees, treesEnd, cells, codes, ways, answers } = this.#at;
    // Rows that fill up the last ones are walked with what stands there, and not read.
    const bytes = CELL_BYTES * CROWN_ROWS * Math.ceil((end - start) / CROWN_ROWS);
    for (const { cell, table, half } of this.#searches) {
      const from = cells + CELL_BYTES * BLOCK_ROWS * cell;
      this.#kernels.findCodes(table, half, from, from + bytes, codes + CODE_BYTES * BLOCK_ROWS * cell);
    }
    const width = 2 * this.#pairs;
    this.#answers.fill(0);
    this.#kernels.walkRows(trees, treesEnd, cells, cells + bytes, codes, ways, answers);
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

/** Where the parts lie in memory, as addresses. */
type Places = ReturnType<typeof placeParts>;

function placeParts(
  order: Order,
  crowns: readonly Crown[],
  tables: ReadonlyMap<number, Float64Array>,
  { pairs, cells }: { pairs: number; cells: number },
) {
  const leaves = order.left.subarray(0, order.count).reduce((sum, left) => sum + (left < 0 ? 1 : 0), 0);
  const questions = crowns.reduce((sum, crown) => sum + crown.questions.length, 0);
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return start;
  };
  take(NODE_BYTES * (order.count + 1));
  const values = take(16 * pairs * (leaves + 1));
  const trees = take(TREE_BYTES * crowns.length);
  const groups = take(GROUP_BYTES * Math.ceil(crowns.length / LANES));
  const places = {
    values,
    trees,
    treesEnd: trees + TREE_BYTES * crowns.length,
    groups,
    groupsEnd: groups + GROUP_BYTES * Math.ceil(crowns.length / LANES),
    questions: take(QUESTION_BYTES * questions),
    tables: take([...tables.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)),
    cells: take(CELL_BYTES * BLOCK_ROWS * cells),
    codes: take(CODE_BYTES * BLOCK_ROWS * cells),
    ways: take(CODE_BYTES * CROWN_ROWS),
    answers: take(16 * pairs * BLOCK_ROWS),
  };
  return { ...places, end };
}

function writeCrowns(
  crowns: readonly Crown[],
  view: DataView,
  at: Places,
  lookUp: (node: number) => { codes: number; code: number },
): void {
  let question = at.questions;
  crowns.forEach(({ questions, exits, steps }, tree) => {
    const own = at.trees + TREE_BYTES * tree;
    view.setUint32(own, question, true);
    for (const { node, leftWays } of questions) {
      const { codes, code } = lookUp(node);
      view.setUint32(question, codes, true);
      view.setInt16(question + 4, code, true);
      view.setUint16(question + 6, leftWays, true);
      question += QUESTION_BYTES;
    }
    view.setUint32(own + 4, question, true);
    view.setUint32(own + 8, steps, true);
    exits.forEach((node, way) => view.setUint32(own + 16 + 4 * way, NODE_BYTES * node, true));
  });
}

function writeGroups({ roots, depths, count }: Order, view: DataView, groups: number): void {
  for (let first = 0, at = groups; first < roots.length; first += LANES, at += GROUP_BYTES) {
    for (let lane = 0; lane < LANES; lane++)
      view.setUint32(at + 4 * lane, NODE_BYTES * (roots[first + lane] ?? count), true);
    view.setUint32(at + 4 * LANES, Math.max(...depths.slice(first, first + LANES)), true);
  }
}
