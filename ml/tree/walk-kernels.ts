import type { Code, FunctionSource, Variable, WasmMemory } from '../wasm/assembler.js';
import {
  assembleModule,
  declareFunction,
  f64,
  f64x2,
  i16x8,
  i32,
  instantiate,
  loopWhile,
  v128,
} from '../wasm/assembler.js';

/*
 * How trees lie in the memory that the kernels walk, all numbers little-endian and all links addresses in bytes:
 *   a node, 16 bytes: f64 threshold | u32 its cell, counted from the first cell of the row | u32 left child, the right one follows it
 *   a leaf: NaN, which nothing exceeds, with the address of its answer in the low word | 0 | itself
 *   an answer: pairs of f64, as many as the outputs need
 *   a cell: the values of one column of 64 rows, 512 bytes
 *   a code: of each value of a cell how many of the thresholds of all crowns it exceeds, i16, 128 bytes
 * A walk has a fixed length and no branch: whoever has reached a leaf goes on to it.
 *
 * The crown of a tree are up to 15 nodes from its root down, and so has up to 16 ways out, numbered from left to right. They are asked all, of
 * eight rows at once: a node that sends a row right rules out the ways to its left, and the first that is left is the row's
 * (Lucchese et al. 2015, "QuickScorer"). From there on rows are walked.
 *   a question of a crown, 8 bytes: u32 the codes it looks at, counted from the first codes of the row | i16 code of the threshold |
 *   u16 the ways out on its left
 */
export const NODE_BYTES = 16;
export const CELL_BYTES = 8;
export const CODE_BYTES = 2;
/** Rows of a column that lie side by side. */
export const BLOCK_ROWS = 64;
/** Walks under way at a time, so that the waiting of one is the work of another. */
export const LANES = 8;
/** Roots of as many trees as there are lanes, and the steps of the deepest. */
export const GROUP_BYTES = 4 * LANES + 4;
export const QUESTION_BYTES = 8;
/** Ways out of a crown: a bit each. */
export const MOST_EXITS = 16;
/** The first question of the crown, the end of the last, the steps of the longest walk from there, a gap, and the nodes at the ways out. */
export const TREE_BYTES = 16 + 4 * MOST_EXITS;
/** Rows whose ways through a crown are found together, each eight of them in a register. */
export const CROWN_ROWS = 32;

