import type { Code, FunctionSource, Variable, WasmMemory } from '../wasm/assembler.js';
import { assembleModule, declareFunction, f64, f64x2, i32, instantiate, loopWhile, v128 } from '../wasm/assembler.js';

/*
 * How trees lie in the memory that the kernels walk, all numbers little-endian and all links addresses in bytes:
 *   a node, 16 bytes: f64 threshold | u32 its cell, counted from the first cell of the row | u32 left child, the right one follows it
 *   a leaf: NaN, which nothing exceeds, with the address of its answer in the low word | 0 | itself
 *   an answer: pairs of f64, as many as the outputs need
 *   a cell: the values of one column of 64 rows, 512 bytes
 * A walk has a fixed length and no branch: whoever has reached a leaf goes on to it.
 */
export const NODE_BYTES = 16;
export const CELL_BYTES = 8;
/** Rows of a column that lie side by side. */
export const BLOCK_ROWS = 64;
/** Walks under way at a time, so that the waiting of one is the work of another. */
export const LANES = 8;
/** Roots of as many trees as there are lanes, and the steps of the deepest. */
export const GROUP_BYTES = 4 * LANES + 4;
/** A root and its steps. */
export const TREE_BYTES = 8;

export interface WalkKernels {
  /**
   * Adds the answers of trees listed in [trees, treesEnd), one after the other, to those of the rows whose cells begin in
   * [cells, cellsEnd), eight rows at a time.
   */
  walkRows: (trees: number, treesEnd: number, cells: number, cellsEnd: number, answers: number) => void;
  /** The same for one row, eight trees at a time: groups in [groups, groupsEnd). */
  walkRow: (groups: number, groupsEnd: number, cells: number, answer: number) => void;
}

/** An answer is added up in the order of the trees, by both: that is why they agree to the bit. */
function addAnswer(to: Variable, offset: number, leaf: Variable, found: Variable, pairs: number): Code[] {
  return [
    found.set(i32.load(leaf.get)),
    ...Array.from({ length: pairs }, (_, pair) => {
      const at = offset + 16 * pair;
      return v128.store(to.get, f64x2.add(v128.load(to.get, at), v128.load(found.get, 16 * pair)), at);
    }),
  ];
}

/** One step of a walk: to the right child where the row's cell is above the threshold. */
function step(node: Variable, cells: Variable, lane: number): Code {
  const cell = f64.load(i32.add(cells.get, i32.load(node.get, 8)), CELL_BYTES * lane);
  const isRight = f64.greater(cell, f64.load(node.get));
  return node.set(i32.add(i32.load(node.get, 12), i32.shl(isRight, i32.const(4))));
}

function walk(nodes: readonly Variable[], steps: Variable, cells: Variable, laneOf: (lane: number) => number): Code {
  return loopWhile(i32.lessUnsigned(i32.const(0), steps.get), [
    ...nodes.map((node, lane) => step(node, cells, laneOf(lane))),
    steps.increase(-1),
  ]);
}

function walkRows(pairs: number): FunctionSource {
  return declareFunction('walkRows', ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [tree, treesEnd, cells, cellsEnd, answers] = parameters as Variable[] & { length: 5 };
    const nodes = Array.from({ length: LANES }, () => local('i32'));
    const [steps, at, to, found] = [local('i32'), local('i32'), local('i32'), local('i32')];
    return [
      loopWhile(i32.lessUnsigned(tree!.get, treesEnd!.get), [
        at.set(cells!.get),
        to.set(answers!.get),
        loopWhile(i32.lessUnsigned(at.get, cellsEnd!.get), [
          ...nodes.map((node) => node.set(i32.load(tree!.get))),
          steps.set(i32.load(tree!.get, 4)),
          walk(nodes, steps, at, (lane) => lane),
          ...nodes.flatMap((node, lane) => addAnswer(to, 16 * pairs * lane, node, found, pairs)),
          at.increase(CELL_BYTES * LANES),
          to.increase(16 * pairs * LANES),
        ]),
        tree!.increase(TREE_BYTES),
      ]),
    ];
  });
}

function walkRow(pairs: number): FunctionSource {
  return declareFunction('walkRow', ['i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [group, groupsEnd, cells, answer] = parameters as Variable[] & { length: 4 };
    const nodes = Array.from({ length: LANES }, () => local('i32'));
    const [steps, found] = [local('i32'), local('i32')];
    return [
      loopWhile(i32.lessUnsigned(group!.get, groupsEnd!.get), [
        ...nodes.map((node, lane) => node.set(i32.load(group!.get, 4 * lane))),
        steps.set(i32.load(group!.get, 4 * LANES)),
        walk(nodes, steps, cells!, () => 0),
        ...nodes.flatMap((node) => addAnswer(answer!, 0, node, found, pairs)),
        group!.increase(GROUP_BYTES),
      ]),
    ];
  });
}

/** 4 GiB: what a memory may have at most. */
const MOST_PAGES = 65_536;
const modules = new Map<number, Uint8Array<ArrayBuffer>>();

/** @param pairs doubles of an answer, by twos */
export function bindWalkKernels(pairs: number, memory: WasmMemory): WalkKernels {
  let bytes = modules.get(pairs);
  if (!bytes) modules.set(pairs, (bytes = assembleModule([walkRows(pairs), walkRow(pairs)], MOST_PAGES, false)));
  return instantiate<WalkKernels>(bytes, memory);
}
