import type { FeatureMatrix } from '../matrix.js';
import type { ForestTask, RandomForest } from './forest.js';

/** How a forest is grown (Breiman 2001). */
export interface RandomForestParameters {
  /** Trees, 1 to 10,000. */
  nEstimators: number;
  /** Levels below the root, 0 or more; null for no limit. */
  maxDepth: number | null;
  /** A node with less sample weight becomes a leaf; at least 2. */
  minSamplesSplit: number;
  /** No leaf may have less sample weight; at least 1. */
  minSamplesLeaf: number;
  /** Columns looked at in each node: a rule, or a fraction of them in (0, 1]; always at least one. */
  maxFeatures: 'sqrt' | 'log2' | 'all' | number;
  /** True to grow each tree on as many rows as there are, drawn with replacement. */
  bootstrap: boolean;
  /** Most bins a column is cut into, 2 to 255. */
  maxBins: number;
  /** `balanced` weights each class by rows / (classes × its rows). */
  classWeight: 'none' | 'balanced';
  /** Whole number that all draws follow from. */
  seed: number;
}

/** Parameters that do well on most tables of up to a million rows. */
export function defaultRandomForestParameters(task: ForestTask): RandomForestParameters {
  const isClassification = task.kind === 'classification';
  return {
    nEstimators: 100,
    maxDepth: 10,
    minSamplesSplit: 2,
    minSamplesLeaf: isClassification ? 5 : 3,
    maxFeatures: isClassification ? 'sqrt' : 1 / 3,
    bootstrap: true,
    maxBins: 255,
    classWeight: 'none',
    seed: 0,
  };
}

/** How far a fit has come. */
export interface TreeProgress {
  done: number;
  total: number;
  /** The forest of the trees grown so far: can be encoded, and given to `resumeFrom` later. */
  partial: () => RandomForest;
}

/** What a forest is fitted on. */
export interface RandomForestInput {
  /** At least one row; NaN = missing. */
  x: FeatureMatrix;
  /** One class number (0 to classes - 1) or one finite value a row. */
  y: Float64Array;
  /** One sample weight a row, 0 or more; weight 2 counts as the row given twice. */
  weights?: Float64Array;
  task: ForestTask;
  parameters: RandomForestParameters;
  /** A forest of the first trees of the same fit: only the others are grown. */
  resumeFrom?: RandomForest;
  /** Called after each tree. */
  onTree?: (progress: TreeProgress) => void;
}

/** The count of columns that a rule means. */
export function columnsPerNode(rule: RandomForestParameters['maxFeatures'], columns: number): number {
  const wanted =
    rule === 'all'
      ? columns
      : rule === 'sqrt'
        ? Math.sqrt(columns)
        : rule === 'log2'
          ? Math.log2(columns)
          : rule * columns;
  return Math.max(1, Math.floor(wanted + 1e-9));
}

/** Refuses parameters out of range. */
export function checkParameters(p: RandomForestParameters): void {
  const wrong = (name: string, value: unknown, allowed: string): never => {
    throw new RangeError(`forest parameter ${name} is ${String(value)} but must be ${allowed}`);
  };
  if (!Number.isInteger(p.nEstimators) || p.nEstimators < 1 || p.nEstimators > 10_000)
    wrong('nEstimators', p.nEstimators, 'a whole number from 1 to 10,000');
  if (p.maxDepth !== null && (!Number.isInteger(p.maxDepth) || p.maxDepth < 0))
    wrong('maxDepth', p.maxDepth, 'null or a whole number from 0');
  if (!(p.minSamplesSplit >= 2)) wrong('minSamplesSplit', p.minSamplesSplit, 'at least 2');
  if (!(p.minSamplesLeaf >= 1)) wrong('minSamplesLeaf', p.minSamplesLeaf, 'at least 1');
  if (
    typeof p.maxFeatures === 'number'
      ? !(p.maxFeatures > 0 && p.maxFeatures <= 1)
      : !['sqrt', 'log2', 'all'].includes(p.maxFeatures)
  ) {
    wrong('maxFeatures', p.maxFeatures, "'sqrt', 'log2', 'all' or a fraction in (0, 1]");
  }
  if (!Number.isInteger(p.maxBins) || p.maxBins < 2 || p.maxBins > 255)
    wrong('maxBins', p.maxBins, 'a whole number from 2 to 255');
  if (p.classWeight !== 'none' && p.classWeight !== 'balanced')
    wrong('classWeight', p.classWeight, "'none' or 'balanced'");
  if (!Number.isSafeInteger(p.seed)) wrong('seed', p.seed, 'a whole number within ±2^53');
}

/** Refuses inputs that do not fit together. */
export function checkInput({ x, y, weights, task }: RandomForestInput): void {
  if (x.rows < 1) throw new RangeError('a forest needs at least one row, got none');
  if (x.values.length !== x.rows * x.columns) {
    throw new RangeError(`the matrix says ${x.rows} rows x ${x.columns} columns but holds ${x.values.length} numbers`);
  }
  if (y.length !== x.rows) throw new RangeError(`there are ${x.rows} rows but ${y.length} targets: give one a row`);
  if (weights && weights.length !== x.rows)
    throw new RangeError(`there are ${x.rows} rows but ${weights.length} weights: give one a row`);
  if (weights) {
    const row = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
    if (row >= 0)
      throw new RangeError(`the weight of row ${row} is ${weights[row]}: weights must be finite and not below 0`);
    if (!weights.some((weight) => weight > 0))
      throw new RangeError('all weights are 0: there is nothing to learn from');
  }
  const classes = task.kind === 'classification' ? task.classes : 0;
  if (task.kind === 'classification' && !(Number.isInteger(classes) && classes >= 1)) {
    throw new RangeError(`a classification needs a whole number of classes from 1, got ${classes}`);
  }
  const isGood =
    task.kind === 'regression'
      ? Number.isFinite
      : (label: number) => Number.isInteger(label) && label >= 0 && label < classes;
  const row = y.findIndex((target) => !isGood(target));
  if (row >= 0) {
    const allowed = task.kind === 'regression' ? 'a finite number' : `a class number from 0 to ${classes - 1}`;
    throw new RangeError(
      `the target of row ${row} is ${y[row]} but must be ${allowed}: drop rows without a target before fitting`,
    );
  }
}
