import type { FeatureMatrix } from '../matrix.js';
import type { LinearTask } from './linear-model.js';

/** How a linear model is fitted. */
export interface LinearParameters {
  /**
   * Penalty on the squared coefficients, above 0, or 'cv' to let the data choose. The loss is Σ weight × log loss +
   * strength/2 × Σ coefficient² (scikit-learn's C = 1 / strength) or Σ weight × error² + strength × Σ coefficient² (its alpha).
   */
  strength: number | 'cv';
  /** `balanced` weights each class by rows / (classes × its rows). */
  classWeight: 'none' | 'balanced';
  /**
   * Regression of amounts and durations on logarithms: `mean` corrects the answer by Duan's (1983) smearing factor, so that it is
   * right on average; `median` does not, so that half of the values lie above it, which has the smaller absolute error.
   * Needs targets of 0 or more.
   */
  logTarget: 'none' | 'mean' | 'median';
  /** True to take logarithms of skewed columns without negative values. */
  logSkewed: boolean;
  /** Whole number that the folds follow from. */
  seed: number;
}

/** Parameters that suit most tables. */
export function defaultLinearParameters(): LinearParameters {
  return { strength: 'cv', classWeight: 'none', logTarget: 'none', logSkewed: true, seed: 0 };
}

/** What a linear model is fitted on. */
export interface LinearInput {
  /** At least one row; NaN = missing. */
  x: FeatureMatrix;
  /** One class number (0 to classes - 1) or one finite value a row. */
  y: Float64Array;
  /** One sample weight a row, 0 or more; weight 2 counts as the row given twice. */
  weights?: Float64Array;
  task: LinearTask;
  /** Matrix columns that hold category codes; every other column is a number. */
  categorical?: readonly number[];
  parameters: LinearParameters;
}

/** Refuses parameters out of range. */
export function checkLinearParameters(p: LinearParameters): void {
  const wrong = (name: string, value: unknown, allowed: string): never => {
    throw new RangeError(`linear parameter ${name} is ${String(value)} but must be ${allowed}`);
  };
  if (p.strength !== 'cv' && !(p.strength > 0 && p.strength < Infinity))
    wrong('strength', p.strength, "'cv' or a number above 0");
  if (p.classWeight !== 'none' && p.classWeight !== 'balanced')
    wrong('classWeight', p.classWeight, "'none' or 'balanced'");
  if (!['none', 'mean', 'median'].includes(p.logTarget)) wrong('logTarget', p.logTarget, "'none', 'mean' or 'median'");
  if (!Number.isSafeInteger(p.seed)) wrong('seed', p.seed, 'a whole number within ±2^53');
}

/** Refuses inputs that do not fit together. */
export function checkLinearInput({ x, y, weights, task, parameters }: LinearInput): void {
  if (x.rows < 1) throw new RangeError('a linear model needs at least one row, got none');
  if (x.values.length !== x.rows * x.columns)
    throw new RangeError(`the matrix says ${x.rows} rows x ${x.columns} columns but holds ${x.values.length} numbers`);
  if (y.length !== x.rows) throw new RangeError(`there are ${x.rows} rows but ${y.length} targets: give one a row`);
  if (weights) checkWeights(weights, x.rows);
  if (task.kind === 'classification') {
    const { classes } = task;
    if (!(Number.isInteger(classes) && classes >= 1))
      throw new RangeError(`a classification needs a whole number of classes from 1, got ${classes}`);
    const row = y.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
    if (row >= 0) throw wrongTarget(row, y[row]!, `a class number from 0 to ${classes - 1}`);
    return;
  }
  const row = y.findIndex((target) => !Number.isFinite(target));
  if (row >= 0) throw wrongTarget(row, y[row]!, 'a finite number');
  const below = parameters.logTarget === 'none' ? -1 : y.findIndex((target) => target < 0);
  if (below >= 0) throw wrongTarget(below, y[below]!, "0 or more for logarithms: set logTarget to 'none'");
}

function checkWeights(weights: Float64Array, rows: number): void {
  if (weights.length !== rows)
    throw new RangeError(`there are ${rows} rows but ${weights.length} weights: give one a row`);
  const row = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (row >= 0)
    throw new RangeError(`the weight of row ${row} is ${weights[row]}: weights must be finite and not below 0`);
  if (!weights.some((weight) => weight > 0)) throw new RangeError('all weights are 0: there is nothing to learn from');
}

function wrongTarget(row: number, value: number, allowed: string): RangeError {
  return new RangeError(
    `the target of row ${row} is ${value} but must be ${allowed}: drop rows without a target before fitting`,
  );
}
