import type { FeatureMatrix } from '../matrix.js';
import { createPrng } from '../random/prng.js';
import { binMatrix } from '../tree/binning.js';
import type { BinnedMatrix } from '../tree/binning.js';
import { BinaryCriterion, ClassesCriterion, MOST_CODED_WEIGHT, ValueCriterion } from '../tree/criterion.js';
import type { Criterion } from '../tree/criterion.js';
import { TreeGrower } from '../tree/grow.js';
import { PACK } from '../tree/histogram.js';
import type { ForestTask, RandomForest } from './forest.js';
import { treeCount } from './forest.js';
import { checkInput, checkParameters, columnsPerNode } from './forest-parameters.js';
import type { RandomForestInput, RandomForestParameters } from './forest-parameters.js';
import { forEachTreeOfBlocks } from './forest-leaves.js';
import { requireColumns } from './forest-prediction.js';
import { joinTrees, treesOf } from './forest-trees.js';

export type { ForestTask, RandomForest } from './forest.js';
export { treeCount } from './forest.js';
export { forestFeatureImportance } from './forest-importance.js';
export { defaultRandomForestParameters } from './forest-parameters.js';
export type { RandomForestInput, RandomForestParameters } from './forest-parameters.js';
export { predictForest, predictForestRow } from './forest-prediction.js';

/**
 * Fits a random forest on histograms of quantile bins. A tree depends on the data, the parameters, the seed and its own
 * number only, so a fit that was interrupted and resumed gives the same forest to the bit.
 * @throws RangeError for inputs or parameters out of range
 */
export function fitRandomForest(input: RandomForestInput): RandomForest {
  checkParameters(input.parameters);
  checkInput(input);
  const { x, y, weights, task, parameters } = input;
  const data = binMatrix(x, weights, parameters.maxBins, parameters.seed);
  const isExact = hasWholeWeights(weights);
  const criterion = createCriterion(data, y, weights, task, parameters, isExact);
  const grower = new TreeGrower(data, criterion, {
    maxDepth: parameters.maxDepth ?? Infinity,
    minSplit: parameters.minSamplesSplit,
    minLeaf: parameters.minSamplesLeaf,
    columnsPerNode: columnsPerNode(parameters.maxFeatures, x.columns),
    isExact,
  });
  const shape = { task, outputs: criterion.outputs, features: x.columns, trainRows: x.rows };
  const trees = input.resumeFrom ? treesOf(input.resumeFrom, shape, parameters.nEstimators) : [];
  const drawn = new Uint8Array(x.rows);
  for (let tree = trees.length; tree < parameters.nEstimators; tree++) {
    drawRows(drawn, parameters, tree);
    const rowWeights = weights ? weighDraws(drawn, weights) : drawn;
    trees.push(grower.grow(rowWeights, createPrng(parameters.seed, tree, 1)));
    input.onTree?.({
      done: tree + 1,
      total: parameters.nEstimators,
      partial: () => joinTrees(trees.slice(0, tree + 1), shape),
    });
  }
  return joinTrees(trees, shape);
}

/**
 * Predicts each training row with those trees that did not see it, which is as honest as a held-out set and costs no data.
 * The draws are made again from the seed, so this works on a decoded forest too.
 * @param x the matrix the forest was fitted on, in the same order
 * @param onTrees is given what the first trees together say, some times on the way, where it is wanted
 * @returns `predictions[row * outputs + output]`, NaN where `covered[row]` is 0 because every tree saw the row
 */
export function outOfBagPredictions(
  forest: RandomForest,
  x: FeatureMatrix,
  parameters: RandomForestParameters,
  onTrees?: (trees: number, sums: Float64Array, votes: Int32Array) => void,
): { predictions: Float64Array; covered: Uint8Array } {
  requireColumns(forest, x);
  if (x.rows !== forest.trainRows) {
    throw new RangeError(
      `out-of-bag predictions need the ${forest.trainRows} training rows in their order, got ${x.rows} rows`,
    );
  }
  const { outputs } = forest;
  const predictions = new Float64Array(x.rows * outputs);
  const votes = new Int32Array(x.rows);
  const steps = onTrees ? CURVE_STEPS : 1;
  const atOnce = Math.max(1, Math.min(Math.floor(MOST_DRAWN_BYTES / x.rows), Math.ceil(treeCount(forest) / steps)));
  for (let first = 0; first < treeCount(forest); first += atOnce) {
    const end = Math.min(treeCount(forest), first + atOnce);
    addUnseenVotes(forest, x, parameters, first, end, predictions, votes);
    onTrees?.(end, predictions, votes);
  }
  for (let row = 0; row < x.rows; row++) {
    for (let o = 0; o < outputs; o++) predictions[row * outputs + o]! /= votes[row]!;
  }
  return { predictions, covered: Uint8Array.from(votes, (count) => (count > 0 ? 1 : 0)) };
}

