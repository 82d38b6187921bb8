import { takeRows } from '../../../ml/matrix.js';
import type { Hyperparameters } from '../../../core/schemas/model-config.js';
import {
  defaultLinearParameters,
  fitLinear,
  type LinearModel,
  type LinearParameters,
} from '../../../ml/linear/fit-linear.js';
import { pick, predictUnseen, type Candidate, type CandidateInput } from './candidate.js';
import { linearHead } from './head-model.js';
import { DEFAULT_SEED } from './hyperparameters.js';

/** A penalty, or how well a linear model does, is known well enough from so many rows; a fit takes time in proportion. */
const ROWS_ENOUGH = 10_000;

/**
 * A logistic or ridge regression. The penalty is chosen by cross-validation, once; each row is judged by a model that did not
 * see its fold.
 */
export function fitLinearCandidate(input: CandidateInput): Candidate {
  const { x, y, classes, categorical, hyperparameters } = input;
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  const parameters = linearParameters(hyperparameters);
  input.onProgress(0, 'choosing the penalty');
  const fit = (rows: Uint32Array, strength: number | 'cv'): LinearModel =>
    fitLinear({ x: takeRows(x, rows), y: pick(y, rows), task, categorical, parameters: { ...parameters, strength } });
  const all = Uint32Array.from({ length: x.rows }, (_, row) => row);
  const { strength } = parameters.strength === 'cv' ? fit(thin(all), 'cv') : parameters;
  const model = fit(all, strength);
  const judged = predictUnseen(input, (rows, fold) => {
    input.onProgress((fold + 1) / 6, 'cross-validation');
    return linearHead(fit(thin(rows), strength));
  });
  return {
    algorithm: 'linear',
    model: linearHead(model),
    ...judged,
    hyperparameters: {
      l2_regularization: model.strength,
      class_weight: parameters.classWeight,
      seed: parameters.seed,
    },
  };
}

/** What was given; a penalty that nobody names is chosen by cross-validation. */
export function linearParameters(given: Hyperparameters): LinearParameters {
  return {
    ...defaultLinearParameters(),
    // A penalty of 0 is none; the solver wants a number above it.
    strength: given.l2_regularization === undefined ? 'cv' : Math.max(1e-9, given.l2_regularization),
    classWeight: given.class_weight ?? 'none',
    seed: given.seed ?? DEFAULT_SEED,
  };
}

/** At most so many rows as are enough, at equal distances. */
function thin(rows: Uint32Array): Uint32Array {
  const step = Math.ceil(rows.length / ROWS_ENOUGH);
  return step <= 1 ? rows : rows.filter((_, at) => at % step === 0);
}
