import type { RandomForest, TreeNodes } from '../ensemble/forest.js';
import { treeCount } from '../ensemble/forest.js';
import { clampFinite } from '../tree/binning.js';
import { hasCode, isCode } from '../tree/code-set.js';

/** What each column added to one answer. */
export interface ForestExplanation {
  /** The mean answer over the training rows, one number an output. */
  base: Float64Array;
  /** `contributions[output * features + column]`; with `base` they sum to the prediction (within 1e-9). */
  contributions: Float64Array;
}

/** The path of unique columns from the root to a node, level by level in one set of arrays. */
interface Paths {
  column: Int32Array;
  /** Share of training rows that take this path when the column is unknown. */
  zero: Float64Array;
  /** 1 where the row takes this path, else 0. */
  one: Float64Array;
  /** Weight of the subsets of each size. */
  weight: Float64Array;
}

/** Trees as the walk sees them: a forest's, or those of a boosted model. */
export interface ShapTrees extends TreeNodes {
  /** Of a node that looks at codes of categories, where its set of 256 bits begins in `codes`, else -1. */
  readonly codeOffset?: Int32Array;
  readonly codes?: Uint32Array;
}

interface Walk {
  forest: ShapTrees;
  row: Float64Array;
  contributions: Float64Array;
  paths: Paths;
}

/**
 * Exact path-dependent Shapley values of one prediction: TreeSHAP, algorithm 2 of Lundberg, Erion and Lee (2018),
 * "Consistent Individualized Feature Attribution for Tree Ensembles". Time is trees × leaves × depth².
 * @param row `features` numbers, NaN = missing
 */
export function explainForestRow(forest: RandomForest, row: Float64Array): ForestExplanation {
  const contributions = new Float64Array(forest.outputs * forest.features);
  const trees = treeCount(forest);
  const addTree = createTreeWalk(forest, row);
  for (let tree = 0; tree < trees; tree++) addTree(tree, contributions);
  for (let i = 0; i < contributions.length; i++) contributions[i]! /= trees;
  const base = new Float64Array(forest.outputs);
  meanAnswers(forest).forEach((answer, i) => (base[i % forest.outputs]! += answer / trees));
  return { base, contributions };
}

/** Makes the function that adds what each column contributed to one tree's answer for a row. */
export function createTreeWalk(
  forest: ShapTrees,
  row: Float64Array,
): (tree: number, contributions: Float64Array) => void {
  const deepest = pathLengthLimit(forest);
  const size = ((deepest + 2) * (deepest + 3)) / 2 + deepest + 2;
  const paths: Paths = {
    column: new Int32Array(size),
    zero: new Float64Array(size),
    one: new Float64Array(size),
    weight: new Float64Array(size),
  };
  return (tree, contributions) =>
    visit({ forest, row, contributions, paths }, forest.treeOffsets[tree]!, 0, 0, 1, 1, -1);
}

const means = new WeakMap<ShapTrees, Float64Array>();

/** The cover-weighted mean answer of each tree's leaves: `[tree * outputs + output]`. */
export function meanAnswers(forest: ShapTrees): Float64Array {
  const known = means.get(forest);
  if (known) return known;
  const { outputs, cover, valueOffset, values, treeOffsets } = forest;
  const trees = treeOffsets.length - 1;
  const answers = new Float64Array(trees * outputs);
  for (let tree = 0; tree < trees; tree++) {
    const root = treeOffsets[tree]!;
    const shares = new Float64Array(treeOffsets[tree + 1]! - root);
    shares[0] = 1;
    for (let node = root; node < treeOffsets[tree + 1]!; node++) {
      const share = shares[node - root]!;
      const at = valueOffset[node]!;
      if (at >= 0) {
        for (let o = 0; o < outputs; o++) answers[tree * outputs + o]! += share * values[at + o]!;
        continue;
      }
      const left = forest.left[node]!;
      const both = cover[left]! + cover[left + 1]!;
      shares[left - root] = (share * cover[left]!) / both;
      shares[left + 1 - root] = (share * cover[left + 1]!) / both;
    }
  }
  means.set(forest, answers);
  return answers;
}

const limits = new WeakMap<ShapTrees, number>();

/** Nodes on the longest path of any tree: no path has more unique columns. */
function pathLengthLimit(forest: ShapTrees): number {
  const known = limits.get(forest);
  if (known !== undefined) return known;
  const depth = new Int32Array(forest.feature.length);
  let deepest = 0;
  for (let node = 0; node < depth.length; node++) {
    deepest = Math.max(deepest, depth[node]!);
    const left = forest.left[node]!;
    if (left < 0) continue;
    depth[left] = depth[node]! + 1;
    depth[left + 1] = depth[node]! + 1;
  }
  limits.set(forest, deepest + 1);
  return deepest + 1;
}

function goesLeft(forest: ShapTrees, node: number, row: Float64Array): boolean {
  const value = row[forest.feature[node]!]!;
  const set = forest.codeOffset?.[node] ?? -1;
  if (set >= 0) return isCode(value) ? hasCode(forest.codes!, set, value) : forest.missingLeft[node] === 1;
  return value !== value ? forest.missingLeft[node] === 1 : clampFinite(value) <= forest.threshold[node]!;
}

/**
 * One call per node. The parent's path has `length` entries and begins at `parentAt`; this node works on a copy behind it,
 * extended by the step that led here.
 */
