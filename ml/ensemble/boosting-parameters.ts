import type { FeatureMatrix } from '../matrix.js';
import type { BoostingLoss } from './boosting-loss.js';
import type { GradientBoosting } from './boosting-model.js';

/** How a boosted model is grown (Friedman 2001; histograms and leaf-wise growth as in Ke et al. 2017, LightGBM). */
export interface GradientBoostingParameters {
  /** Most rounds, 1 to 10,000; each grows a tree, of several classes a tree a class. */
  nEstimators: number;
  /** Share of each tree's answer that is added, above 0 to 1. */
  learningRate: number;
  /** Most leaves of a tree, 2 to 1,024. */
  maxLeaves: number;
  /** Levels below the root, 1 or more; null for no limit. */
  maxDepth: number | null;
  /** No leaf may have fewer rows (whole weights count as rows); at least 1. */
  minSamplesLeaf: number;
  /** No leaf may have a smaller sum of hessians; 0 or more. */
  minChildHessian: number;
  /** Added to the sum of hessians of a leaf, 0 or more: shrinks leaves of few rows. */
  l2: number;
  /** A split must lower the loss by more than this, 0 or more. */
  minSplitGain: number;
  /** Most bins a numeric column is cut into, 2 to 255. */
  maxBins: number;
  /** Share of the rows that a tree sees, drawn without replacement, above 0 to 1. */
  rowSubsample: number;
  /** Share of the columns that a tree may look at, above 0 to 1. */
  columnSubsample: number;
  /** `balanced` weights each class by rows / (classes × its rows). */
  classWeight: 'none' | 'balanced';
  /** Rounds without a gain on the validation rows after which growing ends, 1 or more; null for never. */
  earlyStoppingRounds: number | null;
  /** Whole number that all draws follow from. */
  seed: number;
}

/** Parameters that do well on most tables; with validation rows the number of rounds finds itself. */
export function defaultGradientBoostingParameters(loss: BoostingLoss): GradientBoostingParameters {
  return {
    nEstimators: 100,
    learningRate: 0.1,
    maxLeaves: loss.kind === 'softmax' ? 15 : 31,
    maxDepth: null,
    minSamplesLeaf: 20,
    minChildHessian: 1e-3,
    l2: 0,
    minSplitGain: 0,
    maxBins: 255,
    rowSubsample: 1,
    columnSubsample: 1,
    classWeight: 'none',
    earlyStoppingRounds: null,
    seed: 0,
  };
}

/** How far a fit has come. */
export interface BoostingProgress {
  done: number;
  total: number;
  /** Mean loss over the training rows, of many over about 5,000 of them. */
  trainLoss: number;
  /** Mean loss over the validation rows, where there are any. */
  validationLoss?: number;
  /** The model of the rounds so far: can be encoded, and given to `resumeFrom` later. */
  partial: () => GradientBoosting;
}

/** What a boosted model is fitted on. */
export interface GradientBoostingInput {
  /** At least one row; NaN = missing. */
  x: FeatureMatrix;
  /** Class numbers, counts or values, by the loss. */
  y: Float64Array;
  /** One sample weight a row, 0 or more; weight 2 counts as the row given twice. */
  weights?: Float64Array;
  /** Columns that hold category codes 0 to 253; they are split by sets of codes. */
  categorical?: readonly number[];
  /** By column 1 where a larger value may not lower the margin, -1 where it may not raise it, else 0. */
  monotone?: Int8Array;
  loss: BoostingLoss;
  parameters: GradientBoostingParameters;
  /** Rows that are not learned from: with `earlyStoppingRounds` they decide how many rounds are kept. */
  validation?: { x: FeatureMatrix; y: Float64Array; weights?: Float64Array };
  /** A model of the first rounds of the same fit: only the others are grown. */
  resumeFrom?: GradientBoosting;
  /** Called after each round. */
  onRound?: (progress: BoostingProgress) => void;
}

