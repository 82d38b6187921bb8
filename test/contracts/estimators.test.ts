import { decodeBoosting, encodeBoosting } from '../../ml/ensemble/boosting-format.js';
import { decodeForest, encodeForest } from '../../ml/ensemble/forest-format.js';
import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
  predictBoostingRow,
} from '../../ml/ensemble/gradient-boosting.js';
import type { BoostingLoss, GradientBoosting } from '../../ml/ensemble/gradient-boosting.js';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  predictForest,
  predictForestRow,
} from '../../ml/ensemble/random-forest.js';
import type { RandomForest, RandomForestParameters } from '../../ml/ensemble/random-forest.js';
import { defaultLinearParameters, fitLinear, predictLinear, predictLinearRow } from '../../ml/linear/fit-linear.js';
import type { LinearModel, LinearParameters } from '../../ml/linear/fit-linear.js';
import { holdEstimator } from './estimator-contract.js';
import type { EstimatorAdapter } from './estimator-contract.js';

type Task = EstimatorAdapter<unknown>['task'];
const TASKS: Record<string, Task> = {
  'two classes': { kind: 'classification', classes: 2 },
  'four classes': { kind: 'classification', classes: 4 },
  values: { kind: 'regression' },
};

/** The forest as it is used: draws go by position, so that order and repeats change it as another seed would. */
function forest(name: string, task: Task): EstimatorAdapter<RandomForest> {
  const parameters = { ...defaultRandomForestParameters(task), nEstimators: 40 };
  return {
    ...treesOf(task, parameters),
    name: `random forest, ${name}`,
    rowOrder: { of: 'skill', tolerance: 0.2 },
    columnOrder: { of: 'skill', tolerance: 0.25 },
    weights: { of: 'skill', tolerance: 0.25 },
  };
}

/** One tree without draws: nothing but the rows themselves may matter. */
function tree(name: string, task: Task): EstimatorAdapter<RandomForest> {
  const isCounted = task.kind === 'classification';
  const still = { nEstimators: 1, bootstrap: false, maxFeatures: 'all' } as const;
  return {
    ...treesOf(task, { ...defaultRandomForestParameters(task), ...still }),
    name: `tree, ${name}`,
    // Counts are exact in any order. Sums of values are not, and where two columns cut a few rows the same way the last digit then
    // decides between them, which new rows can tell.
    rowOrder: isCounted ? { of: 'answers', tolerance: 1e-12 } : { of: 'skill', tolerance: 0.1 },
    columnOrder: { of: 'skill', tolerance: 0.05 },
    weights: isCounted ? { of: 'answers', tolerance: 1e-12 } : { of: 'skill', tolerance: 0.1 },
  };
}

function treesOf(task: Task, parameters: RandomForestParameters) {
  return {
    task,
    fit: (training: Parameters<EstimatorAdapter<RandomForest>['fit']>[0]) =>
      fitRandomForest({ ...training, task, parameters }),
    predict: predictForest,
    predictRow: predictForestRow,
    saveAndLoad: (model: RandomForest) => decodeForest(encodeForest(model)),
    certainty: () => 1e-12,
    easyLoss: 0.6,
  };
}

function boosting(name: string, task: Task): EstimatorAdapter<GradientBoosting> {
  const loss: BoostingLoss =
    task.kind === 'regression'
      ? { kind: 'squared' }
      : task.classes === 2
        ? { kind: 'logistic' }
        : { kind: 'softmax', classes: task.classes };
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 30, minSamplesLeaf: 5 };
  return {
    name: `gradient boosting, ${name}`,
    task,
    fit: (training) => fitGradientBoosting({ ...training, loss, parameters }),
    predict: predictBoosting,
    predictRow: predictBoostingRow,
    saveAndLoad: (model) => decodeBoosting(encodeBoosting(model)),
    // Gradients are no whole numbers: their sums differ in the last digit, which decides between cuts that are equally good.
    rowOrder: { of: 'skill', tolerance: 0.1 },
    columnOrder: { of: 'skill', tolerance: 0.1 },
    weights: { of: 'skill', tolerance: 0.15 },
    // A class that was always seen is stated by the rule of succession, one row more of each other class.
    certainty: (rows) => (task.kind === 'regression' ? 1e-9 : (outputsOf(task) - 1) / (rows + 1) + 1e-12),
    easyLoss: 0.6,
  };
}

function linear(name: string, task: Task, changes: Partial<LinearParameters>): EstimatorAdapter<LinearModel> {
  const parameters = { ...defaultLinearParameters(), ...changes };
  // Newton's method ends within 1e-12 of the minimum, L-BFGS at a gradient of 1e-9, which is about 1e-6 in a probability.
  const tolerance = task.kind === 'classification' && task.classes > 2 ? 1e-5 : 1e-8;
  const isChosen = parameters.strength === 'cv';
  const order = isChosen ? ({ of: 'skill', tolerance: 0.05 } as const) : ({ of: 'answers', tolerance } as const);
  return {
    name: `linear, ${name}, strength ${String(parameters.strength)}`,
    task,
    fit: (training) => fitLinear({ ...training, task, parameters }),
    predict: predictLinear,
    predictRow: predictLinearRow,
    saveAndLoad: (model) => JSON.parse(JSON.stringify(model)) as LinearModel,
    rowOrder: order,
    columnOrder: order,
    // Folds of repeated rows have the same row on both sides, which speaks for a weaker penalty.
    weights: isChosen ? { of: 'skill', tolerance: 0.2 } : order,
    // A class that was always seen is stated by the rule of succession, one row more of each other class.
    certainty: (rows) => (task.kind === 'regression' ? 1e-9 : (outputsOf(task) - 1) / (rows + 1)),
    easyLoss: 0.5,
  };
}

const outputsOf = (task: Task): number => (task.kind === 'classification' ? task.classes : 1);

for (const [name, task] of Object.entries(TASKS)) {
  holdEstimator(forest(name, task));
  holdEstimator(tree(name, task));
  holdEstimator(boosting(name, task));
  holdEstimator(linear(name, task, { strength: 1 }));
  holdEstimator(linear(name, task, {}));
}
