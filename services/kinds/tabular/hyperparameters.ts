import type { FieldProblem } from '../../../core/errors.js';
import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import { defaultRandomForestParameters, type RandomForestParameters } from '../../../ml/ensemble/random-forest.js';
import type { TabularAlgorithm } from './head-model.js';

export const DEFAULT_SEED = 42;

/** The hyperparameters of an algorithm. */
export const usedBy = (algorithm: keyof typeof KNOWN) => KNOWN[algorithm].uses;

/** Which hyperparameters an algorithm has, and how it is called in a sentence. */
const KNOWN: Record<TabularAlgorithm | 'neural_network', { called: string; uses: readonly (keyof Hyperparameters)[] }> =
  {
    random_forest: {
      called: 'a random forest',
      uses: [
        'n_estimators',
        'max_depth',
        'min_samples_split',
        'min_samples_leaf',
        'max_features',
        'class_weight',
        'seed',
      ],
    },
    gradient_boosting: {
      called: 'gradient boosting',
      uses: [
        'n_estimators',
        'learning_rate',
        'max_leaf_nodes',
        'max_depth',
        'min_samples_leaf',
        'l2_regularization',
        'subsample',
        'max_features',
        'class_weight',
        'early_stopping_rounds',
        'seed',
      ],
    },
    neural_network: {
      called: 'a network',
      uses: ['hidden_units', 'dropout', 'learning_rate', 'l2_regularization', 'epochs', 'batch_size', 'seed'],
    },
    linear: { called: 'a linear model', uses: ['l2_regularization', 'class_weight', 'seed'] },
  };

/** One warning for each hyperparameter that none of the algorithms has. */
export function describeUnused(given: Hyperparameters, algorithms: readonly (keyof typeof KNOWN)[]): FieldProblem[] {
  const called = algorithms.map((algorithm) => KNOWN[algorithm].called).join(', ');
  return (Object.keys(given) as (keyof Hyperparameters)[])
    .filter((name) => given[name] !== undefined && !algorithms.some((one) => KNOWN[one].uses.includes(name)))
    .map((name) => ({
      path: `hyperparameters.${name}`,
      message: `was not used: ${called} has no ${name.replaceAll('_', ' ')}`,
    }));
}

/** Up to so many rows trees grow as deep as their leaves allow; beyond, a forest would be larger than its data. */
const MOST_ROWS_OF_DEEP_TREES = 50_000;

/** The parameters of a forest: what was given, else its defaults for the task. */
export function forestParameters(given: Hyperparameters, isRegression: boolean, rows: number): RandomForestParameters {
  const defaults = defaultRandomForestParameters(
    isRegression ? { kind: 'regression' } : { kind: 'classification', classes: 2 },
  );
  return {
    ...defaults,
    nEstimators: given.n_estimators ?? defaults.nEstimators,
    maxDepth: given.max_depth === undefined ? (rows <= MOST_ROWS_OF_DEEP_TREES ? null : 14) : given.max_depth,
    minSamplesSplit: given.min_samples_split ?? defaults.minSamplesSplit,
    minSamplesLeaf: given.min_samples_leaf ?? defaults.minSamplesLeaf,
    maxFeatures: given.max_features ?? defaults.maxFeatures,
    classWeight: given.class_weight ?? defaults.classWeight,
    seed: given.seed ?? DEFAULT_SEED,
  };
}