/** Refuses parameters out of range. @throws RangeError that names the parameter, its value and what is allowed */
export function checkBoostingParameters(p: GradientBoostingParameters): void {
  const demand = (isRight: boolean, name: keyof GradientBoostingParameters, allowed: string): void => {
    if (!isRight) throw new RangeError(`boosting parameter ${name} is ${String(p[name])} but must be ${allowed}`);
  };
  const isWhole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  const isShare = (value: number) => value > 0 && value <= 1;
  demand(isWhole(p.nEstimators, 1, 10_000), 'nEstimators', 'a whole number from 1 to 10,000');
  demand(isShare(p.learningRate), 'learningRate', 'above 0 and at most 1');
  demand(isWhole(p.maxLeaves, 2, 1024), 'maxLeaves', 'a whole number from 2 to 1,024');
  demand(p.maxDepth === null || isWhole(p.maxDepth, 1, 1e6), 'maxDepth', 'null or a whole number from 1');
  demand(p.minSamplesLeaf >= 1 && p.minSamplesLeaf < Infinity, 'minSamplesLeaf', 'at least 1');
  demand(p.minChildHessian >= 0 && p.minChildHessian < Infinity, 'minChildHessian', '0 or more');
  demand(p.l2 >= 0 && p.l2 < Infinity, 'l2', '0 or more');
  demand(p.minSplitGain >= 0 && p.minSplitGain < Infinity, 'minSplitGain', '0 or more');
  demand(isWhole(p.maxBins, 2, 255), 'maxBins', 'a whole number from 2 to 255');
  demand(isShare(p.rowSubsample), 'rowSubsample', 'above 0 and at most 1');
  demand(isShare(p.columnSubsample), 'columnSubsample', 'above 0 and at most 1');
  demand(p.classWeight === 'none' || p.classWeight === 'balanced', 'classWeight', "'none' or 'balanced'");
  demand(
    p.earlyStoppingRounds === null || isWhole(p.earlyStoppingRounds, 1, 1e6),
    'earlyStoppingRounds',
    'null or a whole number from 1',
  );
  demand(Number.isSafeInteger(p.seed), 'seed', 'a whole number within ±2^53');
}

/** Refuses inputs that do not fit together. @throws RangeError that says which */
export function checkBoostingInput({ x, y, weights, monotone, loss, validation }: GradientBoostingInput): void {
  if (x.rows < 1) throw new RangeError('boosting needs at least one row, got none');
  if (x.values.length !== x.rows * x.columns)
    throw new RangeError(`the matrix says ${x.rows} rows x ${x.columns} columns but holds ${x.values.length} numbers`);
  if (y.length !== x.rows) throw new RangeError(`there are ${x.rows} rows but ${y.length} targets: give one a row`);
  checkWeights(weights, x.rows);
  if (monotone && monotone.length !== x.columns)
    throw new RangeError(
      `there are ${x.columns} columns but ${monotone.length} monotone directions: give one a column`,
    );
  if (loss.kind === 'softmax' && !(Number.isInteger(loss.classes) && loss.classes >= 2))
    throw new RangeError(`the softmax loss needs a whole number of classes from 2, got ${loss.classes}`);
  if (loss.kind === 'quantile' && !(loss.alpha > 0 && loss.alpha < 1))
    throw new RangeError(`the quantile loss needs an alpha between 0 and 1, got ${loss.alpha}`);
  if (!validation) return;
  if (validation.x.columns !== x.columns)
    throw new RangeError(`the validation rows have ${validation.x.columns} columns, the training rows ${x.columns}`);
  if (validation.y.length !== validation.x.rows)
    throw new RangeError(`there are ${validation.x.rows} validation rows but ${validation.y.length} targets`);
  checkWeights(validation.weights, validation.x.rows);
}

function checkWeights(weights: Float64Array | undefined, rows: number): void {
  if (!weights) return;
  if (weights.length !== rows)
    throw new RangeError(`there are ${rows} rows but ${weights.length} weights: give one a row`);
  const row = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (row >= 0)
    throw new RangeError(`the weight of row ${row} is ${weights[row]}: weights must be finite and not below 0`);
  if (!weights.some((weight) => weight > 0)) throw new RangeError('all weights are 0: there is nothing to learn from');
}
