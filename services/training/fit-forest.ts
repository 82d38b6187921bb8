import type { ForestHyperparameters } from '../../core/schemas/model-config.js';
import type { Calibration } from '../../ml/calibrate/calibration.js';
import { fitCalibration } from '../../ml/calibrate/calibration.js';
import { conformalQuantile } from '../../ml/calibrate/conformal.js';
import {
  fitRandomForest,
  outOfBagPredictions,
  type ForestTask,
  type RandomForest,
  type RandomForestParameters,
} from '../../ml/ensemble/random-forest.js';
import type { FeatureMatrix } from '../../ml/matrix.js';
import type { HeadTarget } from './training-table.js';

/** The level that the intervals of a regression are made for. */
export const INTERVAL_LEVEL = 0.9;

export interface FittedHead {
  forest: RandomForest;
  calibration?: Calibration;
  interval?: { level: number; halfWidth: number };
}

export function taskOf(target: HeadTarget): ForestTask {
  return target.head.task === 'regression'
    ? { kind: 'regression' }
    : { kind: 'classification', classes: target.classes.length };
}

export function forestParameters(hyperparameters: ForestHyperparameters): RandomForestParameters {
  return {
    nEstimators: hyperparameters.n_estimators,
    maxDepth: hyperparameters.max_depth,
    minSamplesSplit: hyperparameters.min_samples_split,
    minSamplesLeaf: hyperparameters.min_samples_leaf,
    maxFeatures: hyperparameters.max_features,
    bootstrap: true,
    maxBins: 255,
    classWeight: hyperparameters.class_weight,
    seed: hyperparameters.seed,
  };
}

/** The rows of a matrix, in the given order. */
export function takeRows(x: FeatureMatrix, rows: Uint32Array): FeatureMatrix {
  const values = new Float64Array(rows.length * x.columns);
  for (let column = 0; column < x.columns; column++) {
    const from = column * x.rows;
    const to = column * rows.length;
    for (let index = 0; index < rows.length; index++) values[to + index] = x.values[from + rows[index]!]!;
  }
  return { rows: rows.length, columns: x.columns, values };
}

/**
 * Fits one head and makes its confidence honest: each row is judged by the trees that did not see it, so probabilities are
 * calibrated and intervals are measured without giving up any training row.
 */
export function fitForestHead(
  input: {
    x: FeatureMatrix;
    target: HeadTarget;
    rows: Uint32Array;
    hyperparameters: ForestHyperparameters;
    resumeFrom?: RandomForest;
  },
  onTree?: (progress: { done: number; total: number; partial: () => RandomForest }) => void,
): FittedHead {
  const { target, rows } = input;
  const x = takeRows(input.x, rows);
  const y = Float64Array.from(rows, (row) => target.y[row]!);
  const parameters = forestParameters(input.hyperparameters);
  const forest = fitRandomForest({ x, y, task: taskOf(target), parameters, resumeFrom: input.resumeFrom, onTree });
  const { predictions, covered } = outOfBagPredictions(forest, x, parameters);
  const judged = Uint32Array.from([...rows.keys()].filter((index) => covered[index] === 1));
  const outputs = forest.outputs;
  if (target.head.task === 'regression') {
    const residuals = Float64Array.from(judged, (index) => y[index]! - predictions[index]!);
    const halfWidth = conformalQuantile(residuals, 1 - INTERVAL_LEVEL);
    return { forest, ...(halfWidth === null ? {} : { interval: { level: INTERVAL_LEVEL, halfWidth } }) };
  }
  const probabilities = new Float64Array(judged.length * outputs);
  judged.forEach((index, at) =>
    probabilities.set(predictions.subarray(index * outputs, (index + 1) * outputs), at * outputs),
  );
  const labels = Float64Array.from(judged, (index) => y[index]!);
  return { forest, calibration: fitCalibration(probabilities, labels, outputs, { seed: parameters.seed }) };
}
