import { defaultLinearParameters, fitLinear, type LinearModel } from '../../../ml/linear/fit-linear.js';
import { pick, predictUnseen, takeRows, type Candidate, type CandidateInput } from './candidate.js';
import { linearHead } from './head-model.js';
import { DEFAULT_SEED } from './hyperparameters.js';

/**
 * A logistic or ridge regression. The penalty is chosen by cross-validation, once; each row is judged by a model that did not
 * see its fold.
 */
export function fitLinearCandidate(input: CandidateInput): Candidate {
  const { x, y, classes, categorical, hyperparameters } = input;
  const task = classes === 0 ? ({ kind: 'regression' } as const) : ({ kind: 'classification', classes } as const);
  const parameters = {
    ...defaultLinearParameters(),
    // A penalty of 0 is none; the solver wants a number above it.
    strength:
      hyperparameters.l2_regularization === undefined
        ? ('cv' as const)
        : Math.max(1e-9, hyperparameters.l2_regularization),
    classWeight: hyperparameters.class_weight ?? ('none' as const),
    seed: hyperparameters.seed ?? DEFAULT_SEED,
  };
  input.onProgress(0, 'choosing the penalty');
  const model: LinearModel = fitLinear({ x, y, task, categorical, parameters });
  const judged = predictUnseen(input, (rows, fold) => {
    input.onProgress((fold + 1) / 6, 'cross-validation');
    const settled = { ...parameters, strength: model.strength };
    return linearHead(fitLinear({ x: takeRows(x, rows), y: pick(y, rows), task, categorical, parameters: settled }));
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
