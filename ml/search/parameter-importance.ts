import { fitRandomForest, outOfBagPredictions } from '../ensemble/random-forest.js';
import { defaultRandomForestParameters } from '../ensemble/forest-parameters.js';
import { permutationImportance } from '../evaluate/permutation-importance.js';
import { encodeTable, fitTableEncoder, type RawColumn } from '../preprocess/table-encoder.js';

/** How much of the differences between trials a parameter accounts for. */
export interface ParameterImportance {
  name: string;
  /** Share of the variance of the value that cannot be told any more once the parameter is shuffled; may be a little below 0. */
  share: number;
  lower: number;
  upper: number;
}

/** Fewer trials say nothing about several parameters. */
export const LEAST_TRIALS = 12;
const TREES = 200;

/**
 * What the value of trials depends on: a forest learns it from the parameters, and each parameter is shuffled among the trials in turn.
 * Each trial is judged by those trees that did not see it (Breiman 2001), so that a parameter without a say has a share around 0.
 * @param parameters one value a trial, null or undefined where a trial did not have the parameter
 * @param values one finite number a trial
 * @returns the largest share first; empty for fewer than `LEAST_TRIALS` trials, equal values, or parameters that are all the same
 */
export function parameterImportance(input: {
  parameters: readonly RawColumn[];
  values: Float64Array;
  seed: number;
}): ParameterImportance[] {
  const { parameters, values, seed } = input;
  const trials = values.length;
  const mean = values.reduce((sum, value) => sum + value / trials, 0);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2 / trials, 0);
  if (trials < LEAST_TRIALS || !(variance > 1e-24 * mean * mean)) return [];
  const rows = Uint32Array.from(values.keys());
  // A count such as 1, 2, 3, … names no trial, and texts that all differ are no free text.
  const types = Object.fromEntries(parameters.map(({ name, values: all }) => [name, typeOf(all)]));
  const encoder = fitTableEncoder(parameters, rows, { types });
  if (encoder.columns.length === 0) return [];
  const x = encodeTable(encoder, parameters);
  const settings = {
    ...defaultRandomForestParameters({ kind: 'regression' }),
    nEstimators: TREES,
    maxDepth: null,
    minSamplesLeaf: 2,
    maxFeatures: 'all' as const,
    seed,
  };
  const forest = fitRandomForest({ x, y: values, task: { kind: 'regression' }, parameters: settings });
  const found = permutationImportance({
    x,
    predict: (matrix) => outOfBagPredictions(forest, matrix, settings).predictions,
    lossOf: (answers) => values.map((value, row) => (value - (Number.isNaN(answers[row]) ? mean : answers[row]!)) ** 2),
    groups: encoder.features.map(({ name, start, width }) => ({
      name,
      columns: Array.from({ length: width }, (_, at) => start + at),
    })),
    seed,
    repeats: 10,
  });
  return found.map(({ name, increase, lower, upper }) => ({
    name,
    share: increase / variance,
    lower: lower / variance,
    upper: upper / variance,
  }));
}

function typeOf(values: readonly unknown[]): 'number' | 'category' | 'constant' {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (new Set(values.map((value) => value ?? null)).size < 2) return 'constant';
  return known.every((value) => typeof value === 'number') ? 'number' : 'category';
}