function visit(
  walk: Walk,
  node: number,
  parentAt: number,
  length: number,
  zero: number,
  one: number,
  column: number,
): void {
  const { forest, row, paths } = walk;
  const at = parentAt + length;
  copyPath(paths, parentAt, at, length);
  extend(paths, at, length, zero, one, column);
  let count = length + 1;
  if (forest.valueOffset[node]! >= 0) return addLeaf(walk, node, at, count);
  const left = forest.left[node]!;
  const hot = goesLeft(forest, node, row) ? left : left + 1;
  const cold = hot === left ? left + 1 : left;
  const both = forest.cover[left]! + forest.cover[left + 1]!;
  const feature = forest.feature[node]!;
  let zeroBefore = 1;
  let oneBefore = 1;
  for (let i = 1; i < count; i++) {
    if (paths.column[at + i] !== feature) continue;
    zeroBefore = paths.zero[at + i]!;
    oneBefore = paths.one[at + i]!;
    unwind(paths, at, count, i);
    count--;
    break;
  }
  visit(walk, hot, at, count, (zeroBefore * forest.cover[hot]!) / both, oneBefore, feature);
  visit(walk, cold, at, count, (zeroBefore * forest.cover[cold]!) / both, 0, feature);
}

function copyPath(paths: Paths, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i++) {
    paths.column[to + i] = paths.column[from + i]!;
    paths.zero[to + i] = paths.zero[from + i]!;
    paths.one[to + i] = paths.one[from + i]!;
    paths.weight[to + i] = paths.weight[from + i]!;
  }
}

/** `INVERSE[n]` is 1/n: the weights need a division in every innermost step, which is several times slower. */
const INVERSE = Float64Array.from({ length: 4096 }, (_, n) => 1 / n);

function inverse(n: number): number {
  return n < INVERSE.length ? INVERSE[n]! : 1 / n;
}

function extend(paths: Paths, at: number, length: number, zero: number, one: number, column: number): void {
  const { weight } = paths;
  paths.column[at + length] = column;
  paths.zero[at + length] = zero;
  paths.one[at + length] = one;
  weight[at + length] = length === 0 ? 1 : 0;
  const share = inverse(length + 1);
  for (let i = length - 1; i >= 0; i--) {
    const before = weight[at + i]! * share;
    weight[at + i + 1]! += one * before * (i + 1);
    weight[at + i] = zero * before * (length - i);
  }
}

/** Takes entry `index` out of a path of `count` entries. */
function unwind(paths: Paths, at: number, count: number, index: number): void {
  const { weight, column, zero, one } = paths;
  const last = count - 1;
  const z = zero[at + index]!;
  const o = one[at + index]!;
  let next = weight[at + last]!;
  for (let i = last - 1; i >= 0; i--) {
    if (o !== 0) {
      const held = weight[at + i]!;
      weight[at + i] = (next * count) / ((i + 1) * o);
      next = held - (weight[at + i]! * z * (last - i)) / count;
    } else {
      weight[at + i] = (weight[at + i]! * count) / (z * (last - i));
    }
  }
  for (let i = index; i < last; i++) {
    column[at + i] = column[at + i + 1]!;
    zero[at + i] = zero[at + i + 1]!;
    one[at + i] = one[at + i + 1]!;
  }
}

/** The sum of weights that `unwind` would leave for an entry the row takes, without changing the path. */
function takenSum({ weight }: Paths, at: number, count: number, zero: number): number {
  const last = count - 1;
  const share = zero * inverse(count);
  let next = weight[at + last]!;
  let total = 0;
  for (let i = last - 1; i >= 0; i--) {
    const part = next * count * inverse(i + 1);
    total += part;
    next = weight[at + i]! - part * share * (last - i);
  }
  return total;
}

/** The same for any entry the row does not take, times the entry's `zero`: then it is equal for all of them. */
function untakenSum({ weight }: Paths, at: number, count: number): number {
  const last = count - 1;
  let total = 0;
  for (let i = last - 1; i >= 0; i--) total += weight[at + i]! * inverse(last - i);
  return total * count;
}

function addLeaf({ forest, contributions, paths }: Walk, node: number, at: number, count: number): void {
  const { outputs, features, values } = forest;
  const value = forest.valueOffset[node]!;
  const untaken = untakenSum(paths, at, count);
  for (let i = 1; i < count; i++) {
    const zero = paths.zero[at + i]!;
    const share = paths.one[at + i] === 0 ? -untaken : takenSum(paths, at, count, zero) * (1 - zero);
    const column = paths.column[at + i]!;
    for (let o = 0; o < outputs; o++) contributions[o * features + column]! += share * values[value + o]!;
  }
}

/**
 * Carries contributions through a one-dimensional link, such as a calibration, by the rescale rule of DeepLIFT (Shrikumar,
 * Greenside and Kundaje 2017): all of them are multiplied by (link(output) - link(base)) / (output - base), so that with
 * link(base) they sum to link(output). Where output equals base the slope of the link takes the quotient's place.
 * @param contributions summing to `output - base`
 * @returns new contributions and the new base
 */
export function rescaleContributions(
  base: number,
  output: number,
  contributions: Float64Array,
  link: (value: number) => number,
): { base: number; output: number; contributions: Float64Array } {
  const linkedBase = link(base);
  const linkedOutput = link(output);
  const step = output - base;
  const isFlat = Math.abs(step) < 1e-12;
  const delta = 1e-6;
  const factor = isFlat ? (link(base + delta) - link(base - delta)) / (2 * delta) : (linkedOutput - linkedBase) / step;
  return { base: linkedBase, output: linkedOutput, contributions: contributions.map((value) => value * factor) };
}