/** Of a curve over the trees. */
const CURVE_STEPS = 10;

/** Trees whose draws are held at a time are limited by this, at a byte a row and tree. */
const MOST_DRAWN_BYTES = 64 * 1024 * 1024;

function addUnseenVotes(
  forest: RandomForest,
  x: FeatureMatrix,
  parameters: RandomForestParameters,
  firstTree: number,
  endTree: number,
  sums: Float64Array,
  votes: Int32Array,
): void {
  const { outputs, valueOffset, values } = forest;
  const drawn = new Uint8Array(x.rows * (endTree - firstTree));
  for (let tree = firstTree; tree < endTree; tree++) {
    const at = (tree - firstTree) * x.rows;
    drawRows(drawn.subarray(at, at + x.rows), parameters, tree);
  }
  const addVotes = (tree: number, start: number, end: number, leaves: Int32Array): void => {
    for (let row = start; row < end; row++) {
      if (drawn[(tree - firstTree) * x.rows + row]! > 0) continue;
      votes[row]!++;
      const at = valueOffset[leaves[row - start]!]!;
      for (let o = 0; o < outputs; o++) sums[row * outputs + o]! += values[at + o]!;
    }
  };
  forEachTreeOfBlocks(forest, x, addVotes, firstTree, endTree);
}

/** Draws as many rows as there are, with replacement, and says how often each was drawn (255 at most); 1 each without bootstrap. */
function drawRows(out: Uint8Array, parameters: RandomForestParameters, tree: number): void {
  if (!parameters.bootstrap) {
    out.fill(1);
    return;
  }
  const prng = createPrng(parameters.seed, tree, 0);
  const rows = out.length;
  out.fill(0);
  for (let i = 0; i < rows; i++) out[prng.nextInt(rows)]!++;
}

/** Each row's weight in a tree: its sample weight times how often it was drawn. */
function weighDraws(drawn: Uint8Array, weights: Float64Array): Float64Array {
  const weighted = weights.map((weight, row) => weight * drawn[row]!);
  // A draw that met only rows of weight 0 would leave nothing to grow on.
  return weighted.some((weight) => weight > 0) ? weighted : weights;
}

function hasWholeWeights(weights: Float64Array | undefined): boolean {
  return !weights || weights.every((weight) => Number.isInteger(weight));
}

function createCriterion(
  data: BinnedMatrix,
  y: Float64Array,
  weights: Float64Array | undefined,
  task: ForestTask,
  parameters: RandomForestParameters,
  isExact: boolean,
): Criterion {
  if (task.kind === 'regression') return new ValueCriterion(data, y);
  const labels = Int32Array.from(y);
  const perClass = new Float64Array(task.classes);
  let total = 0;
  for (let row = 0; row < labels.length; row++) {
    const weight = weights?.[row] ?? 1;
    perClass[labels[row]!]! += weight;
    total += weight;
  }
  const present = perClass.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  const classWeights = perClass.map((weight) =>
    parameters.classWeight === 'balanced' && weight > 0 ? total / (present * weight) : 1,
  );
  let heaviest = 1;
  for (const weight of weights ?? []) heaviest = Math.max(heaviest, weight);
  const isPackable = task.classes === 2 && isExact && heaviest * MOST_DRAWS <= MOST_CODED_WEIGHT && 2 * total < PACK;
  return isPackable
    ? new BinaryCriterion(data, labels, classWeights)
    : new ClassesCriterion(data, labels, classWeights);
}

/** A bootstrap draws one row more often than this with a chance below 1e-20. */
const MOST_DRAWS = 20;
