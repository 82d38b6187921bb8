import { MOST_EXITS } from './walk-kernels.js';

/** Nodes in the order in which they are walked: children of a node side by side, a tree after the other. */
export interface Order {
  /** Their numbers in the trees they come from. */
  source: Int32Array;
  /** The place of the left child, or -1 for a leaf. */
  left: Int32Array;
  count: number;
  roots: number[];
  depths: number[];
}

/** The upper part of a tree: all its nodes are asked at once. */
export interface Crown {
  questions: { node: number; leftWays: number }[];
  /** Nodes at the ways out, from left to right. */
  exits: number[];
  /** The longest walk from there. */
  steps: number;
}

/** Nanoseconds that a row takes for a question of a crown, a step of a walk and a step of the search for a code, as `bench:walk` shows. */
const COST = { question: 0.17, step: 0.9, searchStep: 0.6 };

/**
 * Takes the crowns of all trees, or their roots alone where finding the codes of the cells costs more than is gained.
 * @param cells how many would need codes, and how many thresholds each has at most
 */
export function takeCrowns(order: Order, cells: { count: number; thresholdsEach: number }): Crown[] {
  const heights = heightsOf(order);
  const crowns = order.roots.map((root) => takeCrown(order, heights, root));
  const gain = crowns.reduce(
    (sum, { questions, steps }, tree) =>
      sum + COST.step * (order.depths[tree]! - steps) - COST.question * questions.length,
    0,
  );
  const search = cells.count * COST.searchStep * Math.ceil(Math.log2(cells.thresholdsEach + 1));
  if (gain > search) return crowns;
  return order.roots.map((root, tree) => ({ questions: [], exits: [root], steps: order.depths[tree]! }));
}

function heightsOf({ left, count }: Order): Int32Array {
  const heights = new Int32Array(count);
  for (let node = count - 1; node >= 0; node--) {
    const child = left[node]!;
    if (child >= 0) heights[node] = 1 + Math.max(heights[child]!, heights[child + 1]!);
  }
  return heights;
}

/** Whichever way out leads deepest is asked next, so that what is left to walk is as short as can be. */
function takeCrown({ left }: Order, heights: Int32Array, root: number): Crown {
  const asked = new Set<number>();
  let open = [root];
  while (open.length < MOST_EXITS) {
    const deepest = open.reduce((a, b) => (heights[b]! > heights[a]! ? b : a));
    if (heights[deepest] === 0) break;
    asked.add(deepest);
    open = open.flatMap((node) => (node === deepest ? [left[node]!, left[node]! + 1] : [node]));
  }
  const wayOf = new Map(open.map((node, way) => [node, way]));
  /** The ways out below a node. */
  const waysBelow = (node: number): number =>
    asked.has(node) ? waysBelow(left[node]!) | waysBelow(left[node]! + 1) : 1 << wayOf.get(node)!;
  return {
    questions: [...asked].map((node) => ({ node, leftWays: waysBelow(left[node]!) })),
    exits: open,
    steps: open.reduce((most, node) => Math.max(most, heights[node]!), 0),
  };
}

/** The thresholds that the crowns ask for, by cell, ascending, filled up with infinity to a power of two of numbers. */
export function searchTables(
  crowns: readonly Crown[],
  cellOf: (node: number) => number,
  thresholdOf: (node: number) => number,
): Map<number, Float64Array> {
  const found = new Map<number, Set<number>>();
  for (const { questions } of crowns)
    for (const { node } of questions) {
      const cell = cellOf(node);
      let thresholds = found.get(cell);
      if (!thresholds) found.set(cell, (thresholds = new Set()));
      thresholds.add(thresholdOf(node));
    }
  return new Map(
    [...found].map(([cell, thresholds]) => {
      const table = new Float64Array(2 ** Math.ceil(Math.log2(thresholds.size + 1))).fill(Infinity);
      table.set(Float64Array.from(thresholds).sort());
      return [cell, table];
    }),
  );
}