export interface WalkKernels {
  /**
   * Adds the answers of trees listed in [trees, treesEnd), one after the other, to those of the rows whose cells begin in
   * [cells, cellsEnd), 32 rows at a time. `ways` are 64 bytes that it writes to.
   */
  walkRows: (
    trees: number,
    treesEnd: number,
    cells: number,
    cellsEnd: number,
    codes: number,
    ways: number,
    answers: number,
  ) => void;
  /** The same for one row, eight trees at a time: groups in [groups, groupsEnd). */
  walkRow: (groups: number, groupsEnd: number, cells: number, answer: number) => void;
  /**
   * Writes how many thresholds each value in [cells, cellsEnd) exceeds, eight values at a time.
   * @param table ascending, filled up with infinity to a power of two of numbers
   * @param half half the bytes of the table
   */
  findCodes: (table: number, half: number, cells: number, cellsEnd: number, codes: number) => void;
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
  return declareFunction('walkRows', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [tree, treesEnd, cells, cellsEnd, codes, ways, answers] = parameters as Variable[] & { length: 7 };
    const masks = Array.from({ length: CROWN_ROWS / LANES }, () => local('v128'));
    const nodes = Array.from({ length: LANES }, () => local('i32'));
    const [threshold, leftWays] = [local('v128'), local('v128')];
    const [steps, at, to, found, code] = [local('i32'), local('i32'), local('i32'), local('i32'), local('i32')];
    const [question, looked, way, waysEnd] = [local('i32'), local('i32'), local('i32'), local('i32')];
    const ask = [
      looked.set(i32.add(code.get, i32.load(question.get))),
      threshold.set(v128.load16Splat(question.get, 4)),
      leftWays.set(v128.load16Splat(question.get, 6)),
      ...masks.map((mask, eight) => {
        const goesRight = i16x8.greater(v128.load(looked.get, CODE_BYTES * LANES * eight), threshold.get);
        return mask.set(v128.without(mask.get, v128.and(goesRight, leftWays.get)));
      }),
      question.increase(QUESTION_BYTES),
    ];
    const exitOf = (lane: number) =>
      i32.load(
        i32.add(tree!.get, i32.shl(i32.trailingZeros(i32.load16(way.get, CODE_BYTES * lane)), i32.const(2))),
        16,
      );
    return [
      waysEnd.set(i32.add(ways!.get, i32.const(CODE_BYTES * CROWN_ROWS))),
      loopWhile(i32.lessUnsigned(tree!.get, treesEnd!.get), [
        at.set(cells!.get),
        code.set(codes!.get),
        to.set(answers!.get),
        loopWhile(i32.lessUnsigned(at.get, cellsEnd!.get), [
          ...masks.map((mask) => mask.set(v128.constInt32(-1, -1, -1, -1))),
          question.set(i32.load(tree!.get)),
          loopWhile(i32.lessUnsigned(question.get, i32.load(tree!.get, 4)), ask),
          ...masks.map((mask, eight) => v128.store(ways!.get, mask.get, CODE_BYTES * LANES * eight)),
          way.set(ways!.get),
          loopWhile(i32.lessUnsigned(way.get, waysEnd.get), [
            ...nodes.map((node, lane) => node.set(exitOf(lane))),
            steps.set(i32.load(tree!.get, 8)),
            walk(nodes, steps, at, (lane) => lane),
            ...nodes.flatMap((node, lane) => addAnswer(to, 16 * pairs * lane, node, found, pairs)),
            way.increase(CODE_BYTES * LANES),
            at.increase(CELL_BYTES * LANES),
            to.increase(16 * pairs * LANES),
          ]),
          code.increase(CODE_BYTES * CROWN_ROWS),
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

/** A search that halves the table and has no branch, for eight values at a time. */
function findCodes(): FunctionSource {
  return declareFunction('findCodes', ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [table, half, cells, cellsEnd, codes] = parameters as Variable[] & { length: 5 };
    const values = Array.from({ length: LANES }, () => local('f64'));
    const places = Array.from({ length: LANES }, () => local('i32'));
    const [left, middle] = [local('i32'), local('i32')];
    return [
      loopWhile(i32.lessUnsigned(cells!.get, cellsEnd!.get), [
        ...values.map((value, lane) => value.set(f64.load(cells!.get, CELL_BYTES * lane))),
        ...places.map((place) => place.set(i32.const(0))),
        left.set(half!.get),
        loopWhile(i32.lessUnsigned(i32.const(4), left.get), [
          middle.set(i32.sub(i32.add(table!.get, left.get), i32.const(8))),
          ...places.map((place, lane) => {
            const isAbove = f64.greater(values[lane]!.get, f64.load(i32.add(middle.get, place.get)));
            return place.set(i32.add(place.get, i32.and(i32.sub(i32.const(0), isAbove), left.get)));
          }),
          left.set(i32.shiftRight(left.get, i32.const(1))),
        ]),
        ...places.map((place, lane) =>
          i32.store16(codes!.get, i32.shiftRight(place.get, i32.const(3)), CODE_BYTES * lane),
        ),
        cells!.increase(CELL_BYTES * LANES),
        codes!.increase(CODE_BYTES * LANES),
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
  if (!bytes)
    modules.set(pairs, (bytes = assembleModule([walkRows(pairs), walkRow(pairs), findCodes()], MOST_PAGES, false)));
  return instantiate<WalkKernels>(bytes, memory);
}
